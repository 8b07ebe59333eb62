package sock

import "ringo/internal/handle"

// detachState is what is left of a connection that leaves its loop otherwise than by its
// end: the descriptor, open, and what the loop knows of the input. For all others the
// connection is closed.
//
// What comes while the armed receive is being ended is kept, too, so that between what
// is unread here and what the kernel has nothing is missing.
type detachState struct {
	fd     int32
	unread []byte
	eof    bool
	err    int32
}

// part takes the connection from its loop. T, parks, whether cancelled or not.
func (c *Conn) part(name string) (*detachState, error) {
	if err := c.core.Check(); err != nil {
		return nil, c.fail(name, err)
	}
	p := new(detachState)
	c.detachState = p
	c.core.BeginCloseKeepFD()
	c.core.AwaitClosed()
	return p, nil
}

// keep takes over what is to stay. Nothing is in flight any more, and nobody is at it.
func (p *detachState) keep(c *Conn) {
	in := &c.in
	p.eof, p.err = in.eof, in.err
	if last := c.core.Own(handle.In).Input(); last != nil { // foreign callers had it
		p.unread, last.Unread = last.Unread, nil
		p.eof, p.err = last.EOF, last.Err
	}
	if n := in.buffered(); n > 0 {
		rest := make([]byte, n)
		in.copyTo(c, rest)
		p.unread = append(p.unread, rest...)
	}
	p.fd = c.core.Take()
}
