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

// detachState is what is left of a connection that leaves its loop without being closed: the open descriptor, and what
// the loop knows of the input. To all other callers the connection is closed.
//
// Bytes that come while the armed receive is being ended are kept, too, so that nothing is missing between the unread
// bytes here and what the kernel has.
type detachState struct {
	fd     int32
	unread []byte
	eof    bool
	err    int32
	unsent []byte // accepted bytes that the socket had no room for
	lost   error  // why accepted bytes were not sent
}

// part takes the connection from its loop. T, parks, even if cancelled.
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

// partFromCopy is part while a copy has bytes in hand: it waits until the copy has written them or made them unread
// again.
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

// keep takes what is to stay from the connection. Nothing is in flight any more, and no caller uses it.
func (p *detachState) keep(c *Conn) {
	in := &c.in
	p.eof, p.err = in.EOF(), in.Err()
	if last := c.core.Own(handle.In).Input(); last != nil { // foreign callers had the input
		p.unread, p.eof, p.err = last.TakeMem(), last.EOF(), last.Err()
	}
	if c.records() { // 0 may have been an empty record
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

// send waits until the peer has taken the unsent bytes. If it does not in time, or if an earlier send has failed, send
// resets the connection, because its stream lacks bytes. T, parks, even if cancelled.
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
		c.l.Go(func() { // a task of its own ends with Grace, but not with the caller's cancel or WithTimeout
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

// unsentMax is how long send, and partFromCopy, wait.
const unsentMax = 10 * time.Second

// ErrUnsent is returned by Detach and its variants if the peer does not take bytes that were written before: they could
// no longer be sent afterwards.
var ErrUnsent = errors.New("sock: the peer has not taken all bytes written before (see Conn.Flush)")
