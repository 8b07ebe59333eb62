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
	if !c.l.Marked() {
		if err := c.setDeadlinesAsGuest(t, in, out); err != errHome {
			return err
		}
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
	switch {
	case err != nil:
	case in && out:
		err = g.setLimit(t, &g.in, &g.out)
	case in:
		err = g.setLimit(t, &g.in)
	default:
		err = g.setLimit(t, &g.out)
	}
	return c.failGuest("set", err)
}

func (in *packetInput) deadlineMoved(c *packet) {
	limit := in.deadline.Load()
	switch {
	case limit == 0:
		c.l.Disarm(&in.timer)
	case in.waiter != nil:
		c.l.Arm(&in.timer, limit)
	}
}

func (out *packetOutput) deadlineMoved(c *packet) {
	limit := out.deadline.Load()
	switch {
	case limit == 0:
		c.l.Disarm(&out.timer)
	case out.waiter != nil:
		c.l.Arm(&out.timer, limit)
	}
}
