package sock

import (
	"net"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// guest gives what the handle keeps for callers that are no tasks of its loop.
func (c *packet) guest() (*guests, error) { return guestsOf(c.l, &c.guests, c) }

func (c *packet) newGuests() *guests {
	g := newGuests(c.l, &c.fd, (*packetHost)(c))
	for _, s := range [...]*side{&g.in, &g.out} {
		s.op, s.keepsOp = &op.Op{FD: &c.fd, Ext: new(op.Ext)}, true
	}
	g.in.lock, g.in.limit = &c.in.lock, &c.in.deadline
	g.out.lock, g.out.limit = &c.out.lock, &c.out.deadline
	return g
}

// bornAway gives a new socket to guests, for whom it was made.
func (c *packet) bornAway() {
	g := c.newGuests()
	for _, s := range [...]*side{&g.in, &g.out} {
		s.held = true
		s.lock.busy, s.lock.away = true, s
	}
	c.guests.Store(g)
}

// failGuest wraps the error of a guest's call.
func (c *packet) failGuest(name string, err error) error {
	switch {
	case err == nil:
		return err
	case err == net.ErrClosed && c.l.Ended():
		err = errEnded
	}
	return c.fail(name, err)
}

// closeAsGuest is Close for guests.
func (c *packet) closeAsGuest() error {
	if c.l == nil {
		return errZero
	}
	g, err := c.guest()
	if err == net.ErrClosed || c.l.Ended() {
		return nil // it is closed
	}
	if err == nil {
		err = g.close(c.beginClose)
	}
	return err
}

// receiveAsGuest is receive for guests.
func (c *packet) receiveAsGuest(call string, d *delivery) error {
	g, err := c.guest()
	if err == nil {
		err = g.enter(&g.in)
	}
	if err == nil {
		err = c.receiveIn(g, call, d)
		g.leave(&g.in)
	}
	return c.failGuest("read", err)
}

// receiveIn gives what the loop had fetched, then what the kernel has.
func (c *packet) receiveIn(g *guests, call string, d *delivery) error {
	if limit := g.in.limit.Load(); len(c.in.kept) > 0 && (limit == 0 || g.l.Elapsed() < limit) {
		c.in.take(c, false, d)
		return nil
	}
	s, x := &g.in, g.in.op.Ext
	s.op.Code = op.Recvmsg
	row := c.in.gro.Load() && !d.joined
	p, oob := d.p, d.oob
	if row { // it is taken apart from memory of its own
		p, oob = make([]byte, datagramMax), make([]byte, fetchControl)
	}
	x.SetVector([][]byte{p})
	x.Named, x.Control = !c.connected, oob
	defer unfill(s.op)
	res, err := g.do(s)
	switch {
	case err != nil:
		return err
	case res < 0:
		return callError(call, res)
	}
	got := datagram{bytes: p[:res], control: x.Received(), flags: x.MsgFlags(), from: c.peer}
	if !c.connected {
		got.from = x.Sender().AddrPort()
	}
	if row {
		got.segment = segmentOf(got.control)
		c.in.kept = append(c.in.kept, got)
		c.in.take(c, false, d)
		return nil
	}
	d.n, d.oobn, d.flags, d.from = len(got.bytes), len(got.control), got.flags, got.from
	if c.family == sys.AFUnix && !c.connected {
		d.path, _ = x.Sender().Unix()
	}
	return nil
}

// sendAsGuest is send for guests.
func (c *packet) sendAsGuest(call string, m *parcel) error {
	g, err := c.guest()
	if err == nil {
		err = g.enter(&g.out)
	}
	if err == nil {
		var res int32
		m.fill(g.out.op)
		res, err = g.do(&g.out)
		unfill(g.out.op)
		g.leave(&g.out)
		if err == nil && res < 0 {
			err = callError(call, res)
		}
	}
	switch {
	case err == nil:
		return err
	case err == net.ErrClosed && c.l.Ended():
		err = errEnded
	}
	return c.failTo(m, err)
}

// plain runs a call on the descriptor that needs no turn and does not wait.
func (c *packet) plain(name string, ask question) (int32, error) {
	if !c.l.Here() {
		return c.plainAsGuest(name, ask)
	}
	if err := c.check(name); err != nil {
		return 0, err
	}
	return ask(c.l.Kernel(), c.fd.Sys()), nil
}

func (c *packet) plainAsGuest(name string, ask question) (int32, error) {
	g, err := c.guest()
	if err != nil {
		return 0, c.failGuest(name, err)
	}
	res, err := g.plain(ask)
	return res, c.failGuest(name, err)
}

// packetHost is the socket as the host of its guests.
type packetHost packet

func (h *packetHost) attend() {}

func (h *packetHost) settle(s *side) {
	c := (*packet)(h)
	if !s.reads() {
		return
	}
	for c.in.op != nil {
		if !c.in.op.Canceled {
			c.l.Cancel(c.in.op)
		}
		c.in.waiter = c.l.Task()
		c.l.Park(nil)
		c.in.waiter = nil
	}
}

func (h *packetHost) give(s *side) {
	c := (*packet)(h)
	if !s.reads() {
		return
	}
	if pl := c.local.packet; pl != nil && pl.owner == c {
		pl.vacate()
	}
	c.forget()
}

func (h *packetHost) take(s *side) {
	if c := (*packet)(h); s.reads() {
		c.in.ready = true // nobody knows
	}
}

func (h *packetHost) keeps(s *side) bool {
	c := (*packet)(h)
	return s.reads() && len(c.in.kept) > 0
}

func (h *packetHost) moved(s *side) {
	if c := (*packet)(h); s.reads() {
		c.in.deadlineMoved(c)
	} else {
		c.out.deadlineMoved(c)
	}
}

func (h *packetHost) vacated() { (*packet)(h).maybeClosed() }

func (h *packetHost) discard() {
	c := (*packet)(h)
	c.file.release()
	(&op.Op{Code: op.Close, Off: int64(c.fd.Take())}).Attempt()
	if c.leave != nil {
		c.leave()
	}
	c.guests.Load().concluded()
}
