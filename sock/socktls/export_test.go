package socktls

import "net"

// SetBelow has what is secured from now on go elsewhere.
func (c *Conn) SetBelow(to net.Conn) { c.conn = to }

// Secure, Drain and Reply are the steps of a Write, and what tls does for a reader.
func (c *Conn) Secure(piece []byte) error { return c.secure(piece) }
func (c *Conn) Drain() error              { return c.drain() }
func (c *Conn) Reply(p []byte) error {
	_, err := (*below)(c).Write(p)
	return err
}

// CloseBelow is what tls calls when the context of a handshake ends.
func (c *Conn) CloseBelow() error { return (*below)(c).Close() }

// Secured is how many bytes are secured and not sent.
func (c *Conn) Secured() int { return len(*c.out.secured) }
