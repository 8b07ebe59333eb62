package handle

import (
	"os"

	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// InitUnowned makes c a handle that belongs to no loop, so all its callers are foreign: a task waits by a poll of its
// own loop. file holds the descriptor, in non-blocking mode. The caller has to close file, after EndWaits and when no
// call is under way.
func (c *Core) InitUnowned(file *os.File, n int32) (err error) {
	f := c.initUnowned(n)
	f.file = file
	f.raw, err = file.SyscallConn()
	return err
}

// InitStaged is InitUnowned in the simulated world of a loop. All callers are tasks on the same host.
func (c *Core) InitStaged(home *loop.Loop, n int32) { c.initUnowned(n).home = home }

func (c *Core) initUnowned(n int32) *foreign {
	c.hooks, c.kind = NoHooks{}, loop.KindPollable
	c.fd.Init(n)
	c.LendAll()
	f := c.foreign.Load()
	for dir := range f.halves {
		h := &f.halves[dir]
		h.op, h.keepsOp = new(op.Op), true
	}
	return f
}

// clock returns the loop whose clock the deadlines go by; nil for the process's clock.
func (c *Core) clock() *loop.Loop {
	if c.l == nil {
		return c.foreign.Load().home
	}
	return c.l
}

// EndWaits makes all calls on an unowned handle fail, those that wait and those to come.
func (c *Core) EndWaits() { c.foreign.Load().beginClose() }

// tryUnowned is Ops.Try without a loop.
func tryUnowned(o *op.Op) (res int32, ok bool) {
	for {
		if res = loop.Call(o); res != -sys.EINTR {
			return res, res != -sys.EAGAIN
		}
	}
}
