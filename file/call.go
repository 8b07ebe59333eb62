package file

import (
	"sync"

	"ringo/internal/fd"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// call is one op for whoever makes it, with all memory that it takes:
//
//	c := newCall(op.Sync, n)
//	_, err := c.run()
//	c.free()
//
// In a task it becomes an op of the task's loop, and the task parks. For an ordinary
// goroutine it is a plain call, of which the scheduler knows, or an op of the hosted rings.
// Calls are reused, so that none of this allocates.
type call struct {
	op  op.Op
	fd  fd.FD   // what the op holds: the number for this one op
	ext *op.Ext // kept from use to use

	parked bool // an op that has its memory is under way
}

var calls = sync.Pool{New: func() any { return new(call) }}

// noFD is for ops without a descriptor, and for names that start from the working directory.
const noFD = sys.AtFdcwd

// newCall gives a call of an op on the descriptor n, to be freed. Whoever makes it
// keeps n open until then.
func newCall(code op.Code, n int32) *call {
	c := calls.Get().(*call)
	c.op = op.Op{Code: code}
	if n >= 0 {
		c.fd.Init(n)
		c.op.FD = &c.fd
	}
	return c
}

// withExt gives the op memory for names and vectors. It may hold what was in it before.
func (c *call) withExt() *op.Ext {
	if c.ext == nil {
		c.ext = new(op.Ext)
	}
	c.op.Ext = c.ext
	return c.ext
}

// limit makes a transfer one of n bytes at most.
func (c *call) limit(n int) {
	c.op.Buf = c.op.Buf[:min(n, len(c.op.Buf))]
	if c.op.Ext == nil {
		return
	}
	for i := range c.op.Ext.Vec {
		v := &c.op.Ext.Vec[i]
		if int(v.Len) >= n {
			v.Len = uintptr(n)
			c.op.Ext.Vec = c.op.Ext.Vec[:i+1]
			return
		}
		n -= int(v.Len)
	}
}

// free ends the call. One of which a crash of a simulated host has ended the task and not yet the op is left to that.
func (c *call) free() {
	if c.parked {
		return
	}
	c.op.Buf = nil
	calls.Put(c)
}

// run runs an op that moves no data to its end, for whoever calls: its result, or why
// there is none. The error is a syscall.Errno, or what cancelled the task.
func (c *call) run() (int32, error) { return c.runAs(0) }

// beginIO waits until the caller may move n bytes, by the limits of its class, if it is a task that has some.
func beginIO(n int) (turn loop.IOTurn, err error) {
	if l, _ := loop.Current(); l != nil {
		turn, err = l.BeginIO(n)
	}
	return turn, err
}

// runAs is run with what is known of the op.
func (c *call) runAs(known facts) (int32, error) {
	l, by, err := who()
	if err != nil {
		return 0, err
	}
	for {
		switch route(meta, 0, 0, by, known) {
		case nowait:
			if res, ok := c.cached(l); ok {
				return result(res)
			}
			known |= cold
		case worker:
			c.op.Flags |= op.Offload
			return c.park(l)
		case ring:
			return c.park(l)
		default:
			return c.plain()
		}
	}
}

// cached runs a task's op by what is in memory, if that can be done.
func (c *call) cached(l *loop.Loop) (res int32, ok bool) {
	res, ok = l.Ops().Try(&c.op)
	return res, ok && res != -sys.EOPNOTSUPP && res != -sys.ENOSYS
}

// plain makes the call on the caller's thread, in a task too.
func (c *call) plain() (int32, error) {
	for {
		if res := loop.Call(&c.op); res != -sys.EINTR {
			return result(res)
		}
	}
}

// park has the loop of the task that calls do the op, and parks the task.
func (c *call) park(l *loop.Loop) (int32, error) {
	o := l.Ops().New(c.op.Code)
	if o == nil {
		return 0, posix.ENOBUFS
	}
	mine := &c.op
	o.FD, o.Buf, o.Ext, o.Off, o.CallFlags, o.Flags = mine.FD, mine.Buf, mine.Ext, mine.Off, mine.CallFlags, mine.Flags
	c.parked = true
	res := l.Do(o)
	c.parked = false
	if mine.Ext != nil {
		o.Ext = nil // it is not the slab's
	}
	l.Ops().Free(o)
	return ended(l, res)
}

// ended is the result of an op of a task's, or what cancelled the task.
func ended(l *loop.Loop, res int32) (int32, error) {
	if res == -sys.ECANCELED && l.Canceled() {
		return 0, l.Cause()
	}
	return result(res)
}

// kernelCall is a call by the door to the kernel (package kernel), for what is no op.
type kernelCall func(k kernel.Kernel) int32

// do makes a call that may wait, for whoever calls: on the caller's thread, or in a task by a worker of its loop.
func do(q kernelCall) (int32, error) {
	l, _, err := who()
	if err != nil {
		return 0, err
	}
	return doFor(l, q)
}

// doFor is do for a task of l, or for a goroutine if that is nil.
func doFor(l *loop.Loop, q kernelCall) (int32, error) {
	if l == nil {
		return result(q(loop.Kernel()))
	}
	o := l.Ops().New(op.Call)
	if o == nil {
		return 0, posix.ENOBUFS
	}
	res := int32(-sys.ECANCELED) // which it stays if the worker does not come to it
	l.Ops().Ext(o).Call = func() { res = q(l.Kernel()) }
	l.Do(o)
	l.Ops().Free(o)
	return ended(l, res)
}

// do is do about an open file, whose descriptor stays open meanwhile.
func (f *File) do(word string, q kernelCall) (int, error) {
	if err := f.begin(word); err != nil {
		return 0, err
	}
	defer f.refs.release()
	n, err := do(q)
	if err != nil {
		return 0, f.fail(word, err)
	}
	return int(n), nil
}

// doAt is do about a name.
func doAt(name string, q func(k kernel.Kernel, path []byte) int32) error {
	path, err := cString(kernelName(name))
	if err != nil {
		return err
	}
	_, err = do(func(k kernel.Kernel) int32 { return q(k, path) })
	return err
}

// chargeAndYield is for a task's call that may find that it need not wait. The error is
// why the task may not go on.
func chargeAndYield(l *loop.Loop) error {
	if !l.ChargeAndYield() {
		return l.Cause()
	}
	return nil
}

func result(res int32) (int32, error) {
	if res < 0 {
		return 0, posix.Error(res)
	}
	return res, nil
}
