package differ

import (
	"context"
	"time"
)

// A cancelled is a context that an actor cancels.
type cancelled struct {
	ctx    context.Context
	cancel context.CancelFunc
}

// A spawned is a task that waits, and its error.
type spawned struct {
	Child
	err error
}

// stuck has one of each lock, none of which is ever released.
type stuck struct {
	c, full Chan
	sem     Semaphore
	mutex   Mutex
	guard   Mutex
	cond    Cond
	group   WaitGroup
	rw, of  RWMutex // the second has a reader
	barrier Barrier
	watch   Watch
	told    Subscription
}

func (k *stuck) make(w World) {
	k.c, k.full, k.sem, k.mutex, k.guard = w.NewChan(0), w.NewChan(1), w.NewSemaphore(1), w.NewMutex(), w.NewMutex()
	k.group, k.cond = w.NewWaitGroup(), w.NewCond(k.guard)
	k.full.TrySend(1)
	k.sem.TryAcquire(1)
	k.mutex.Lock()
	k.group.Add(1)
	k.rw, k.of, k.barrier, k.watch = w.NewRWMutex(), w.NewRWMutex(), w.NewBarrier(1<<20), w.NewWatch()
	k.rw.Lock()
	k.of.RLock()
	k.watch.Set(1)
	k.told = w.NewBroadcast(1).Subscribe()
}

// stuckLocks are calls that would wait forever.
var stuckLocks = []struct {
	name string
	call func(ctx context.Context, w World, k *stuck) error
}{
	{"Recv", func(ctx context.Context, _ World, k *stuck) error { _, err := k.c.Recv(ctx); return err }},
	{"Send", func(ctx context.Context, _ World, k *stuck) error { return k.full.Send(ctx, 1) }},
	{"Acquire", func(ctx context.Context, _ World, k *stuck) error { return k.sem.Acquire(ctx, 1) }},
	{"LockContext", func(ctx context.Context, _ World, k *stuck) error { return k.mutex.LockContext(ctx) }},
	{"Cond.WaitContext", func(ctx context.Context, _ World, k *stuck) error {
		k.guard.Lock()
		defer k.guard.Unlock()
		for {
			if err := k.cond.WaitContext(ctx); err != nil {
				return err
			}
		}
	}},
	{"WaitGroup.WaitContext", func(ctx context.Context, _ World, k *stuck) error { return k.group.WaitContext(ctx) }},
	{"Sleep", func(ctx context.Context, w World, _ *stuck) error { return w.Sleep(ctx, time.Hour) }},

	{"RWMutex.LockContext", func(ctx context.Context, _ World, k *stuck) error { return k.rw.LockContext(ctx) }},
	{"RWMutex.RLockContext", func(ctx context.Context, _ World, k *stuck) error { return k.rw.RLockContext(ctx) }},
	{"LockContext of what is read", func(ctx context.Context, _ World, k *stuck) error {
		return k.of.LockContext(ctx)
	}},
	{"Barrier.Wait", func(ctx context.Context, _ World, k *stuck) error {
		_, err := k.barrier.Wait(ctx)
		return err
	}},
	{"Watch.Next", func(ctx context.Context, _ World, k *stuck) error {
		_, _, err := k.watch.Next(ctx, 1)
		return err
	}},
	{"Subscription.Recv", func(ctx context.Context, _ World, k *stuck) error {
		_, err := k.told.Recv(ctx)
		return err
	}},
}

// firstStuckSync is the first of stuckLocks that planStuckSync uses; the corpus counts those before it.
const firstStuckSync = 7

// How many ways there are in which reads of a connection wait, and which of them waits to fill a buffer.
const (
	readsThatWait = 5
	waitToFill    = 3
)

func waitRead(c Conn, how int) (err error) {
	switch how {
	case 1:
		_, err = c.Peek(1)
	case 2:
		_, err = c.Next()
	case waitToFill:
		_, err = c.ReadV([][]byte{make([]byte, 1), make([]byte, 1)})
	case 4:
		_, err = c.Discard(1)
	default:
		_, err = c.Read(make([]byte, 10))
	}
	return err
}

// target returns the wait that a step names: the call, and the deadline that can end it, if it has one.
func (x *actor) target(s *Step) (call func(ctx context.Context, w World) error, d Deadline) {
	switch s.M {
	case waitOnConn:
		c := get[Conn](x, s.O)
		return func(context.Context, World) error { return waitRead(c, s.How) }, c.SetReadDeadline
	case waitOnListener:
		ln := get[Listener](x, s.O)
		return func(context.Context, World) error { _, err := ln.Accept(s.How == 0); return err }, ln.SetDeadline
	case waitOnPacket:
		p := get[Packet](x, s.O)
		return func(context.Context, World) error {
			_, _, err := p.ReadFrom(make([]byte, 10))
			return err
		}, p.SetReadDeadline
	case waitOnPipe:
		f := get[File](x, s.O)
		return func(context.Context, World) error { _, err := f.Read(make([]byte, 10)); return err }, f.SetDeadline
	}
	lock := stuckLocks[s.How]
	return func(ctx context.Context, w World) error { return lock.call(ctx, w, x.stuck) }, nil
}

var waitFor = &verb{"wait on x%[1]d // %[5]s, kind %[4]d, way %[6]d", func(x *actor, s *Step) string {
	call, d := x.target(s)
	switch s.N {
	case endSoon:
		if d == nil {
			return "no deadline"
		}
		d(time.Now().Add(soon))
	case endWithin:
		return class(x.Within(soon, d, func(ctx context.Context) error { return call(ctx, x.World) }))
	case endContext:
		ctx := get[*cancelled](x, s.P).ctx
		return class(x.Under(ctx, d, func() error { return call(ctx, x.World) }))
	case endLate:
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return class(x.Under(ctx, d, func() error { return call(ctx, x.World) }))
	}
	return class(call(context.Background(), x.World))
}}

var spawnWait = &verb{"t%[2]d = Go: wait on x%[1]d // kind %[4]d, way %[6]d", func(x *actor, s *Step) string {
	call, d := x.target(s)
	t := new(spawned)
	t.Child = x.Go(x.i%Loops, 0, func(w World) {
		t.err = w.Here(d, func(ctx context.Context) error { return call(ctx, w) })
	})
	x.objs[s.P] = t
	return "ok"
}}

var cancelIt = &verb{"cancel x%[1]d // %[5]s", func(x *actor, s *Step) string {
	switch v := x.objs[s.O].(type) {
	case *cancelled:
		v.cancel()
	case *spawned:
		v.Cancel()
	default:
		panic(noObject(s.O))
	}
	return "ok"
}}

var joinWait = &verb{"t%[1]d.Wait()", func(x *actor, s *Step) string {
	t := get[*spawned](x, s.O)
	err := t.Wait()
	return class(err) + ", " + class(t.err)
}}
