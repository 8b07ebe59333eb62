package handle

import (
	"ringo/internal/loop"
	"ringo/internal/op"
)

// Describer is implemented by Hooks that can say more about a wait at the handle than its direction.
type Describer interface {
	// DescribeWait sets the call, and the peer. It may run on any thread, so it uses only what does not change.
	DescribeWait(dir Dir, d *loop.Wait)
}

// describe describes the wait of a task of the loop at a direction.
func (c *Core) describe(dir Dir, d *loop.Wait) {
	c.describeFrom(dir, d)
	d.FD, d.Until = c.fd.Sys(), c.limits[dir].Load()
}

// describeFrom is describe for foreign callers.
func (c *Core) describeFrom(dir Dir, d *loop.Wait) {
	d.Op = [...]string{In: "read", Out: "write"}[dir]
	if h, ok := c.hooks.(Describer); ok {
		h.DescribeWait(dir, d)
	}
}

// DescribeWait describes the wait for access.
func (q *queuedIn) DescribeWait(_ *loop.Task, d *loop.Wait) {
	(*Core)(q).describe(In, d)
	d.Behind = true
}

// DescribeWait describes the wait for access.
func (q *queuedOut) DescribeWait(_ *loop.Task, d *loop.Wait) {
	(*Core)(q).describe(Out, d)
	d.Behind = true
}

// DescribeWait describes the op that the task waits for.
func (a *awaiting) DescribeWait(t *loop.Task, d *loop.Wait) {
	c := (*Core)(a)
	for i := range c.own.dirs {
		if at := &c.own.dirs[i]; at.waiter == t {
			c.describe(Dir(i), d)
			if at.Op != nil && op.Table[at.Op.Code].Name != d.Op {
				d.Details = op.Table[at.Op.Code].Name
			}
		}
	}
}

// DescribeWait describes the wait until unsent bytes are sent.
func (f *flushing) DescribeWait(_ *loop.Task, d *loop.Wait) {
	f.c.describe(Out, d)
	d.Op = "flush"
}

// quiescing is the core as what a task in Quiesce waits for.
type quiescing Core

// DescribeWait describes the handover of the input.
func (q *quiescing) DescribeWait(_ *loop.Task, d *loop.Wait) {
	(*Core)(q).describe(In, d)
	d.Details = "to hand it over"
}

// closingWait is the core as what a task in AwaitClosed waits for.
type closingWait Core

// DescribeWait describes the close.
func (w *closingWait) DescribeWait(_ *loop.Task, d *loop.Wait) {
	(*Core)(w).describe(In, d)
	d.Op, d.Until = "close", 0
}

// foreignWait is a direction as the Describer of a task of another loop that waits in it.
type foreignWait half

// DescribeWait describes the handle, which belongs to another loop.
func (w *foreignWait) DescribeWait(_ *loop.Task, d *loop.Wait) { w.f.describe(w.dir, d) }

// describe describes the handle to observers of its foreign callers.
func (f *foreign) describe(dir Dir, d *loop.Wait) {
	f.c.describeFrom(dir, d)
	d.Until = f.c.limits[dir].Load()
	if f.c.l != nil {
		d.On = loop.Ref{Known: true, Loop: f.c.l.Index()}
	}
}

// queuedForeign is a direction as the Describer of a foreign caller in its queue.
type queuedForeign half

// DescribeWait describes the wait for access.
func (q *queuedForeign) DescribeWait(_ *loop.Task, d *loop.Wait) {
	q.f.describe(q.dir, d)
	d.Behind = true
}

// foreignClose is the foreign part as the Describer of a foreign caller in Close.
type foreignClose foreign

// DescribeWait describes the close.
func (w *foreignClose) DescribeWait(_ *loop.Task, d *loop.Wait) {
	(*foreign)(w).describe(In, d)
	d.Op, d.Until = "close", 0
}

// DescribeWait describes the wait for readiness.
func (p *poll) DescribeWait(_ *loop.Task, d *loop.Wait) {
	p.f.describe(In, d)
	d.Details, d.Until = "poll", p.f.c.limitFor(p.interest)
}
