package sock

import (
	"ringo/buf"
	"ringo/internal/handle"
	"ringo/internal/op"
)

// A relay begins with buffers, which is the cheapest way for little: one receive, one
// send. When one full buffer follows the other it goes over to splices, which copy
// nothing and cost more calls; and back when they bring little.
//
//	buffers ──full ones in a row──▶ splices
//	   ▲                              │
//	   └──little, several times───────┘ and then it takes more full ones
//
// A spell of splices waits for readiness and then makes the plain calls: a splice of the
// ring would be a worker thread for as long as the socket is idle.
type spell struct {
	on    bool
	full  int // full buffers in a row
	after int // how many of them begin a spell
	lean  int // waits in a row that brought little
	moved int // bytes since the last wait
	total int // and since the spell began
}

const (
	spellAfter = 8 // full buffers

	leanBytes  = 64 << 10 // less than this between two waits is little
	leanMax    = 4
	spentBytes = 64 << 10 // take as long as a call that need not wait: others want their turn
	spellWorth = 4 << 20  // one that moved so much was worth it
)

// bulk notes a buffer; true if a spell begins.
func (s *spell) bulk(full bool) bool {
	if s.on {
		return false
	}
	if s.full++; !full {
		s.full = 0
	}
	s.on = s.full >= s.after
	return s.on
}

// dry notes that what there was has been moved.
func (s *spell) dry() {
	if s.lean++; s.moved >= leanBytes {
		s.lean = 0
	}
	s.moved = 0
	if s.lean >= leanMax {
		s.end()
	}
}

// end ends a spell. One that was not worth it makes the next one come later.
func (s *spell) end() {
	after := spellAfter
	if s.total < spellWorth {
		after = min(s.after*2, 1<<20)
	}
	*s = spell{after: after}
}

// beginSpell has the input wait for readiness in place of buffers.
func (c *Conn) beginSpell() {
	in := &c.in
	in.spliced = true
	if in.how == receiving {
		c.core.Quiesce(handle.In)
		in.ready = true // nobody knows
	}
}

// relayBySplice is relay for a spell, and says what is to begin the next. It is apart so that
// a task that never splices has a smaller stack.
//
//go:noinline
func (c *Conn) relayBySplice(out outlet, after int) (total int64, next int, err error) {
	s := spell{on: true, after: after}
	c.beginSpell()
	for s.on && err == nil {
		var n int64
		if c.in.buffered() > 0 {
			n, _, err = c.passOne(out)
		} else {
			n, err = c.spliceOne(out, &s)
		}
		total += n
	}
	c.in.spliced = false
	return total, s.after, err
}

// spliceOne moves what there is, at most a pipe full, and waits if there is nothing.
func (c *Conn) spliceOne(out outlet, s *spell) (int64, error) {
	in := &c.in
	err := c.mayRead()
	if err == nil {
		err = in.end(c)
	}
	if err == nil && !in.ready {
		if s.dry(); s.on {
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
	p, ok := c.local.pipes.take()
	if !ok || !c.fill(&p) {
		if ok {
			c.local.pipes.give(p)
		} else {
			s.end()
		}
		return 0, nil
	}
	s.moved += p.held
	s.total += p.held
	for range p.held / spentBytes {
		c.l.Spend()
	}
	n, err := out.drain(p)
	p.held -= n
	c.local.pipes.give(p)
	return int64(n), err
}

// fill splices what there is into a pipe that is empty; false if nothing came.
func (c *Conn) fill(p *pipe) bool {
	in := &c.in
	o := &c.local.splice
	o.Code, o.FD, o.Arg, o.Arg2 = op.SpliceIn, c.core.FD(), pieceMax, uint32(p.w)
	res, ok := c.l.Try(o)
	switch {
	case !ok:
		in.ready = false
	case res > 0:
		// A short count is no proof that the socket is empty, because a pipe can be full
		// of small pieces; but where readiness is a level it will be told again.
		if p.held = int(res); p.held < pieceMax && c.lends() {
			in.ready = false
		}
		return true
	case res == 0:
		in.eof = true
	default:
		in.err = res
	}
	return false
}

// near is an outlet: a connection of the calling task's loop.
type near Conn

func (d *near) splices() bool { return !(*Conn)(d).records() }

func (d *near) put(src *Conn, b *buf.Buffer) (int, error) { return (*Conn)(d).writeBuffer(b, src) }

func (d *near) Write(p []byte) (int, error) { return (*Conn)(d).Write(p) }

// drain splices what is in a pipe.
func (d *near) drain(p pipe) (total int, err error) {
	c := (*Conn)(d)
	a, err := c.enterWrite()
	if err != nil {
		return 0, err
	}
	defer c.core.Leave(a)
	for p.held > 0 {
		if err := c.core.State(handle.Out); err != nil {
			return total, c.fail("write", err)
		}
		o := &c.local.splice
		o.Code, o.FD, o.Arg, o.Arg2 = op.SpliceOut, c.core.FD(), uint32(p.held), uint32(p.r)
		res, ok := c.l.Try(o)
		if !ok {
			if res, err = c.drainSlowly(p); err != nil {
				return total, c.failed("write", err)
			}
		}
		if res < 0 {
			return total, c.fail("write", callError("write", res))
		}
		total += int(res)
		p.held -= int(res)
	}
	return total, nil
}

// drainSlowly waits until there is room for some of what is in a pipe.
func (c *Conn) drainSlowly(p pipe) (int32, error) {
	o, err := c.newSend(op.SpliceOut)
	if err != nil {
		return 0, err
	}
	o.Arg, o.Arg2 = uint32(p.held), uint32(p.r)
	if res := c.awaitSend(o); res > 0 {
		return res, nil
	}
	return 0, c.core.Why(handle.Out, "write")
}
