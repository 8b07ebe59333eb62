package ringo

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"ringo/internal/loop"
	"ringo/internal/rt/code"
)

// A Sharded has a value for each loop of a Run, such as a part of a store's keys. Only tasks of that loop use the
// value, so it needs no lock. NewSharded makes a Sharded. Its Start, used as Config.Start, makes the values before any
// client is served:
//
//	store := ringo.NewSharded(func(l *ringo.Loop) (*shard, error) { return openShard(l.Index()) })
//	err := sock.ListenAndServe(ctx, &ringo.Config{Start: store.Start}, "tcp", ":6379", serve)
//
// Goroutines, and tasks of other loops, reach a value through functions that run on its loop: Shard.Call for one value,
// a Batch for many, Each and Reduce for all. The loops of a Run with a Sharded end together, when none of them has a
// task left: until then each answers the other loops' tasks, even during the drain. Once Grace is over or the Run has
// failed, each loop ends by itself.
type Sharded[T any] struct {
	make    func(l *Loop) (T, error)
	shards  atomic.Pointer[[]Shard[T]] // once all values have been made
	batches sync.Pool                  // for callers that call one function

	mu      sync.Mutex
	set     *loop.Set // the Run that it belongs to
	all     []Shard[T]
	started *Barrier
	failing context.Context // ends when a value can't be made, with the error as its cause
	fail    context.CancelCauseFunc
}

// NewSharded makes a Sharded whose Start makes the value of each loop by calling make in a task of that loop.
func NewSharded[T any](make func(l *Loop) (T, error)) *Sharded[T] {
	wantFunc(make != nil, "NewSharded")
	return &Sharded[T]{make: make}
}

// Start makes the value of l, and returns when the values of all loops of its Run have been made. Call it once on each
// loop, before the values are used: as Config.Start, or at the beginning of Run's function. If make fails on a loop,
// Start returns that error on all loops, and there is no second attempt in this Run. A Sharded belongs to one Run at a
// time. Only a task of l may call it; it parks.
func (s *Sharded[T]) Start(l *Loop) error {
	e := l.task("Sharded.Start")
	if s == nil || s.make == nil {
		return ofNil("Sharded.Start")
	}
	all, started, err := s.join(e)
	if err != nil {
		return err
	}
	v, err := s.make(l)
	if err != nil {
		s.fail(err)
		return err
	}
	all[e.Index()].v = v
	if _, err := started.Wait(s.failing); err != nil {
		if why := context.Cause(s.failing); why != nil {
			return why
		}
		return err
	}
	s.shards.Store(&all)
	return nil
}

// join adds the loop to those that are being started, and returns the shards and the Barrier of its Run. The first loop
// of a new Run makes these.
func (s *Sharded[T]) join(e *loop.Loop) ([]Shard[T], *Barrier, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if set := e.Set(); s.set != set {
		for i := range s.all {
			if sh := &s.all[i]; sh.l != nil && !sh.l.engine().Ended() {
				return nil, nil, errors.New("ringo: Sharded.Start: it belongs to another Run, which has not ended")
			}
		}
		s.set, s.all, s.started = set, make([]Shard[T], len(set.Loops())), NewBarrier(len(set.Loops()))
		s.failing, s.fail = context.WithCancelCause(context.Background())
		s.shards.Store(nil)
		set.EndTogether()
	}
	sh := &s.all[e.Index()]
	if sh.of != nil {
		return nil, nil, errors.New("ringo: Sharded.Start was called on this loop before")
	}
	sh.of, sh.l = s, (*Loop)(e)
	return s.all, s.started, nil
}

// places returns the shards, by the index of their loops. It panics if Start has not returned on all loops; method is
// the name in the message.
func (s *Sharded[T]) places(method string) []Shard[T] {
	if s == nil {
		panic(ofNil(method))
	}
	all := s.shards.Load()
	if all == nil {
		panic("ringo: " + method + " before Start has returned on all loops")
	}
	return *all
}

// At returns the shard of a key, given a hash of the key, such as maphash.String's: the shard of the loop whose Index
// is the hash modulo the number of loops. That does not change during the Run. With another number of loops most keys
// have another shard, and maphash differs in each process. So data that a program keeps on disk by shard needs a
// mapping of its own: a fixed number of parts, a stable hash, and At of the part's number. Any goroutine may call it;
// it does not park.
func (s *Sharded[T]) At(hash uint64) *Shard[T] {
	all := s.places("Sharded.At")
	return &all[hash%uint64(len(all))]
}

// Local returns the value of the running task's loop. It panics if the caller is not a task of one of the Sharded's
// loops.
func (s *Sharded[T]) Local() T {
	all := s.places("Sharded.Local")
	l, _ := loop.Current()
	if i := l.Index(); i < len(all) && all[i].l.engine() == l {
		return all[i].v
	}
	panic("ringo: Sharded.Local from outside the loops' tasks")
}

// Each calls fn with each value, on the values' loops at the same time, and returns when all calls have ended, with
// their errors joined (errors.Join). Otherwise it is like Shard.Call. Any goroutine may call it; a task parks.
func (s *Sharded[T]) Each(fn func(v T) error) error {
	wantFunc(fn != nil, "Sharded.Each")
	return s.each(s.places("Sharded.Each"), func(_ int, v T) error { return fn(v) })
}

// Reduce calls fn with each value of s, as Sharded.Each does, and merges the results in the order of the loops. merge
// runs in the caller. Any goroutine may call it; a task parks.
func Reduce[T, R any](s *Sharded[T], fn func(v T) (R, error), merge func(a, b R) R) (sum R, err error) {
	wantFunc(fn != nil && merge != nil, "Reduce")
	all := s.places("Reduce")
	parts := make([]R, len(all))
	if err := s.each(all, func(i int, v T) (err error) { parts[i], err = fn(v); return err }); err != nil {
		return sum, err
	}
	sum = parts[0]
	for _, part := range parts[1:] {
		sum = merge(sum, part)
	}
	return sum, nil
}

// each is Each for a function that also gets the index of the value's loop.
func (s *Sharded[T]) each(all []Shard[T], fn func(i int, v T) error) error {
	errs := make([]error, len(all))
	b := s.spare()
	for i := range all {
		b.Add(&all[i], func(v T) { errs[i] = fn(i, v) })
	}
	return errors.Join(append(errs, b.callOnce())...)
}

// spare returns a Batch for callOnce, used before or new.
func (s *Sharded[T]) spare() *Batch[T] {
	if b, ok := s.batches.Get().(*Batch[T]); ok {
		return b
	}
	return s.Batch()
}

// callOnce is Call for a caller that does not use the batch again: it goes back to the pool.
func (b *Batch[T]) callOnce() error {
	err := b.Call()
	b.s.batches.Put(b) // unless a function has panicked
	return err
}

// A Shard is one loop's place in a Sharded; Sharded.At returns it.
type Shard[T any] struct {
	of *Sharded[T]
	l  *Loop
	v  T
}

// Loop returns the loop that has the value; a connection can move to that loop (sock.Conn.MoveTo). Any goroutine may
// call it.
func (s *Shard[T]) Loop() *Loop {
	if s == nil {
		return nil
	}
	return s.l
}

// Call calls fn with the value, in a task of its loop, and returns fn's error when fn has ended: a task parks, a
// goroutine blocks. If the caller is a task of that loop, it calls fn directly. If fn did not return, the error is that
// of Task.Wait; if the loop had ended and fn never ran, the error is ErrEnded. fn may park; other tasks may use the
// value meanwhile. Nothing ends the wait for another loop: use Loop.Call for calls that may take long. On another loop
// fn has none of the caller's time-outs, classes, labels and context values, and the caller's cancel does not reach it.
// On the caller's own loop fn has all of them, so an fn that parks may fail where the same call succeeds for another
// loop. Any goroutine may call it.
func (s *Shard[T]) Call(fn func(v T) error) (err error) {
	wantFunc(fn != nil, "Shard.Call")
	if s == nil || s.of == nil {
		return ofNil("Shard.Call")
	}
	if s.l.engine().IsCurrent() {
		return fn(s.v)
	}
	b := s.of.spare()
	b.Add(s, func(v T) { err = fn(v) })
	if failed := b.callOnce(); failed != nil {
		return failed
	}
	return err
}

// A Batch is a set of functions for shards that travel together: one message to each loop concerned, and one answer
// when all functions have run. A server can use it for all requests that one read of a connection returned.
// Sharded.Batch makes it. Only one caller at a time may use it. It can be reused any number of times, and then does not
// allocate.
type Batch[T any] struct {
	s       *Sharded[T]
	to      []*calls[T] // by the index of the loop; nil if there are none yet
	used    []*calls[T] // those with functions, in the order in which they got their first one
	calling bool
	pending atomic.Int32
	waiter  loop.Parker
}

// Batch makes an empty batch.
func (s *Sharded[T]) Batch() *Batch[T] { return &Batch[T]{s: s} }

// Add adds a function to the batch, without calling it. It panics during a Call.
func (b *Batch[T]) Add(to *Shard[T], fn func(v T)) {
	wantFunc(fn != nil, "Batch.Add")
	if b == nil || to == nil || to.of != b.s {
		panic("ringo: Batch.Add for a shard of another Sharded")
	}
	if b.calling {
		panic("ringo: Batch.Add during a Call")
	}
	i := to.l.Index()
	for len(b.to) <= i {
		b.to = append(b.to, nil)
	}
	c := b.to[i]
	if c == nil {
		c = &calls[T]{batch: b}
		c.lost = c.Refused
		b.to[i] = c
	}
	if len(c.fns) == 0 {
		c.at = to
		b.used = append(b.used, c)
	}
	c.fns = append(c.fns, fn)
}

// Call calls the functions, and returns when all of them have ended: a task parks, a goroutine blocks. The functions
// for one shard run one after the other in the order of Add, in a task of its loop or, if that is the caller's loop, in
// the caller; those for different shards run at the same time. The batch is empty afterwards. If functions did not
// return, or did not run, the error is that of Shard.Call for one of them; all others have run. If a function that runs
// in the caller panics or calls runtime.Goexit, the caller does so, too, once all others have ended. Nothing ends the
// wait. On other loops functions inherit as little of the caller as those of Shard.Call. Any goroutine may call it.
func (b *Batch[T]) Call() (err error) {
	if b == nil {
		return ofNil("Batch.Call")
	}
	loop.ChargeAndYield()
	l, t := loop.Current()
	var own *calls[T]
	asked := int32(0)
	for _, c := range b.used {
		if l != nil && c.at.l.engine() == l {
			own = c
		} else {
			asked++
		}
	}
	b.calling = true
	if asked > 0 {
		b.pending.Store(asked + 1)
		b.waiter.For = "Batch.Call"
		b.waiter.Begin(l, t)
		for _, c := range b.used {
			if c != own && !c.at.l.engine().StartFrom(c) {
				c.Refused()
			}
		}
	}
	defer func() {
		if asked > 0 {
			b.wait(t)
		}
		err = b.end()
	}()
	if own != nil {
		own.runOwn(l)
	}
	return nil
}

// wait waits until all other loops have answered.
func (b *Batch[T]) wait(t *loop.Task) {
	if b.pending.Add(-1) == 0 { // no loop is left that would wake the caller
		if t != nil {
			return
		}
		b.waiter.Claim(0)
		b.waiter.Wake()
	}
	b.waiter.ParkOn()
}

// end empties the batch, and returns the first error.
func (b *Batch[T]) end() (err error) {
	for _, c := range b.used {
		if err == nil {
			err = c.err
		}
		clear(c.fns)
		c.fns, c.next, c.within, c.err = c.fns[:0], 0, false, nil
	}
	b.used, b.calling = b.used[:0], false
	return err
}

// calls holds a batch's functions for one shard. It travels to the shard's loop and back.
type calls[T any] struct {
	batch  *Batch[T]
	at     *Shard[T]
	fns    []func(v T)
	next   int
	within bool   // the function before next has not returned
	err    error  // why a function has not returned
	lost   func() // c.Refused
}

// Run is the task that runs the functions on the shard's loop.
func (c *calls[T]) Run() {
	l := c.at.l.engine()
	l.Task().OnLost(c.lost)
	defer c.leave()
	c.run(l)
}

// Code returns the first function, by which reports name the task.
func (c *calls[T]) Code() code.Func { return code.Of(c.fns[0]) }

// run calls the functions that have not been called yet.
func (c *calls[T]) run(l *loop.Loop) {
	for c.next < len(c.fns) {
		l.ChargeAndYield()
		fn := c.fns[c.next]
		c.next++
		c.within = true
		fn(c.at.v)
		c.within = false
	}
}

// runOwn runs the functions in the caller. If one of them panics or calls Goexit, runOwn first calls those after it;
// then the panic or Goexit goes on in the caller.
func (c *calls[T]) runOwn(l *loop.Loop) {
	defer func() {
		if c.next < len(c.fns) && !l.Killed() {
			c.runOwn(l)
		}
	}()
	c.run(l)
}

// leave answers the caller when the task ends. If a function has ended the task early, by a panic or Goexit, leave
// starts another task for the functions after it, which answers in its place.
func (c *calls[T]) leave() {
	l := c.at.l.engine()
	switch {
	case l.Killed():
		return
	case !c.within:
		c.answer()
		return
	}
	why := recover()
	switch {
	case why == nil:
		c.err = ErrGoexit
	case l.Config().OnPanic == nil: // the program ends
		panic(why)
	default:
		c.err = &PanicError{Value: why, Stack: debug.Stack(), In: "a task"}
	}
	c.within = false
	if c.next < len(c.fns) {
		l.Start(c)
	} else {
		c.answer()
	}
	if why != nil {
		panic(why)
	}
}

// Refused answers the caller if the loop ended before the task did, or accepted no task.
func (c *calls[T]) Refused() {
	c.err = ErrEnded
	c.answer()
}

// answer wakes the caller if all other loops have answered. From then on the batch belongs to the caller.
func (c *calls[T]) answer() {
	if b := c.batch; b.pending.Add(-1) == 0 {
		b.waiter.Claim(0)
		b.waiter.Wake()
	}
}
