package sock

import "time"

// SetDeadline sets both the read and the write deadline. Any goroutine may call it.
func (c *Conn) SetDeadline(t time.Time) error { return c.setDeadlines(t, true, true) }

// SetReadDeadline makes reads fail with os.ErrDeadlineExceeded from t on; the zero time means no deadline. Bytes that
// came in time are not lost. It is cheap: moving a deadline later touches no timer. Any goroutine may call it.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, true, false) }

// SetWriteDeadline makes writes fail with os.ErrDeadlineExceeded from t on, with the count of bytes sent; the zero time
// means no deadline. Any goroutine may call it.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, false, true) }

func (c *Conn) setDeadlines(t time.Time, in, out bool) error {
	err := c.core.SetDeadline(t, in, out)
	if err != nil {
		err = ofSocket(c.failed("set", err))
	}
	return err
}
