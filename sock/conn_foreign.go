package sock

import (
	"ringo/internal/handle"
	"ringo/internal/stream"
)

// What foreign callers read: first what the loop had received when it handed the input over, then what the
// kernel has, in memory of their own.

// input is what has come for the caller that has access, and the memory that goes with it.
func (c *Conn) input(a handle.Access) (*stream.In, *stream.Tools) {
	if a.Own() {
		return &c.in.In, &c.local.Tools
	}
	return a.Input(), nil
}

// readForeign is Read for a foreign caller that has access.
func (c *Conn) readForeign(a handle.Access, p []byte) (n int, err error) {
	if n, ok, err := c.leftOver(a, p); ok {
		return n, err
	}
	if !c.records() {
		p = p[:min(len(p), pieceMax)]
	}
	res, err := a.Move(p) // here, where the stack is not deep: TestParkedStacks
	if err != nil {
		return 0, err
	}
	return c.receivedForeign(a.Input(), res)
}

// leftOver answers a read without asking the kernel, if that can be done.
func (c *Conn) leftOver(a handle.Access, p []byte) (n int, ok bool, err error) {
	if len(p) == 0 {
		return 0, true, nil
	}
	if ok, err = isHere(a); ok && err == nil {
		n = c.take(a.Input(), nil, p)
	}
	return n, ok, err
}

// receivedForeign is what a receive of a foreign caller's has brought.
func (c *Conn) receivedForeign(in *stream.In, res int32) (int, error) {
	if res > 0 {
		return int(res), nil
	}
	in.End(res == 0, res)
	err := ended(in, "read")
	if c.records() { // of which it may have been an empty one
		in.End(false, in.Err())
	}
	return 0, err
}

// isHere reports whether a foreign caller need not ask the kernel; the error is why it must not go on.
func isHere(a handle.Access) (bool, error) {
	in := a.Input()
	if !in.Any() && !in.Over() {
		return false, nil
	}
	if err := a.Late(); err != nil || in.Any() {
		return true, err
	}
	return true, ended(in, "read")
}

// take moves unread bytes into p. Of a record the rest is dropped.
func (c *Conn) take(in *stream.In, t *stream.Tools, p []byte) int {
	n := in.CopyTo(t, p)
	if c.records() {
		in.Skip(t, in.Unread())
	}
	return n
}

// awaitSome waits until there are unread bytes.
func (c *Conn) awaitSome(a handle.Access) error {
	if a.Own() {
		return c.some()
	}
	return c.someForeign(a)
}

// someForeign is some for a foreign caller that has access.
func (c *Conn) someForeign(a handle.Access) error {
	if here, err := isHere(a); here {
		return err
	}
	return c.more(a)
}

// more waits until a foreign caller has unread bytes beside those that there are: of a record, until there are some.
func (c *Conn) more(a handle.Access) error {
	in := a.Input()
	if in.Over() {
		if err := a.Late(); err != nil {
			return err
		}
		return ended(in, "read")
	}
	if c.records() {
		return c.receiveRecord(a)
	}
	c.core.Given(in.Unread())
	res, err := a.Move(in.Grow(nil, 4096))
	if err != nil {
		return err
	}
	n, err := c.receivedForeign(in, res)
	in.Grown(n)
	return err
}

// receiveRecord fetches the next record.
func (c *Conn) receiveRecord(a handle.Access) error {
	in, o := a.Input(), a.Op()
	o.CallFlags = stream.HowLong
	size, err := a.Do()
	if o.CallFlags = 0; err != nil {
		return err
	}
	if size < 0 {
		_, err := c.receivedForeign(in, size)
		return err
	}
	o.Buf = in.Grow(nil, max(int(size), 1))
	res, ok := a.Try() // it is there, in time or not
	if o.Buf = nil; !ok {
		return c.receiveRecord(a)
	}
	n, err := c.receivedForeign(in, res)
	in.Grown(n)
	return err
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
