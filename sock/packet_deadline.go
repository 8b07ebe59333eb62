package sock

import "time"

// SetDeadline is SetReadDeadline and SetWriteDeadline. Any goroutine may call it.
func (c *packet) SetDeadline(t time.Time) error { return c.setDeadlines(t, true, true) }

// SetReadDeadline makes reads fail with os.ErrDeadlineExceeded from t on; the zero
// time is none. Datagrams that came in time are not lost. Any goroutine may call it.
func (c *packet) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, true, false) }

// SetWriteDeadline makes writes fail with os.ErrDeadlineExceeded from t on; the zero
// time is none. Any goroutine may call it.
func (c *packet) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, false, true) }

func (c *packet) setDeadlines(t time.Time, in, out bool) error {
	if !c.l.Here() {
		return c.setDeadlinesAsGuest(t, in, out)
	}
	if err := c.check("set"); err != nil {
		return err
	}
	limit := deadlineOf(c.l, t)
	if in {
		c.in.deadline.Store(limit)
		c.in.deadlineMoved(c)
	}
	if out {
		c.out.deadline.Store(limit)
		c.out.deadlineMoved(c)
	}
	if g := c.guests.Load(); g != nil {
		g.limited()
	}
	return nil
}

func (c *packet) setDeadlinesAsGuest(t time.Time, in, out bool) error {
	g, err := c.guest()
	if err == nil {
		err = g.setLimits(t, in, out)
	}
	return c.failGuest("set", err)
}

func (in *packetInput) deadlineMoved(c *packet) {
	limitMoved(c.l, &in.timer, in.deadline.Load(), in.waiter != nil)
}

func (out *packetOutput) deadlineMoved(c *packet) {
	limitMoved(c.l, &out.timer, out.deadline.Load(), out.waiter != nil)
}
