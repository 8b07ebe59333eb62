package sock

import (
	"net/netip"
	"sync/atomic"

	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
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
	kept     []datagram // fetched, and moved out of the loop's memory
	keptMem  []byte
	window   int  // how many datagrams to ask for next time
	ready    bool // there may be something: nobody has said EAGAIN since
	troubled bool // an error may be behind what came: a short count proves nothing
	unasked  int  // news in a row that nobody waited for
	err      int32
	news     func() (wanted bool) // callbacks are told; see packets

	single atomic.Bool // never more than one: others read from the descriptor, too
	gro    atomic.Bool // datagrams come joined

}

// recvmsg is a datagram's way to its reader: room for it, and then what came.
type recvmsg struct {
	p, oob []byte
	joined bool // datagrams that came joined are taken as they are

	n, oobn int
	flags   uint32
	from    netip.AddrPort
	path    string // of a Unix socket
}

// unaskedMax bounds the news that a poll may bring while nobody reads.
const unaskedMax = 16

// Read reads a datagram into p, and waits until there is one. The kernel may use p until Read returns. After the read
// deadline it fails even if a datagram is available, which stays unread. On a connected socket it fails with errors
// that the network has reported for datagrams sent before, such as ECONNREFUSED. Any goroutine may call it, and waits
// as in package net; a task parks.
func (c *packet) Read(p []byte) (int, error) {
	if len(p) == 0 {
		_, err := c.plain("read", nothing) // it may be closed
		return 0, err
	}
	d := recvmsg{p: p}
	err := c.receive("read", &d)
	return d.n, err
}

// receive waits until there is a datagram.
func (c *packet) receive(call string, d *recvmsg) error {
	a, err := c.enterRead()
	if err != nil {
		return err
	}
	for done := false; err == nil && !done; {
		if done, err = c.ready(a, false); done {
			c.in.popInto(c, a.Own(), d)
		} else if err == nil {
			done, err = c.receiveNow(a, call, d)
		}
	}
	c.core.Leave(a)
	return c.failed("read", err)
}

// ready waits until a datagram is here that was fetched before, which it reports, or a receive is in order. A drain
// ends the wait if asked for.
func (c *packet) ready(a handle.Access, ends bool) (here bool, err error) {
	in := &c.in
	if !a.Own() {
		if here = in.head(c, false) != nil; here {
			err = a.Late()
		}
		return here && err == nil, err
	}
	for {
		if err := in.state(c); err != nil {
			return false, err
		}
		if here = in.head(c, true) != nil; here || in.ready {
			return here, nil
		}
		if err := in.wait(c, ends); err != nil {
			return false, err
		}
	}
}

// receiveNow receives a datagram, for which a foreign caller waits. ok is false if there is none.
func (c *packet) receiveNow(a handle.Access, call string, d *recvmsg) (ok bool, err error) {
	var res int32
	if a.Own() {
		res, ok = c.fetch(d)
	} else {
		res, err = c.fetchForeign(a, d)
		ok = err == nil
	}
	if ok && res < 0 {
		err = callError(call, res)
	}
	return ok && err == nil, err
}

// enterRead waits for access to the input.
func (c *packet) enterRead() (handle.Access, error) {
	a, err := c.core.Enter(handle.In)
	if err == nil && a.Own() {
		if c.core.InTime(handle.In); !c.l.ChargeAndYield() {
			c.core.Leave(a)
			err = c.l.Cause()
		}
	}
	return a, c.failed("read", err)
}

// state is why a reader can't be given a datagram; nil if there may be one.
func (in *packetInput) state(c *packet) error {
	if err := c.core.State(handle.In); err != nil {
		return err
	}
	if res := in.err; res != 0 {
		in.err = 0 // the next reader tries again
		return callError("poll", res)
	}
	return nil
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
	d := c.core.Own(handle.In)
	if d.Op != nil {
		return
	}
	o := c.l.Ops().New(op.Poll)
	if o == nil {
		in.err = -sys.ENOBUFS
		return
	}
	o.FD, o.Flags, o.Sink, o.Events = c.core.FD(), op.Multishot|op.Rough, (*packetSink)(c), sys.PollIn
	d.Op = o
	c.l.Ops().Submit(o)
}

// wait parks the running task until there is news. The error says that it was cancelled, or, of a reader that a drain
// ends, that there is one.
func (in *packetInput) wait(c *packet, ends bool) error {
	if c.l.Canceled() {
		c.l.ChargeAndYield()
		return c.l.Cause()
	}
	in.unasked = 0
	if in.arm(c); in.err != 0 {
		return nil
	}
	if ends && c.l.Draining() {
		return loop.ErrDraining
	}
	c.core.Wait()
	return nil
}

// packetSink is the socket as the sink of its poll.
type packetSink packet

// Complete takes news.
func (s *packetSink) Complete(o *op.Op, res int32, flags uint32) {
	c := (*packet)(s)
	in := &c.in
	if flags&op.More == 0 {
		c.core.Own(handle.In).Op = nil
		c.l.Ops().Free(o)
	}
	switch {
	case res > 0:
		in.ready = true
		in.troubled = in.troubled || res&(sys.PollErr|sys.PollHup) != 0
	case res < 0 && res != -sys.ECANCELED:
		in.err = res
	}
	woken := c.core.Wake()
	switch {
	case c.core.Closing():
		c.core.Settle()
	case in.news != nil && in.news():
	case !woken:
		in.ignored(c)
	}
}

// ignored is told of news that nobody waits for. A flood must not wake a loop that
// has other things to do: after some of it nothing is watched until the next read.
func (in *packetInput) ignored(c *packet) {
	if in.unasked++; in.unasked < unaskedMax {
		return
	}
	if o := c.core.Own(handle.In).Op; o == nil {
		c.core.Forget()
	} else if !o.Canceled {
		c.l.Ops().Cancel(o)
	}
}
