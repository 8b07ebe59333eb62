package handle

import (
	"sync"

	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/stream"
	"ringo/internal/sys"
)

// Access is a caller's right to use one direction of a handle, until Leave. Enter decides once which kind of caller it
// is, and all that follows keeps to that: a task of the handle's loop, maybe in an iterator; or a foreign caller,
// which is a goroutine or a task of another loop.
//
//	a, err := c.Enter(handle.In)
//	if err != nil { ... }
//	...                  // a.Own() says which of the two ways to go
//	c.Leave(a)
//
// It is one word, because it is on the stack of each parked task.
type Access struct{ h *half }

// own are the Accesses of tasks of the loop.
var own = [2]half{{dir: In}, {dir: Out}}

// OfTask returns the access of a task of the loop.
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

// enter is Enter for all other cases. It is a function of its own, not inlined, so that a task that finds the
// direction free has a smaller stack: BenchmarkIdleMemory of sock.
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

// TryEnter gives a task of the loop access to a direction, if no caller has it and the task need not ask foreign
// callers for it. It never parks.
func (c *Core) TryEnter(dir Dir) (a Access, ok bool) {
	d := &c.own.dirs[dir]
	if d.lent != nil && !c.Reclaim(dir) || d.busy {
		return a, false
	}
	d.busy = true
	return Access{&own[dir&1]}, true
}

// Leave ends the access, and gives the direction to the next caller in line.
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

// Own reports whether the caller is a task of the handle's loop. The methods below are for foreign callers.
func (a Access) Own() bool { return a.h.f == nil }

// Input returns the In of the foreign callers.
func (a Access) Input() *stream.In { return &a.h.in }

// Op returns the op of this access. Leave clears what the caller has set in it.
func (a Access) Op() *op.Op {
	a.h.prepare()
	return a.h.op
}

// exts holds Exts, each of them used by one access at a time.
var exts = sync.Pool{New: func() any { return new(op.Ext) }}

// OpExt is Op with an Ext.
func (a Access) OpExt() *op.Op {
	o := a.Op()
	if o.Ext == nil {
		o.Ext = exts.Get().(*op.Ext)
	}
	return o
}

// Do runs o, an op of this access. A foreign caller waits for its result. ok is false if there is none; for a task of
// the loop that means that it would have to wait, which its caller has to do itself.
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

// Move receives into p, or sends it, as Do does with an op that has no more than that. It needs no op: to take one
// from a pool and give it back at each call costs net/http a fortieth of its time.
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

// plain has the op that receives into a slice, and the one that sends it.
var plain = [2]op.Code{In: op.Recv, Out: op.Send}

// Flush returns the error of a send of the loop that no foreign caller has got yet. All accepted bytes were sent
// before foreign callers got the direction.
func (a Access) Flush() error { return a.h.takeError() }

// Try runs Op if that need not wait.
func (a Access) Try() (int32, bool) { return a.h.try() }

// Late returns an error if the deadline has passed, and the caller has no leeway.
func (a Access) Late() error {
	err := a.h.f.c.tooLate(a.h.dir)
	if err != nil && a.h.useLeeway() {
		return nil
	}
	return err
}

// Leeway returns how many receives the caller may still make behind its deadline, for input that came in time.
// SetLeeway sets it, to go on with that of an earlier call that this one belongs to.
func (a Access) Leeway() uint8     { return a.h.leeway }
func (a Access) SetLeeway(n uint8) { a.h.leeway = n }

// InPlace runs f, which may wait for other things than the handle. For a task of another loop it runs f on a
// goroutine.
func (a Access) InPlace(f func() error) error {
	if l, _ := loop.Current(); l != nil {
		return a.h.f.inPlace(l, a.h, f)
	}
	return f()
}
