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

// call is one op for any caller, together with all memory that the op needs:
//
//	c := newCall(op.Sync, n)
//	_, err := c.run()
//	c.free()
//
// In a task it becomes an op of the task's loop, and the task parks. For an ordinary goroutine it is a plain call,
// which the Go scheduler is told of, or an op of the hosted rings. Calls are reused, so that none of this allocates.
type call struct {
	op  op.Op
	fd  fd.FD   // what the op refers to: the descriptor, for this op alone
	ext *op.Ext // kept from use to use

	parked bool // an op that uses the call's memory is under way
}

var calls = sync.Pool{New: func() any { return new(call) }}

// noFD is for ops without a descriptor, and for names that start from the working directory.
const noFD = sys.AtFdcwd

// newCall returns a call that does an op on the descriptor n. The caller has to free it, and has to keep n open until
// then.
func newCall(code op.Code, n int32) *call {
	c := calls.Get().(*call)
	c.op = op.Op{Code: code}
	if n >= 0 {
		c.fd.Init(n)
		c.op.FD = &c.fd
	}
	return c
}

// withExt gives the op memory for names and vectors, which may still hold what an earlier op left in it.
func (c *call) withExt() *op.Ext {
	if c.ext == nil {
		c.ext = new(op.Ext)
	}
	c.op.Ext = c.ext
	return c.ext
}

// limit limits a transfer to n bytes.
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

// free returns the call to the pool. If a crash of a simulated host ended the task while its op was under way, the op
// still uses the memory, and the call is left to the garbage collector.
func (c *call) free() {
	if c.parked {
		return
	}
	c.op.Buf = nil
	calls.Put(c)
}

// run runs an op that moves no data and returns its result. The error is a syscall.Errno, or what cancelled the task.
func (c *call) run() (int32, error) { return c.runAs(0) }

// beginIO waits until the caller may move n bytes, if it is a task whose class has I/O limits.
func beginIO(n int) (turn loop.IOTurn, err error) {
	if l, _ := loop.Current(); l != nil {
		turn, err = l.BeginIO(n)
	}
	return turn, err
}

// runAs is run for a file of which facts are known.
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

// cached tries a task's op without waiting, on what is in memory. ok is false if that is not possible.
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

// park submits the op to the loop of the calling task, and parks the task until it completes.
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
		o.Ext = nil // the call keeps it: Free must not take it for the slab's
	}
	l.Ops().Free(o)
	return ended(l, res)
}

// ended returns the result of a task's op, or what cancelled the task.
func ended(l *loop.Loop, res int32) (int32, error) {
	if res == -sys.ECANCELED && l.Canceled() {
		return 0, l.Cause()
	}
	return result(res)
}

// kernelCall is a call through package kernel, for what is not an op.
type kernelCall func(k kernel.Kernel) int32

// do makes a call that may wait: a goroutine's on its own thread, a task's on a worker of its loop's offload.
func do(q kernelCall) (int32, error) {
	l, _, err := who()
	if err != nil {
		return 0, err
	}
	return doFor(l, q)
}

// doFor is do for a task of l, or for a goroutine if l is nil.
func doFor(l *loop.Loop, q kernelCall) (int32, error) {
	if l == nil {
		return result(q(loop.Kernel()))
	}
	o := l.Ops().New(op.Call)
	if o == nil {
		return 0, posix.ENOBUFS
	}
	res := int32(-sys.ECANCELED) // stays so if the op is cancelled before a worker makes the call
	l.Ops().Ext(o).Call = func() { res = q(l.Kernel()) }
	l.Do(o)
	l.Ops().Free(o)
	return ended(l, res)
}

// do is do on an open file, whose descriptor it keeps open meanwhile.
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

// doAt is do on a name.
func doAt(name string, q func(k kernel.Kernel, path []byte) int32) error {
	path, err := cString(kernelName(name))
	if err != nil {
		return err
	}
	_, err = do(func(k kernel.Kernel) int32 { return q(k, path) })
	return err
}

// chargeAndYield charges a call that may find that it need not wait, and gives other tasks a turn if the budget is
// used up. The error is why the task must not go on.
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
