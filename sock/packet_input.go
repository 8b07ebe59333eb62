package sock

import (
	"net"
	"net/netip"
	"os"
	"sync/atomic"

	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/timer"
)

// packetInput is the receiving side of a packet. Readiness is watched; then one call
// brings what there is: the first datagram into the reader's memory, the others into
// memory of the loop, where the next reads find them. A call that brings fewer than
// there was room for says at the same time that the socket is empty, so that a
// datagram that comes alone costs one call and not two.
//
// An idle socket has no memory for datagrams. What is fetched and not read stays in
// the loop's memory until another socket needs it, and in a copy from then on: see
// packetLocal.
type packetInput struct {
	op   *op.Op // the poll, if it is armed
	lock turnstile

	kept     []datagram // fetched, and moved out of the loop's memory
	keptMem  []byte
	window   int  // how many datagrams to ask for next time
	ready    bool // there may be something: nobody has said EAGAIN since
	troubled bool // an error may be behind what came: a short count proves nothing
	unasked  int  // news in a row that nobody waited for
	err      int32

	single atomic.Bool // never more than one: others read from the descriptor, too
	gro    atomic.Bool // datagrams come joined

	waiter   *loop.Task
	deadline atomic.Int64 // as a Conn's
	timer    timer.Timer
}

// delivery is a datagram's way to its reader: room for it, and then what came.
type delivery struct {
	p, oob []byte
	joined bool // datagrams that came joined are taken as they are

	n, oobn int
	flags   uint32
	from    netip.AddrPort
	path    string // of a Unix socket
}

// unaskedMax bounds the news that a poll may bring while nobody reads.
const unaskedMax = 16

// receive parks until there is a datagram.
func (c *packet) receive(name, call string, d *delivery) error {
	if err := c.beginRead(name); err != nil {
		return err
	}
	defer c.in.lock.leave(c.l)
	for {
		if err := c.in.state(c, name); err != nil {
			return err
		}
		if c.in.take(c, true, d) {
			return nil
		}
		if c.in.ready {
			switch res, ok := c.fetch(d); {
			case ok && res < 0:
				return c.failRes(name, call, res)
			case ok:
				return nil
			}
		}
		if !c.in.wait(c) {
			return c.fail(name, c.l.Cause())
		}
	}
}

// beginRead takes the reader's turn.
func (c *packet) beginRead(name string) error {
	if err := c.check(name); err != nil {
		return err
	}
	if !c.in.lock.enter(c.l) {
		return c.fail(name, c.l.Cause())
	}
	if !c.l.Burst() {
		c.in.lock.leave(c.l)
		return c.fail(name, c.l.Cause())
	}
	return nil
}

// state is why a reader can't be given a datagram; nil if there may be one.
func (in *packetInput) state(c *packet, name string) error {
	switch {
	case c.closing:
		return c.fail(name, net.ErrClosed)
	case in.expired(c):
		return c.fail(name, os.ErrDeadlineExceeded)
	case in.err != 0:
		res := in.err
		in.err = 0 // the next reader tries again
		return c.failRes(name, "poll", res)
	}
	return nil
}

func (in *packetInput) expired(c *packet) bool {
	limit := in.deadline.Load()
	return limit != 0 && c.l.NowNS() >= limit
}

// asked notes what a receive of up to window datagrams has brought.
func (in *packetInput) asked(window int, res int32, ok bool) {
	switch {
	case !ok:
		in.ready, in.troubled = false, false
	case res < 0:
	case int(res) < window && !in.troubled:
		in.ready = false
	}
}

// arm sees to it that news will come.
func (in *packetInput) arm(c *packet) {
	if in.op != nil {
		return
	}
	o := c.l.NewOp(op.Poll)
	if o == nil {
		in.err = -sys.ENOBUFS
		return
	}
	o.FD, o.Flags, o.Sink, o.Arg = &c.fd, op.Multishot|op.Rough, (*packetSink)(c), sys.PollIn
	in.op = o
	c.l.Submit(o)
}

// wait parks the running task until there is news. It reports false if the task was
// cancelled.
func (in *packetInput) wait(c *packet) bool {
	if c.l.Canceled() {
		c.l.Burst()
		return false
	}
	in.unasked = 0
	if in.arm(c); in.err != 0 {
		return true
	}
	in.waiter = c.l.Task()
	if limit := in.deadline.Load(); limit != 0 {
		c.l.Arm(&in.timer, limit)
	}
	c.l.Park((*packetInputWait)(c))
	in.waiter = nil
	return true
}

// packetInputWait is the socket as what its reader waits for.
type packetInputWait packet

// CancelWait lets a cancelled reader go.
func (w *packetInputWait) CancelWait(t *loop.Task) {
	w.in.waiter = nil
	w.l.Ready(t)
}

// packetSink is the socket as the sink of its poll.
type packetSink packet

// Complete takes news.
func (s *packetSink) Complete(o *op.Op, res int32, flags uint32) {
	c := (*packet)(s)
	in := &c.in
	if flags&op.More == 0 {
		in.op = nil
		c.l.FreeOp(o)
	}
	switch {
	case res > 0:
		in.ready = true
		in.troubled = in.troubled || res&(sys.PollErr|sys.PollHup) != 0
	case res < 0 && res != -sys.ECANCELED:
		in.err = res
	}
	switch {
	case c.closing:
		in.wake(c) // a takeover, which the closing overtook
		c.maybeClosed()
	case in.waiter != nil:
		in.wake(c)
	default:
		in.ignored(c)
	}
}

// ignored is told of news that nobody waits for. A flood must not wake a loop that
// has other things to do: after some of it nothing is watched until the next read.
func (in *packetInput) ignored(c *packet) {
	if in.unasked++; in.unasked < unaskedMax {
		return
	}
	if in.op != nil {
		if !in.op.Canceled {
			c.l.Cancel(in.op)
		}
		return
	}
	c.forget()
}

func (in *packetInput) wake(c *packet) {
	if t := in.waiter; t != nil {
		in.waiter = nil
		c.l.Ready(t)
	}
}

// abort is the input's part of closing.
func (in *packetInput) abort(c *packet) {
	in.wake(c)
	if in.op != nil && !in.op.Canceled {
		c.l.Cancel(in.op)
	}
}

// forget has the driver let go of the descriptor: it would be told of each arrival.
func (c *packet) forget() {
	if c.fd.Busy() {
		return
	}
	o := call(c.l, op.Close)
	o.FD, o.Arg = &c.fd, op.ForgetOnly
	c.l.Try(o)
}
