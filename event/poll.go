package event

import (
	"fmt"
	"syscall"

	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/sock"
)

// A Poll calls a function when a descriptor is ready.
type Poll struct {
	activity
	fn       func(sock.Interest, error)
	fd       fd.FD
	op       *op.Op // nil: none is under way
	interest sock.Interest
	got      int32
	always   bool // always ready, as a file on a disk is
	told     bool // an event is to be passed to fn
	stopped  bool
}

// Poll calls fn whenever f, a file or anything else that has a descriptor, is ready for any event in interest
// (level-triggered). It works on a duplicate, so the caller still has to close f, whose blocking mode does not change.
// Files on a disk, and devices such as /dev/null, are always ready, for Readable and Writable alone. fn gets the events
// that f is ready for, always including Failed and HungUp, or an error, after which it is not called again. The Poll is
// active until Stop. In a simulated world it works for that world's files, such as the ends of a file.Pipe, and fails
// for files of the real system.
func (e *Loop) Poll(f syscall.Conn, interest sock.Interest, fn func(sock.Interest, error)) (*Poll, error) {
	e.here("Loop.Poll")
	if fn == nil {
		panic("event: Loop.Poll of a nil function")
	}
	if e.refuses() {
		return nil, ErrStopped
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	n := int32(-sys.EBADF)
	if err := raw.Control(func(number uintptr) { n = e.l.Kernel().Dup(int32(number)) }); err != nil {
		return nil, err
	}
	if err := e.l.World().Passage(); err != nil && n == -sys.EBADF {
		return nil, fmt.Errorf("event: Loop.Poll: %w", err)
	}
	if n < 0 {
		return nil, callError("fcntl", n)
	}
	if err := e.l.Unwatchable(n); err != nil {
		e.l.Kernel().Close(n)
		return nil, err
	}
	p := &Poll{activity: activity{e: e, endless: true}, fn: fn, interest: interest, always: e.l.Kernel().Polls(n) == 0}
	p.fd.Init(n)
	e.begin(&p.activity, p)
	p.arm()
	return p, nil
}

// arm starts one poll. It is level-triggered: an event that lasts is reported again by the poll after the callback. For
// what never comes there is none.
func (p *Poll) arm() {
	if p.always && p.interest&(sock.Readable|sock.Writable) == 0 {
		return
	}
	o := p.e.l.Ops().New(op.Poll)
	if o == nil {
		p.tell(-sys.ENOBUFS)
		return
	}
	o.FD, o.Events, o.Sink = &p.fd, uint16(p.interest), (*pollSink)(p)
	p.op = o
	p.e.l.Ops().Submit(o)
}

// pollSink is the Poll as the sink of its op.
type pollSink Poll

// Complete takes what the descriptor is ready for.
func (s *pollSink) Complete(o *op.Op, res int32, _ uint32) {
	p := (*Poll)(s)
	p.op = nil
	p.e.l.Ops().Free(o)
	if p.stopped {
		p.close()
		return
	}
	p.tell(res)
}

func (p *Poll) tell(res int32) {
	p.got, p.told = res, true
	p.e.push(p)
}

func (p *Poll) run() {
	if p.stopped || !p.told {
		return
	}
	p.told = false
	res := p.got
	if res < 0 && res != -sys.ECANCELED {
		p.stop()
		p.fn(0, callError("poll", res))
		return
	}
	defer p.again() // even if fn does not return

	// SetInterest may have been called since.
	if got := sock.Interest(max(res, 0)) & (p.interest | always); got != 0 {
		p.fn(got, nil)
	}
}

// always is the events that are reported whatever the interest is.
const always = sock.Failed | sock.HungUp | sock.PeerDone

// again polls again, unless the callback has stopped the Poll.
func (p *Poll) again() {
	if !p.stopped && p.op == nil && !p.told {
		p.arm()
	}
}

// SetInterest changes the events to poll for.
func (p *Poll) SetInterest(interest sock.Interest) {
	p.e.here("Poll.SetInterest")
	if p.interest == interest || p.stopped {
		return
	}
	p.interest = interest
	switch {
	case p.op == nil && p.always: // there may be none, for the old interest
		p.again()
	case p.op == nil:
	case !p.op.Canceled:
		p.e.l.Ops().Cancel(p.op) // its end starts a poll with the new interest
	}
}

// Stop ends the calls.
func (p *Poll) Stop() {
	p.e.here("Poll.Stop")
	p.stop()
}

func (p *Poll) stop() {
	if p.stopped {
		return
	}
	p.stopped = true
	if p.op == nil {
		p.close()
	} else if !p.op.Canceled {
		p.e.l.Ops().Cancel(p.op)
	}
}

// close closes the duplicate, which no op uses any more.
func (p *Poll) close() {
	p.e.l.CloseFD(&p.fd)
	p.e.done(&p.activity)
}
