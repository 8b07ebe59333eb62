package differ

import (
	"context"
	"fmt"
	"sync/atomic"
)

var makeChan = &verb{"k%[1]d = NewChan(%[3]d)", func(x *actor, s *Step) string {
	return put(x, s.O, x.NewChan(s.N), nil)
}}

var sendChan = &verb{"k%[1]d.Send(%[3]d)", func(x *actor, s *Step) string {
	return class(get[Chan](x, s.O).Send(context.Background(), s.N))
}}

var recvWays = []string{"Recv", "RecvContext", "Select"}

var recvChan = &verb{"k%[1]d.Recv() // %[5]s", func(x *actor, s *Step) string {
	c := get[Chan](x, s.O)
	switch s.How {
	case 1:
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		return valued(c.Recv(ctx))
	case 2:
		which, v, err := x.Either(c, x.stuck.c)
		return fmt.Sprint(which, " ", valued(v, err))
	}
	return valued(c.Recv(context.Background()))
}}

var tryChan = &verb{"k%[1]d.TrySend(%[3]d), Len", func(x *actor, s *Step) string {
	c := get[Chan](x, s.O)
	if s.M > 0 {
		return fmt.Sprint(c.TrySend(s.N), " ", c.Len())
	}
	_, was := c.TryRecv()
	return fmt.Sprint(was, " ", c.TrySend(s.N), " ", c.Len())
}}

var closeChan = &verb{"k%[1]d.Close()", func(x *actor, s *Step) string {
	get[Chan](x, s.O).Close()
	return "ok"
}}

var recvClosed = &verb{"k%[1]d.Recv() // will be closed", func(x *actor, s *Step) string {
	c := get[Chan](x, s.O)
	if s.How == 1 {
		which, _, err := x.Either(x.stuck.c, c)
		return valued(which, err)
	}
	_, err := c.Recv(context.Background())
	return class(err)
}}

var sendClosed = &verb{"k%[1]d.Send() // is closed", func(x *actor, s *Step) string {
	c := get[Chan](x, s.O)
	return class(c.Send(context.Background(), 1)) + fmt.Sprint(" ", c.TrySend(1))
}}

// A tally is a number under a lock, and a semaphore with the number of units that are taken.
type tally struct {
	Mutex
	n      int
	sem    Semaphore
	units  int64
	having atomic.Int64
	over   atomic.Bool
}

var makeCounter = &verb{"n%[1]d = a number under a Mutex, NewSemaphore(%[3]d)", func(x *actor, s *Step) string {
	t := &tally{Mutex: x.NewMutex(), sem: x.NewSemaphore(int64(s.N)), units: int64(s.N)}
	return put(x, s.O, t, nil)
}}

var count = &verb{"n%[1]d.Lock, += %[3]d, Unlock // way %[6]d", func(x *actor, s *Step) string {
	t := get[*tally](x, s.O)
	var err error
	switch s.How {
	case 1:
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		err = t.LockContext(ctx)
	case 2:
		if !t.TryLock() {
			t.Lock()
		}
	default:
		t.Lock()
	}
	if err == nil {
		before := t.n
		if s.N%2 == 0 {
			x.Yield() // while it holds the lock
		}
		t.n = before + s.N
		t.Unlock()
	}
	return class(err)
}}

var units = &verb{"n%[1]d.Acquire(%[3]d), Release", func(x *actor, s *Step) string {
	t := get[*tally](x, s.O)
	n := min(int64(s.N), t.units)
	if err := t.sem.Acquire(context.Background(), n); err != nil {
		return class(err)
	}
	if t.having.Add(n) > t.units {
		t.over.Store(true)
	}
	x.Yield()
	t.having.Add(-n)
	t.sem.Release(n)
	return "ok"
}}

var sum = &verb{"n%[1]d // what it came to", func(x *actor, s *Step) string {
	t := get[*tally](x, s.O)
	free := t.TryLock()
	if free {
		defer t.Unlock()
	}
	all := t.sem.TryAcquire(t.units)
	if all {
		t.sem.Release(t.units)
	}
	return fmt.Sprint(t.n, " free ", free, all, " too many ", t.over.Load())
}}
