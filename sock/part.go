package sock

import "ringo/internal/op"

// parting is what is left of a connection that leaves its loop otherwise than by its
// end: the descriptor, open, and what the loop knows of the input. For all others the
// connection is closed.
//
// What comes while the armed receive is being ended is kept, too, so that between what
// is unread here and what the kernel has nothing is missing.
type parting struct {
	fd     int32
	unread []byte
	eof    bool
	err    int32
}

// part takes the connection from its loop. T, parks, whether cancelled or not.
func (c *Conn) part(name string) (*parting, error) {
	if err := c.check(name); err != nil {
		return nil, err
	}
	p := new(parting)
	c.parting = p
	c.beginClose()
	c.awaitClosed()
	return p, nil
}

// keep takes over what is to stay. Nothing is in flight any more, and nobody is at it.
func (p *parting) keep(c *Conn) {
	in := &c.in
	p.eof, p.err = in.eof, in.err
	if s := in.lock.away; s != nil { // guests had it last
		p.unread, s.unread = s.unread, nil
		p.eof, p.err = s.eof, s.err
	}
	if n := in.buffered(); n > 0 {
		rest := make([]byte, n)
		in.copyTo(c, rest)
		p.unread = append(p.unread, rest...)
	}
	o := call(c.l, op.Close)
	o.FD, o.Arg = &c.fd, op.ForgetOnly
	p.fd = c.fd.Take()
	o.Off = int64(p.fd)
	c.l.Try(o)
}
