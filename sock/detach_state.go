package sock

import (
	"errors"
	"os"
	"time"

	"ringo/internal/fd"
	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/sys"
)

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
	unsent []byte // what was accepted and has found no room
	lost   error  // why what was accepted was not sent
}

// part takes the connection from its loop. T, parks, whether cancelled or not.
func (c *Conn) part(name string) (*detachState, error) {
	if err := c.core.Check(); err != nil {
		return nil, c.fail(name, err)
	}
	p := new(detachState)
	if c.detachState = p; !c.core.BeginCloseKeepFD() {
		if err := c.partFromCopy(p); err != nil {
			return nil, c.fail(name, err)
		}
	}
	c.core.AwaitClosed()
	return p, nil
}

// partFromCopy is part of a connection of which a copy has bytes in hand, which are either gone then, or unread again.
func (c *Conn) partFromCopy(p *detachState) error {
	err := c.l.WithTimeout(unsentMax, func() error {
		for {
			c.detachState = nil
			if err := c.core.AwaitCopy(); err != nil {
				return err
			}
			if c.detachState = p; c.core.BeginCloseKeepFD() {
				return nil
			}
		}
	})
	if err != nil && c.detachState == nil && errors.Is(err, os.ErrDeadlineExceeded) && !c.l.Canceled() {
		return callError("copy", -sys.EBUSY)
	}
	return err
}

// keep takes over what is to stay. Nothing is in flight any more, and nobody is at it.
func (p *detachState) keep(c *Conn) {
	in := &c.in
	p.eof, p.err = in.EOF(), in.Err()
	if last := c.core.Own(handle.In).Input(); last != nil { // foreign callers had it
		p.unread, p.eof, p.err = last.TakeMem(), last.EOF(), last.Err()
	}
	if c.records() { // of which it may have been an empty one
		p.eof = false
	}
	switch {
	case !in.Any():
	case len(p.unread) == 0:
		p.unread = in.Take()
	default:
		p.unread = append(p.unread, in.Take()...)
	}
	p.unsent, p.lost = c.core.TakeUnsent()
	p.fd = c.core.Take()
}

// send waits until the peer has taken what is unsent. If it does not in time, or has not taken what was sent before,
// the connection is reset: it would have a hole. T, parks, whether cancelled or not.
func (p *detachState) send(c *Conn) error {
	switch {
	case p.lost != nil:
		c.l.Kernel().SetLinger(p.fd, 0)
		c.l.Kernel().Close(p.fd)
		return p.lost
	case len(p.unsent) == 0:
		return nil
	}
	o := c.l.Ops().New(op.Send)
	res := int32(-sys.ENOBUFS)
	if o != nil {
		var f fd.FD
		f.Init(p.fd)
		o.Flags, o.Buf, o.FD = op.Full, p.unsent, &f
		c.l.Go(func() { // which ends with Grace, and neither with the caller's cancel nor with its WithTimeout
			c.l.WithTimeout(unsentMax, func() error {
				res = c.l.Do(o)
				return nil
			})
		}).Wait()
		c.l.Forget(&f)
		c.l.Ops().Free(o)
	}
	if int(res) == len(p.unsent) {
		return nil
	}
	c.l.Kernel().SetLinger(p.fd, 0)
	c.l.Kernel().Close(p.fd)
	if res >= 0 || res == -sys.ECANCELED {
		return ErrUnsent
	}
	return callError("write", res)
}

// unsentMax is how long the peer may take.
const unsentMax = 10 * time.Second

// ErrUnsent is returned by Detach and its variants if the peer does not take bytes that were written before: they could
// no longer be sent afterwards.
var ErrUnsent = errors.New("sock: the peer has not taken all bytes written before (see Conn.Flush)")
