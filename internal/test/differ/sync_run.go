package differ

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"ringo"
)

// A party is several callers who wait for each other, and the first thing that was not as it must be.
type party struct {
	x     *actor
	s     *Step
	wrong atomic.Pointer[string]
}

func (x *actor) party(s *Step) *party { return &party{x: x, s: s} }

func (p *party) want(ok bool, what string) {
	if !ok {
		p.wrong.CompareAndSwap(nil, &what)
	}
}

func (p *party) String() string {
	if wrong := p.wrong.Load(); wrong != nil {
		return *wrong
	}
	return "ok"
}

// rand is what the caller with a number decides by.
func (p *party) rand(i int) *rand.Rand { return rand.New(rand.NewPCG(uint64(p.s.M), uint64(i))) }

// begin starts a child with a number: a task of one of the loops, or a goroutine.
func (p *party) begin(i int, f func(w World, r *rand.Rand)) Child {
	how := 0
	if p.x.plan.beside && i%3 == 2 {
		how = inGoroutine
	}
	return p.x.Go((i+p.s.M)%Loops, how, func(w World) { f(w, p.rand(i)) })
}

// all runs f for all callers at once, the last of which is the actor, and cancels some of the children if it may.
func (p *party) all(cancels bool, f func(i int, w World, r *rand.Rand)) {
	var children []Child
	for i := range p.s.N {
		children = append(children, p.begin(i, func(w World, r *rand.Rand) { f(i, w, r) }))
	}
	if r := p.rand(p.s.N + 1); cancels && r.IntN(2) == 0 {
		p.x.Sleep(context.Background(), time.Duration(r.IntN(3))*20*time.Microsecond)
		children[r.IntN(len(children))].Cancel()
	}
	f(p.s.N, p.x.World, p.rand(p.s.N))
	for _, c := range children {
		c.Wait()
	}
}

// hasty makes a call that waits, in a way that may end the wait: then it returns an error.
func hasty(w World, r *rand.Rand, call func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	switch r.IntN(6) {
	case 0:
		return w.Within(time.Duration(r.IntN(3))*20*time.Microsecond, nil, call)
	case 1:
		defer w.AfterFunc(time.Duration(r.IntN(3))*20*time.Microsecond, cancel).Stop()
		return call(ctx)
	case 2:
		cancel()
		return w.Under(ctx, nil, func() error { return call(ctx) })
	case 3:
		return w.Here(nil, call)
	case 4:
		return call(ctx)
	}
	return call(context.Background())
}

// persist makes a call until nothing has ended it, the last time in a way that nothing ends.
func persist(w World, r *rand.Rand, call func(ctx context.Context) error) (err error) {
	for range 3 {
		if err = hasty(w, r, call); err == nil || errors.Is(err, ringo.ErrClosed) || errors.Is(err, ErrChanClosed) ||
			errors.As(err, new(ringo.MissedError)) {
			return err
		}
	}
	return call(context.Background())
}

// Locks that callers hold.
var lockNames = []string{"RWMutex", "Semaphore", "Mutex"}

func newLock(w World, how int) RWMutex {
	switch how {
	case 1:
		return semaphoreLock{w.NewSemaphore(allUnits)}
	case 2:
		return soleLock{w.NewMutex()}
	}
	return w.NewRWMutex()
}

// semaphoreLock gives a reader one unit, and a writer all of them.
type semaphoreLock struct{ Semaphore }

const allUnits = 16

func (l semaphoreLock) Lock()                                  { l.LockContext(context.Background()) }
func (l semaphoreLock) RLock()                                 { l.RLockContext(context.Background()) }
func (l semaphoreLock) LockContext(ctx context.Context) error  { return l.Acquire(ctx, allUnits) }
func (l semaphoreLock) RLockContext(ctx context.Context) error { return l.Acquire(ctx, 1) }
func (l semaphoreLock) TryLock() bool                          { return l.TryAcquire(allUnits) }
func (l semaphoreLock) TryRLock() bool                         { return l.TryAcquire(1) }
func (l semaphoreLock) Unlock()                                { l.Release(allUnits) }
func (l semaphoreLock) RUnlock()                               { l.Release(1) }

// soleLock lets one reader in at a time.
type soleLock struct{ Mutex }

func (l soleLock) RLock()                                 { l.Lock() }
func (l soleLock) RLockContext(ctx context.Context) error { return l.LockContext(ctx) }
func (l soleLock) TryRLock() bool                         { return l.TryLock() }
func (l soleLock) RUnlock()                               { l.Unlock() }

// A held is what a lock guards.
type held struct {
	*party
	RWMutex
	n                int
	wrote            atomic.Int64
	readers, writers atomic.Int64
}

var holders = &verb{"Lock, RLock, ... // %[5]s, %[3]d and one callers, numbers %[4]d", func(x *actor, s *Step) string {
	h := &held{party: x.party(s), RWMutex: newLock(x, s.How)}
	h.all(s.How != 1, func(i int, w World, r *rand.Rand) {
		for left := 1 + r.IntN(3); left > 0; left-- {
			h.turn(w, r, i < s.N && left == 1)
		}
	})
	free := h.TryLock()
	h.want(free, "the lock is not free in the end")
	h.want(int64(h.n) == h.wrote.Load(), fmt.Sprintf("%d writes came to %d", h.wrote.Load(), h.n))
	return h.String()
}}

// turn takes the lock, if it can, and gives it back, in a way that may end the caller if that is allowed.
func (h *held) turn(w World, r *rand.Rand, mayEnd bool) {
	reads := r.IntN(3) > 0
	if !h.get(w, r, reads) {
		return
	}
	defer func() {
		if v := recover(); v != nil && v != onPurpose {
			panic(v)
		}
	}()
	free := h.Unlock
	if reads {
		free = h.RUnlock
	}
	defer free()
	h.hold(w, reads)
	switch end := r.IntN(8); {
	case end == 0:
		panic(onPurpose)
	case end == 1 && mayEnd:
		runtime.Goexit()
	}
}

func (h *held) get(w World, r *rand.Rand, reads bool) bool {
	lock, context, try := h.Lock, h.LockContext, h.TryLock
	if reads {
		lock, context, try = h.RLock, h.RLockContext, h.TryRLock
	}
	switch r.IntN(5) {
	case 0:
		return try()
	case 1, 2:
		lock()
		return true
	}
	return hasty(w, r, context) == nil
}

func (h *held) hold(w World, reads bool) {
	if reads {
		h.readers.Add(1)
		n := h.n
		h.want(h.writers.Load() == 0, "a reader beside a writer")
		w.Yield()
		h.want(h.n == n, "it changed under a reader")
		h.readers.Add(-1)
		return
	}
	h.want(h.writers.Add(1) == 1, "two writers")
	h.want(h.readers.Load() == 0, "a writer beside a reader")
	n := h.n
	w.Yield()
	h.n = n + 1
	h.wrote.Add(1)
	h.writers.Add(-1)
}

// How the writer's wait ends behind which readers are, and on which lock.
var queueNames = []string{"RWMutex", "Semaphore", "RWMutex, context", "Semaphore, context", "RWMutex, cancel"}

var queue = &verb{"RLock // Lock waits, then %[3]d times RLock, %[5]s", func(x *actor, s *Step) string {
	p, lock, ctx := x.party(s), newLock(x, s.How%2), context.Background()
	over, cancel := context.WithCancel(ctx)
	defer cancel()
	lock.RLock()
	var wrote, in atomic.Int64
	first := p.begin(p.s.N, func(w World, _ *rand.Rand) {
		if w.Here(nil, func(ctx context.Context) error {
			if s.How/2 == 1 {
				ctx = over
			}
			return lock.LockContext(ctx)
		}) == nil {
			p.want(in.Load() == 0, "a reader overtook the writer")
			w.Yield()
			wrote.Add(1)
			lock.Unlock()
		}
	})
	for lock.TryRLock() { // until the writer waits
		lock.RUnlock()
		x.Sleep(ctx, 20*time.Microsecond)
	}
	together := x.NewBarrier(s.N)
	var readers []Child
	for i := range s.N {
		readers = append(readers, p.begin(i, func(w World, r *rand.Rand) {
			persist(w, r, lock.RLockContext)
			in.Add(1)
			p.want(s.How/2 > 0 || wrote.Load() == 1, "a reader did not wait for the writer")
			together.Wait(ctx)
			lock.RUnlock()
		}))
	}
	x.Sleep(ctx, time.Duration(s.M%3)*30*time.Microsecond)
	switch s.How / 2 {
	case 0:
		lock.RUnlock()
	case 1:
		cancel()
	case 2:
		first.Cancel()
	}
	for _, c := range append(readers, first) {
		c.Wait()
	}
	if s.How/2 > 0 {
		p.want(wrote.Load() == 0, "the writer did not give up")
		lock.RUnlock()
	}
	p.want(lock.TryLock(), "the lock is not free in the end")
	return p.String()
}}

var onceNames = []string{"Do", "Do, panics", "Do, Goexit", "OnceValues", "OnceValues, panics", "OnceValues, Goexit"}

var once = &verb{"Once // %[5]s, of %[3]d and one callers, numbers %[4]d", func(x *actor, s *Step) string {
	p, way := x.party(s), s.How%3
	var runs atomic.Int64
	done, gate := false, x.NewChan(1)
	f := func() (int, error) {
		p.want(runs.Add(1) == 1, "it ran twice")
		gate.Recv(context.Background())
		done = true
		switch way {
		case 1:
			panic(onPurpose)
		case 2:
			runtime.Goexit()
		}
		return 7, errOwn
	}
	opener := p.begin(s.N+2, func(w World, r *rand.Rand) {
		w.Sleep(context.Background(), time.Duration(r.IntN(3))*20*time.Microsecond)
		gate.Close()
	})
	do, get := x.NewOnce(), x.OnceValues(f)
	p.all(true, func(i int, w World, _ *rand.Rand) {
		if way == 2 && i == s.N { // who must not end comes last
			for runs.Load() == 0 {
				w.Sleep(context.Background(), 20*time.Microsecond)
			}
		}
		defer func() {
			p.want(done, "a call returned before the function did")
			p.want(recover() == nil || way > 0, "a call panics")
		}()
		if s.How < 3 {
			do.Do(func() { f() })
			return
		}
		n, err := get()
		p.want(way == 0, "a call returned although the function did not")
		p.want(n == 7 && err == errOwn, "a call returned other values")
	})
	opener.Wait()
	p.want(runs.Load() == 1, "it did not run")
	return p.String()
}}

var rounds = &verb{"Barrier.Wait // %[3]d and one callers, numbers %[4]d", func(x *actor, s *Step) string {
	const times = 3
	p := x.party(s)
	b := x.NewBarrier(s.N + 1)
	come := make([]atomic.Int64, s.N+1)
	var last [times + 1]atomic.Int64
	// As long as the actor is not there all give up.
	var quitters []Child
	for i := range s.M % (s.N + 1) {
		quitters = append(quitters, p.begin(i, func(w World, _ *rand.Rand) {
			err := w.Here(nil, func(ctx context.Context) error { _, err := b.Wait(ctx); return err })
			p.want(err != nil, "a barrier let callers pass who were too few")
		}))
	}
	for _, c := range quitters {
		c.Cancel()
	}
	for _, c := range quitters {
		c.Wait()
	}
	p.all(false, func(i int, w World, r *rand.Rand) {
		for round := range int64(times) {
			come[i].Store(round + 1)
			var wasLast bool
			persist(w, r, func(ctx context.Context) (err error) { wasLast, err = b.Wait(ctx); return err })
			for j := range come {
				p.want(come[j].Load() > round, "a caller passed before another came")
			}
			if wasLast {
				last[round].Add(1)
			}
		}
	})
	for round := range times {
		p.want(last[round].Load() == 1, "not one caller was the last")
	}
	return p.String()
}}

var newsNames = []string{"Watch", "Broadcast of 1", "Broadcast of 3", "Broadcast of 100"}

// newsMax is how many values are told.
const newsMax = 8

var news = &verb{"%[5]s // %[3]d and one receivers, numbers %[4]d", func(x *actor, s *Step) string {
	p, watch := x.party(s), x.NewWatch()
	told := x.NewBroadcast([]int{1, 1, 3, 100}[s.How])
	var all []Subscription
	for range s.N + 1 {
		all = append(all, told.Subscribe())
	}
	tell := p.begin(s.N+2, func(w World, r *rand.Rand) {
		for v := range newsMax {
			p.want(watch.Set(v+1) == nil && told.Publish(v+1) == nil, "it is closed")
			if r.IntN(2) == 0 {
				w.Sleep(context.Background(), time.Duration(r.IntN(2))*20*time.Microsecond)
			}
		}
		watch.Close()
		told.Close()
	})
	p.all(false, func(i int, w World, r *rand.Rand) {
		if s.How == 0 {
			p.follow(w, r, watch)
		} else {
			p.receive(w, r, all[i], s.How == 3)
		}
	})
	tell.Wait()
	return p.String()
}}

// follow sees the values of a Watch, which are their versions.
func (p *party) follow(w World, r *rand.Rand, watch Watch) {
	v, at := watch.Get()
	for {
		var next uint64
		err := persist(w, r, func(ctx context.Context) (err error) { v, next, err = watch.Next(ctx, at); return err })
		if err != nil {
			p.want(class(err) == "channel closed", class(err))
			break
		}
		p.want(next > at && uint64(v) == next, "a value that is not newer")
		at = next
	}
	p.want(at == newsMax, "it did not see the last value")
}

// receive receives all values, or learns that it has missed some.
func (p *party) receive(w World, r *rand.Rand, from Subscription, whole bool) {
	at := 0
	for {
		var v int
		var missed ringo.MissedError
		err := persist(w, r, func(ctx context.Context) (err error) { v, err = from.Recv(ctx); return err })
		switch {
		case errors.As(err, &missed):
			p.want(missed.Values > 0 && !whole, "it missed values that are kept")
			at += int(missed.Values)
			continue
		case err != nil:
			p.want(class(err) == "channel closed", class(err))
			p.want(at == newsMax, "it did not receive the last value")
			return
		}
		at++
		p.want(v == at, "a value out of order")
	}
}
