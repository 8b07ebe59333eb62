package sock

import "time"

// SetDeadline sets both the read and the write deadline. Any goroutine may call it.
func (c *packet) SetDeadline(t time.Time) error { return c.setDeadlines(t, true, true) }

// SetReadDeadline makes reads fail with os.ErrDeadlineExceeded from t on; the zero time means no deadline. Datagrams
// that came in time are not lost. Any goroutine may call it.
func (c *packet) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, true, false) }

// SetWriteDeadline makes writes fail with os.ErrDeadlineExceeded from t on; the zero time means no deadline. Any
// goroutine may call it.
func (c *packet) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, false, true) }

func (c *packet) setDeadlines(t time.Time, in, out bool) error {
	return c.failed("set", c.core.SetDeadline(t, in, out))
}
