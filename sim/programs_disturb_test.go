package sim_test

import (
	"fmt"
	"time"

	"ringo"
	"ringo/internal/posix"
)

// disturb does what other tasks of a program may do to a connection that some read and write, and closes it in the end.
// It returns the end on another loop, if it has moved there.
func (e *end) disturb() (moved *end) {
	k, p := e.k, e.k.p()
	e.c.SetValue(e.pair)
	for range 5 + p.rand.IntN(60) {
		if p.over || k.pause() != nil {
			break
		}
		switch p.rand.IntN(12) {
		case 0, 1, 2:
			e.expire()
		case 3:
			e.limit(p.upTo(time.Second))
		case 4:
			e.unlimit()
		case 5, 6, 7:
			e.holdsLittle()
		case 8:
			if p.chance(4) {
				return e.move()
			}
		case 9:
			if p.chance(8) && !e.out.ended {
				e.logf("CloseWrite")
				e.out.ended = true
				err := e.c.CloseWrite()
				k.judge("CloseWrite", p.w.Elapsed(), 0, e.may([]error{posix.ENOTCONN}), err)
			}
		case 10:
			k.labelled()
		case 11:
			e.c.SetBatching(p.chance(2))
		}
	}
	patience := slack
	if p.chance(8) {
		linger := p.rand.IntN(3) - 1
		e.logf("SetLinger(%d)", linger)
		e.c.SetLinger(linger)
		e.pair.reset = e.pair.reset || linger == 0
		patience += time.Duration(max(linger, 0)) * time.Second
	}
	e.logf("Close")
	e.gone, e.pair.gone, e.out.ended = true, true, true
	e.pair.reset = e.pair.reset || e.in.read < e.in.written+e.in.under
	begun := p.w.Elapsed()
	err := e.c.Close()
	if took := p.w.Elapsed() - begun; took > patience {
		p.w.Errorf("%s: Close has taken %v", k.n.h.Name(), took)
	}
	k.judge("Close", begun, 0, e.may(nil), err)
	return nil
}

// set sets deadlines, and notes them.
func (e *end) set(at time.Time, by time.Duration) {
	k, p := e.k, e.k.p()
	which := p.rand.IntN(3)
	e.moved++
	e.limited = e.limited || by != 0
	var err error
	switch which {
	case 0:
		e.readBy, err = by, e.c.SetReadDeadline(at)
	case 1:
		e.writeBy, err = by, e.c.SetWriteDeadline(at)
	case 2:
		e.readBy, e.writeBy, err = by, by, e.c.SetDeadline(at)
	}
	k.judge("SetDeadline", p.w.Elapsed(), 0, e.may(nil), err)
}

func (e *end) limit(d time.Duration) { e.set(e.k.l.Now().Add(d), e.k.p().w.Elapsed()+d) }
func (e *end) unlimit()              { e.set(time.Time{}, 0) }

// expire ends calls that are under way, by a deadline in the past that is taken away again.
func (e *end) expire() {
	e.set(e.k.l.Now().Add(-time.Minute), e.k.p().w.Elapsed())
	for range e.k.p().rand.IntN(4) {
		e.k.l.Yield()
	}
	if e.k.p().chance(4) {
		e.k.pause()
	}
	for e.readBy != 0 || e.writeBy != 0 {
		e.unlimit()
	}
}

// holdsLittle wants a connection to hold no more than its bound, however much its peer sends.
func (e *end) holdsLittle() {
	n, most := e.c.Buffered(), 5*leasesMost*bufferSize
	if e.wasRead {
		most = 17 * leasesMost * bufferSize
	}
	if n > most {
		e.k.p().w.Errorf("%s: a connection holds %d bytes, read from: %v", e.k.n.h.Name(), n, e.wasRead)
	}
}

// move has the end live on on another loop of the host.
func (e *end) move() *end {
	k, p := e.k, e.k.p()
	var to *ringo.Loop
	for _, l := range k.n.loops {
		if l != e.c.Loop() {
			to = l
		}
	}
	e.logf("MoveTo")
	e.gone = true
	begun := p.w.Elapsed()
	c, err := e.c.MoveTo(to)
	if took := p.w.Elapsed() - begun; took > slack {
		p.w.Errorf("%s: MoveTo has taken %v", k.n.h.Name(), took)
	}
	if k.judge("MoveTo", begun, 0, e.may([]error{ringo.ErrEnded}), err); err != nil {
		e.pair.gone, e.out.ended = true, true
		e.c.Close()
		return nil
	}
	if c.Value() != any(e.pair) || c.Loop() != to || c.RemoteAddr().String() != e.c.RemoteAddr().String() {
		p.w.Errorf("%s: MoveTo gives a connection to %v on loop %d with the value %v", k.n.h.Name(), c.RemoteAddr(),
			c.Loop().Index(), c.Value())
	}
	// The deadlines go along, and count from the first call on.
	return &end{pair: e.pair, c: c, in: e.in, out: e.out, peeks: e.peeks, greedy: e.greedy, wasRead: e.wasRead,
		readBy: e.readBy, writeBy: e.writeBy, limited: e.limited}
}

// logf notes what is done to an end.
func (e *end) logf(format string, args ...any) {
	e.k.p().w.Logf("%s: %s of what reads stream %d at %d, and writes %d at %d", e.k.n.h.Name(),
		fmt.Sprintf(format, args...), e.in.id, e.in.read, e.out.id, e.out.written)
}
