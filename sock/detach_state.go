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
	handle.Parts
	lost error // why accepted bytes were not sent
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
	p.EOF, p.Err = in.EOF(), in.Err()
	if last := c.core.Own(handle.In).Input(); last != nil { // foreign callers had the input
		p.Unread, p.EOF, p.Err = last.TakeMem(), last.EOF(), last.Err()
	}
	if c.records() { // 0 may have been an empty record
		p.EOF = false
	}
	switch {
	case !in.Any():
	case len(p.Unread) == 0:
		p.Unread = in.Take()
	default:
		p.Unread = append(p.Unread, in.Take()...)
	}
	p.Unsent, p.lost = c.core.TakeUnsent()
	p.FD, p.Linger = c.core.Take(), int32(c.core.Linger()+1)
}

// goOnWith makes a new connection begin where another one has ended.
func (c *Conn) goOnWith(p *handle.Parts, lost error) {
	c.core.SetLinger(int(p.Linger) - 1)
	c.in.resume(c, p.Unread)
	c.in.End(p.EOF, p.Err)
	c.core.Resume(p.Unsent, lost)
}

// send waits until the peer has taken the unsent bytes. If it does not in time, or if an earlier send has failed, send
// resets the connection, because its stream lacks bytes. T, parks, even if cancelled.
func (p *detachState) send(c *Conn) error {
	switch {
	case p.lost != nil:
		c.l.Kernel().SetLinger(p.FD, 0)
		c.l.Kernel().Close(p.FD)
		return p.lost
	case len(p.Unsent) == 0:
		return nil
	}
	o := c.l.Ops().New(op.Send)
	res := int32(-sys.ENOBUFS)
	if o != nil {
		var f fd.FD
		f.Init(p.FD)
		o.Flags, o.Buf, o.FD = op.Full, p.Unsent, &f
		c.l.Go(func() { // a task of its own ends with Grace, but not with the caller's cancel or WithTimeout
			c.l.WithTimeout(unsentMax, func() error {
				res = c.l.Do(o)
				return nil
			})
		}).Wait()
		c.l.Forget(&f)
		c.l.Ops().Free(o)
	}
	if int(res) == len(p.Unsent) {
		return nil
	}
	c.l.Kernel().SetLinger(p.FD, 0)
	c.l.Kernel().Close(p.FD)
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
