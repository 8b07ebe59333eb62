package event

import (
	"io"
	"net"

	"ringo/internal/bufs"
)

// filling is a ReadFull that is under way: a slice to fill with input, which is not shown meanwhile.
type filling struct {
	p    []byte
	n    int // how many bytes of p are filled
	then func(n int, err error)
}

// directMin is how many bytes must be missing so that the kernel receives straight into the slice. Fewer are copied out
// of the loop's buffers, which costs less than starting another receive.
const directMin = 32 << 10

// ReadFull reads the next len(p) bytes into p and then calls then: for bodies of known length. OnData and OnEnd are not
// called meanwhile. Bytes that OnData has not used come first. If many are missing the kernel writes them directly into
// p. p is borrowed until then is called. If fewer bytes arrive, err is io.ErrUnexpectedEOF if the peer has ended its
// side, and otherwise the reason why the connection closes. There can be one ReadFull at a time.
func (c *Conn) ReadFull(p []byte, then func(n int, err error)) error {
	e := c.here("Conn.ReadFull")
	switch {
	case c.state != open:
		return c.notOpen("read")
	case c.flags&taking != 0:
		return c.opError("read", errTaking)
	case c.set.records:
		return c.opError("read", errRecords)
	case then == nil:
		panic("event: Conn.ReadFull of a nil function")
	}
	if e.fillings == nil {
		e.fillings = map[*Conn]*filling{}
	}
	e.fillings[c] = &filling{p: p, then: then}
	c.flags |= taking
	if len(c.in.Mem()) > 0 && e.shown.c != c {
		c.flags |= unshown
	}
	c.wake()
	return nil
}

// take moves unused bytes, and after them those of b, into the slice of a ReadFull. Bytes that are left over become
// unshown ones.
func (c *Conn) take(b *bufs.Buffer) {
	in, t := c.e.fillings[c], &c.e.tools
	c.e.l.Charge()
	k := copy(in.p[in.n:], c.in.Mem())
	in.n += k
	c.in.Skip(t, k)
	if b != nil {
		if len(c.in.Mem()) == 0 {
			k = copy(in.p[in.n:], b.Unread())
			in.n += k
			b.Off += k
		}
		c.add(b)
	}
	c.flags &^= unshown
	if len(c.in.Mem()) > 0 {
		c.flags |= unshown
	}
	c.endFilling(nil)
}

// isFull reports whether a ReadFull is under way and its slice is full.
func (c *Conn) isFull() bool {
	if c.flags&taking == 0 {
		return false
	}
	in := c.e.fillings[c]
	return in.n == len(in.p)
}

// endFilling ends the ReadFull if its slice is full, or with an error.
func (c *Conn) endFilling(err error) {
	in := c.e.fillings[c]
	if err == nil && in.n < len(in.p) {
		return
	}
	delete(c.e.fillings, c)
	c.flags &^= taking
	in.then(in.n, err)
}

// takesDirectly reports whether the kernel is to receive straight into the slice of a ReadFull.
func (c *Conn) takesDirectly() bool {
	if c.flags&taking == 0 || c.in.First() != nil {
		return false
	}
	in := c.e.fillings[c]
	return len(in.p)-in.n >= directMin
}

// fill arms a receive into the slice of a ReadFull, once another receive that may be armed has ended.
func (c *Conn) fill() {
	if c.recv != nil {
		c.in.Disarm(&c.e.tools, c.recv)
		return
	}
	in := c.e.fillings[c]
	c.armed(c.in.Direct(&c.e.tools, &c.fd, (*receiver)(c), in.p[in.n:]))
}

// leaveFilling ends a ReadFull of a connection that closes.
func (c *Conn) leaveFilling() {
	if c.flags&taking == 0 {
		return
	}
	err := c.why()
	if err == nil || err == io.EOF {
		err = net.ErrClosed
	}
	c.endFilling(err)
}
