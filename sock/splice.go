package sock

import (
	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/relay"
	"ringo/internal/stream"
	"ringo/internal/sys"
)

// spentBytes is how many spliced bytes count as a call that need not wait, so that other tasks get their turn.
const spentBytes = 64 << 10

// relayBySplice is the part of relay that splices. next is how many full buffers must come in a row before it splices
// again. It is apart so that a task that never splices has a smaller stack: BenchmarkIdleMemory.
//
//go:noinline
func (c *Conn) relayBySplice(to relay.Sink, after int) (total int64, next int, err error) {
	c.endCopy()
	in, m := &c.in, relay.Splicing(after)
	in.spliced = true // wait for readiness, not for buffers
	if in.How() == stream.Receiving {
		c.core.Quiesce(handle.In)
		in.Retry() // there may be more
	}
	for m.Splices && err == nil {
		var n int64
		if in.Any() {
			c.core.BeginCopy()
			n, _, err = c.copyOne(to)
			c.core.EndCopy()
		} else {
			n, err = c.spliceOne(to, &m)
		}
		total += n
	}
	in.spliced = false
	return total, m.Next(), err
}

// spliceOne moves what has come, at most a pipe full, and waits if nothing has.
func (c *Conn) spliceOne(to relay.Sink, m *relay.Mode) (int64, error) {
	in := &c.in
	err := c.mayRead()
	if err == nil {
		err = in.end(c)
	}
	if err == nil && !in.IsReady() {
		if m.Dry(); m.Splices {
			var waits bool
			if waits, err = in.mustWait(c); waits {
				c.core.Wait()
			}
		}
		return 0, c.failed("read", err)
	}
	if err != nil {
		return 0, c.failed("read", err)
	}
	p, ok := c.local.pipes.Take()
	if !ok {
		m.End()
		return 0, nil
	}
	if !c.fill(&p, m) {
		c.local.pipes.Give(p)
		return 0, nil
	}
	m.Moved(p.Held)
	for range p.Held / spentBytes {
		c.l.Charge()
	}
	if c.elsewhere(to) {
		defer c.waitsElsewhere()()
	}
	c.core.BeginCopy()
	n, err := to.Drain(p)
	p.Held -= n
	if p.Held > 0 {
		c.in.putBack(c, p.TakeOut())
	}
	c.local.pipes.Give(p)
	c.core.EndCopy()
	return int64(n), err
}

// fill splices what has come into an empty pipe. It returns false if nothing has. If splicing is impossible, it ends
// the mode, and the copy goes on without.
func (c *Conn) fill(p *relay.Pipe, m *relay.Mode) bool {
	in := &c.in
	o := &c.local.splice
	o.Code, o.FD, o.Limit, o.Other = op.SpliceIn, c.core.FD(), pieceMax, p.W
	res, ok := c.l.Ops().Try(o)
	switch {
	case !ok:
		in.Dry()
	case res > 0:
		// A short count does not prove that the socket is empty, because small pieces can fill a pipe; but where
		// readiness is a level, it will be reported again.
		if p.Held = int(res); p.Held < pieceMax && c.lends() {
			in.Dry()
		}
		return true
	case res == 0:
		in.End(true, 0)
	case res == -sys.EINVAL, shortage(res): // a receive finds out more
		m.End()
	default:
		in.Fail(res)
	}
	return false
}
