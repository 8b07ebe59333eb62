package handle

import (
	"sync"

	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/stream"
	"ringo/internal/sys"
)

// Access is a caller's right to use one direction of a handle, until it leaves. Enter decides who calls,
// once, and all that follows keeps to it: a task of the handle's loop, which may be in an iterator; or a
// foreign caller, which is a goroutine or a task of another loop.
//
//	a, err := c.Enter(handle.In)
//	if err != nil { ... }
//	...                  // a.Own() tells which of the two ways to go
//	c.Leave(a)
//
// It is one word, because it is on the stack of each task that is parked.
type Access struct{ h *half }

// own is the access of tasks of the loop.
var own = [2]half{{dir: In}, {dir: Out}}

// OfTask is the access that a task of the loop has.
func OfTask(dir Dir) Access { return Access{&own[dir&1]} }

// Enter waits for access to a direction, in order of arrival. Any caller; a task parks.
func (c *Core) Enter(dir Dir) (Access, error) {
	if c.Runs() {
		if d := &c.own.dirs[dir&1]; !d.busy {
			d.busy = true
			return Access{&own[dir&1]}, nil
		}
	}
	return c.enter(dir)
}

// enter is Enter with all that a caller may find. It is apart so that a task that finds the direction free has a
// smaller stack: BenchmarkIdleMemory of sock.
//
//go:noinline
func (c *Core) enter(dir Dir) (Access, error) {
	if c.l.IsCurrent() {
		return Access{&own[dir]}, c.enterOwn(dir)
	}
	f, err := c.callers()
	if err != nil {
		return Access{}, err
	}
	h := &f.halves[dir]
	return Access{h}, f.enter(h)
}

// TryEnter gives a task of the loop access to a direction that nobody is at, without asking anybody for it. It never
// parks.
func (c *Core) TryEnter(dir Dir) (a Access, ok bool) {
	d := &c.own.dirs[dir]
	if d.lent != nil && !c.Reclaim(dir) || d.busy {
		return a, false
	}
	d.busy = true
	return Access{&own[dir&1]}, true
}

// Leave ends the access: the next caller in line gets it.
func (c *Core) Leave(a Access) {
	if !a.Own() {
		a.h.f.leave(a.h)
		return
	}
	d := &c.own.dirs[a.h.dir&1]
	if d.news = false; d.timer != nil {
		d.timer.leeway.leaves(c.turn())
	}
	if d.queue.Empty() {
		d.busy = false
		return
	}
	d.unlock(c.l)
}

// Own reports whether the caller is a task of the handle's loop. The methods below are for the others.
func (a Access) Own() bool { return a.h.f == nil }

// Input is what is known of the input.
func (a Access) Input() *stream.In { return &a.h.in }

// Op is the op for this access. What Leave finds in it is cleared.
func (a Access) Op() *op.Op {
	a.h.prepare()
	return a.h.op
}

// exts is memory for what is more than a slice, each in use for one access.
var exts = sync.Pool{New: func() any { return new(op.Ext) }}

// OpExt is Op with such memory.
func (a Access) OpExt() *op.Op {
	o := a.Op()
	if o.Ext == nil {
		o.Ext = exts.Get().(*op.Ext)
	}
	return o
}

// Do makes the call of an op that the caller has for its access, for which a foreign caller waits. ok is false if there
// is no result: a task of the loop would have to wait, which is its own to do.
func (c *Core) Do(a Access, o *op.Op) (res int32, ok bool, err error) {
	if a.Own() {
		if res, ok = c.Try(o); !ok {
			res = -sys.EAGAIN
		}
		return res, ok, nil
	}
	if res, err = a.Do(); err != nil {
		res = -sys.ECANCELED
	}
	return res, err == nil, err
}

// Do runs Op, and waits if it must: a goroutine in Go's netpoller, a task of another loop in Offload.
func (a Access) Do() (int32, error) { return a.h.f.do(a.h, false) }

// Move receives into p or sends it, as Do would with an op that says no more than that. An op from a pool, which the
// program has to go to and come back from at each call, costs net/http a fortieth of its time.
func (a Access) Move(p []byte) (int32, error) {
	h := a.h
	bare := h.f.c.l.Ops().Plain()
	if bare == nil {
		o := a.Op()
		o.Buf, o.Code = p, plain[h.dir&1]
		return a.Do()
	}
	h.buf, h.bare = p, bare
	res, err := h.f.do(h, false)
	h.buf, h.bare = nil, nil
	return res, err
}

// plain is what receives into a slice, and what sends it.
var plain = [2]op.Code{In: op.Recv, Out: op.Send}

// Flush is the error of a send of the loop's that no foreign caller was told; all that was accepted was sent before the
// direction was theirs.
func (a Access) Flush() error { return a.h.takeError() }

// Try runs Op if it need not wait.
func (a Access) Try() (int32, bool) { return a.h.try() }

// Late is the error of a caller that comes when the deadline has passed, and has no leeway.
func (a Access) Late() error {
	err := a.h.f.c.tooLate(a.h.dir)
	if err != nil && a.h.useLeeway() {
		return nil
	}
	return err
}

// Leeway is how many receives the caller may make behind its deadline, for what it has been told of in time; SetLeeway
// gives it those of the call before, of which this one is the rest.
func (a Access) Leeway() uint8     { return a.h.leeway }
func (a Access) SetLeeway(n uint8) { a.h.leeway = n }

// InPlace has f, which may wait for other things than the handle, run in a goroutine where the caller is a
// task of another loop.
func (a Access) InPlace(f func() error) error {
	if l, _ := loop.Current(); l != nil {
		return a.h.f.inPlace(l, a.h, f)
	}
	return f()
}
