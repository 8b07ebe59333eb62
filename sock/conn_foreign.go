package sock

import (
	"bufio"
	"io"

	"ringo/buf"
	"ringo/internal/bufs"
	"ringo/internal/handle"
)

// What foreign callers read: first what the loop had received when it handed the input over, then what the
// kernel has, in memory of their own.

// readForeign is Read for a foreign caller that has access.
func (c *Conn) readForeign(a handle.Access, p []byte) (n int, err error) {
	if n, ok, err := c.leftOver(a, p); ok {
		return n, err
	}
	in := a.Input()
	if !c.records() {
		p = p[:min(len(p), pieceMax)]
	}
	res, err := a.Move(p)
	if err != nil {
		return 0, err
	}
	return c.receivedForeign(in, res)
}

// receivedForeign is what a receive of a foreign caller's has brought.
func (c *Conn) receivedForeign(in *handle.Input, res int32) (int, error) {
	switch {
	case res < 0:
		return 0, inputFailed(in, "read", res)
	case res == 0:
		in.EOF = !c.records() // of which it may have been an empty one
		return 0, io.EOF
	}
	return int(res), nil
}

// leftOver answers a read without asking the kernel, if that can be done.
func (c *Conn) leftOver(a handle.Access, p []byte) (n int, ok bool, err error) {
	in := a.Input()
	if len(p) == 0 {
		return 0, true, nil
	}
	if len(in.Unread) == 0 && in.Err == 0 && !in.EOF {
		return 0, false, nil
	}
	if err := a.Late(); err != nil {
		return 0, true, err
	}
	switch {
	case len(in.Unread) > 0:
		n = copy(p, in.Unread)
		if in.Unread = in.Unread[n:]; c.records() {
			in.Unread = nil // a record's rest is dropped
		}
		return n, true, nil
	case in.Err != 0:
		res := in.Err
		in.Err = 0
		return 0, true, inputFailed(in, "read", res)
	}
	return 0, true, io.EOF
}

// inputFailed notes why an input has failed, unless it was for want of something that may come back.
func inputFailed(in *handle.Input, call string, res int32) error {
	if !shortage(res) {
		in.Err = res
	}
	return callError(call, res)
}

// receiveMore receives, behind what is unread.
func (c *Conn) receiveMore(a handle.Access) error {
	in := a.Input()
	if c.records() {
		return c.receiveRecord(a)
	}
	unread := in.Unread
	c.core.Given(len(unread))
	in.Unread = nil
	p := make([]byte, 4096)
	n, err := c.readForeign(a, p)
	in.Unread = append(unread, p[:n]...)
	return err
}

// receiveRecord fetches the next record.
func (c *Conn) receiveRecord(a handle.Access) error {
	in, o := a.Input(), a.Op()
	o.CallFlags = howLong
	size, err := a.Do()
	o.CallFlags = 0
	switch {
	case err != nil:
		return err
	case size < 0:
		return inputFailed(in, "read", size)
	}
	p := make([]byte, max(size, 1))
	o.Buf = p
	res, ok := a.Try() // it is there, in time or not
	if o.Buf = nil; !ok {
		return c.receiveRecord(a)
	}
	n, err := c.receivedForeign(in, res)
	in.Unread = p[:n]
	return err
}

// firstOfRecord gives the first n bytes of the next record, or all that it has.
func (c *Conn) firstOfRecord(a handle.Access, n int) ([]byte, error) {
	in := a.Input()
	if n > 0 && len(in.Unread) == 0 {
		if err := c.receiveRecord(a); err != nil {
			return nil, err
		}
	}
	k := min(n, len(in.Unread))
	return in.Unread[:k:k], nil
}

// nextForeign is Next for a foreign caller, whose bytes are in memory of their own.
func (c *Conn) nextForeign(a handle.Access) (lease buf.Lease, err error) {
	in := a.Input()
	if len(in.Unread) == 0 {
		if err := c.receiveMore(a); err != nil {
			return lease, err
		}
	} else if err := a.Late(); err != nil {
		return lease, err
	}
	lease = buf.Lease(bufs.Of(in.Unread, &c.held))
	in.Unread = nil
	return lease, nil
}

// peekForeign is Peek for a foreign caller.
func (c *Conn) peekForeign(a handle.Access, n int) (p []byte, err error) {
	in := a.Input()
	switch {
	case c.records():
		p, err = c.firstOfRecord(a, n)
	case n > max(peekMax, len(in.Unread)):
		return nil, bufio.ErrBufferFull
	default:
		for err == nil && len(in.Unread) < n {
			err = c.receiveMore(a)
		}
		k := min(n, len(in.Unread))
		p = in.Unread[:k:k]
	}
	if err == nil {
		err = within(n, len(p))
	}
	return p, err
}

// discardForeign is Discard for a foreign caller.
func (c *Conn) discardForeign(a handle.Access, n int) (done int, err error) {
	in := a.Input()
	if c.records() {
		var p []byte
		p, err = c.firstOfRecord(a, n)
		done = len(p)
		in.Unread = in.Unread[done:]
		if err == nil {
			err = within(n, done)
		}
		return done, err
	}
	for {
		k := min(n-done, len(in.Unread))
		in.Unread = in.Unread[k:]
		if done += k; done == n {
			return done, nil
		}
		c.core.Given(k)
		if err := c.receiveMore(a); err != nil {
			return done, err
		}
	}
}

// bufferedForeign is Buffered for a foreign caller. It leaves the input with whom it is: a task may be looking
// at bytes in place.
func (c *Conn) bufferedForeign() int {
	n, theirs := c.core.Unread()
	if !theirs {
		onOwner(c.l, func() error {
			n = c.Buffered()
			return nil
		})
	}
	return n
}
