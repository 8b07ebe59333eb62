package handle

import (
	"ringo/internal/loop"
	"ringo/internal/op"
)

// Describer is Hooks that can say more of what a task waits for at the handle than its direction.
type Describer interface {
	// DescribeWait names the call, and the peer. It may run on any thread, so it looks only at what does not change.
	DescribeWait(dir Dir, d *loop.Wait)
}

// describe tells what a task of the loop waits for that is at a direction.
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

// DescribeWait tells of the access that a task waits for.
func (q *queuedIn) DescribeWait(_ *loop.Task, d *loop.Wait) {
	(*Core)(q).describe(In, d)
	d.Behind = true
}

// DescribeWait tells of the access that a task waits for.
func (q *queuedOut) DescribeWait(_ *loop.Task, d *loop.Wait) {
	(*Core)(q).describe(Out, d)
	d.Behind = true
}

// DescribeWait tells of the op that a task waits for.
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

// DescribeWait tells of what is unsent.
func (f *flushing) DescribeWait(_ *loop.Task, d *loop.Wait) {
	f.c.describe(Out, d)
	d.Op = "flush"
}

// quiescing is the core as what a task waits for that is in Quiesce: nothing ends it but that.
type quiescing Core

// CancelWait has it wait on.
func (q *quiescing) CancelWait(t *loop.Task) { t.WaitOn(q) }

// DescribeWait tells of the input that is about to be handed over.
func (q *quiescing) DescribeWait(_ *loop.Task, d *loop.Wait) {
	(*Core)(q).describe(In, d)
	d.Details = "to hand it over"
}

// closingWait is the core as what a task waits for that is in AwaitClosed: nothing ends it but that.
type closingWait Core

// CancelWait has it wait on.
func (w *closingWait) CancelWait(t *loop.Task) { t.WaitOn(w) }

// DescribeWait tells of the close.
func (w *closingWait) DescribeWait(_ *loop.Task, d *loop.Wait) {
	(*Core)(w).describe(In, d)
	d.Op, d.Until = "close", 0
}

// foreignWait is a direction as what a foreign caller waits for that is a task.
type foreignWait half

// DescribeWait tells of the handle, which is another loop's.
func (w *foreignWait) DescribeWait(_ *loop.Task, d *loop.Wait) { w.f.describe(w.dir, d) }

// describe tells of a handle to those who look at its foreign callers.
func (f *foreign) describe(dir Dir, d *loop.Wait) {
	f.c.describeFrom(dir, d)
	d.Until = f.c.limits[dir].Load()
	if f.c.l != nil {
		d.On = loop.Ref{Known: true, Loop: f.c.l.Index()}
	}
}

// queuedForeign is a direction as what a foreign caller waits for that is in its queue.
type queuedForeign half

// DescribeWait tells of the access.
func (q *queuedForeign) DescribeWait(_ *loop.Task, d *loop.Wait) {
	q.f.describe(q.dir, d)
	d.Behind = true
}

// foreignClose is the foreign callers' part as what one waits for that is in Close.
type foreignClose foreign

// DescribeWait tells of the close.
func (w *foreignClose) DescribeWait(_ *loop.Task, d *loop.Wait) {
	(*foreign)(w).describe(In, d)
	d.Op, d.Until = "close", 0
}

// DescribeWait tells of the readiness that a caller waits for.
func (p *poll) DescribeWait(_ *loop.Task, d *loop.Wait) {
	p.f.describe(In, d)
	d.Details, d.Until = "poll", p.f.c.limitFor(p.interest)
}
