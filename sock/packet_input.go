package sock

import (
	"net/netip"
	"sync/atomic"

	"ringo/internal/dial"
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// packetInput is the receiving side of a packet. Readiness is watched; then one call receives what there is: the first
// datagram into the reader's memory, the others into memory of the loop, where the next reads find them. A call that
// receives fewer datagrams than it has room for also shows that the socket is empty, so a datagram that comes alone
// costs one call and not two.
//
// An idle socket has no memory for datagrams. Those that were fetched and not read stay in the loop's memory until
// another socket needs it, and are copied then: see packetLocal.
type packetInput struct {
	kept     []datagram // fetched, and moved out of the loop's memory
	keptMem  []byte
	window   int  // how many datagrams to ask for next time
	ready    bool // there may be datagrams: no call has returned EAGAIN since the last news
	troubled bool // an error may follow the datagrams, so a short count does not show that the socket is empty
	unasked  int  // news in a row that no reader waited for
	err      int32
	news     func() (wanted bool) // tells the callbacks of package event; see packets

	single atomic.Bool // fetch one at a time: the program also reads from the descriptor itself
	gro    atomic.Bool // datagrams may come joined

}

// recvmsg is one read: its memory, and then what was received.
type recvmsg struct {
	p, oob []byte
	joined bool // joined datagrams are returned as they are

	n, oobn int
	flags   uint32
	from    netip.AddrPort
	path    string // of a Unix socket
}

// unaskedMax bounds the news that a poll may bring while no caller reads.
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

// receive reads a datagram, and waits until there is one.
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
	d.from = dial.NamedZone(d.from)
	return c.failed("read", err)
}

// ready waits until a datagram that was fetched before is here, and then returns true, or until a receive may find one.
// ends makes a drain end the wait.
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

// receiveNow receives a datagram; a foreign caller waits in it. ok is false if there is none.
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

// state returns the error for which a reader must not go on, nil if there is none.
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

// asked notes the result of a receive of up to window datagrams.
func (in *packetInput) asked(window int, res int32, ok bool) {
	switch {
	case !ok:
		in.ready, in.troubled = false, false
	case res < 0:
	case int(res) < window && !in.troubled:
		in.ready = false
	}
}

// arm makes sure that the loop will hear of datagrams, by a multishot poll.
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

// wait parks the running task until there is news. The error says that it was cancelled, or, with ends, that the
// program drains.
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

// Complete takes news from the poll.
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

// ignored counts news that no reader waits for. A flood must not wake a loop that has other things to do: after
// unaskedMax the socket is not watched until the next read.
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
