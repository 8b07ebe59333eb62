package eventtest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"ringo/buf"
	"ringo/event"
	"ringo/sock"
)

// Conn is a connection of callbacks whose methods wait, each for its own callback.
type Conn struct {
	C *event.Conn
	b *Actors

	Opened, Closed bool   // OnOpen was called; OnClose was called
	Closing        bool   // an actor has closed it
	Leaving        bool   // it is being detached, for a task
	Broke          error  // why it has ended by itself
	Over           bool   // its output has ended
	Dies           func() // called in OnData, or in another callback, which then does not return

	ended       bool // OnEnd was called
	late, stuck bool // OnTimeout was called, for reading or for writing
	paused      bool
	again       bool // the same bytes may be shown once more
	filling     bool // a ReadFull is under way

	Inside bool   // an OnData is running
	fresh  bool   // no reader has looked at what it shows
	shown  []byte // what it shows that is not used yet
	part   bool   // some of it was used
	kept   bool
	left   int // how many bytes the last OnData has left

	opener, reader, writer, closer func()

	owed, told    int // functions to be called when something was sent, and those that were called, in order
	Unread        int // how many bytes may be left, except for Peek
	peeks         int
	reads, writes time.Duration
	leases        []*lease
}

// NewConn returns a Conn that is not open yet: a handler for a dial, for a listener or for Adopt.
func (b *Actors) NewConn() *Conn { return &Conn{b: b, Unread: UnreadMax} }

// AwaitOpen waits until the connection is open, or closed.
func (c *Conn) AwaitOpen() { c.b.Await(&c.opener) }

// UnreadMax is how much may be left at first.
const UnreadMax = 64 << 10

func (c *Conn) records() bool { return c.LocalAddr().Network() == "unixpacket" }

func (c *Conn) OnOpen(ec *event.Conn) {
	if c.Opened || c.Closed {
		c.b.Wrong("a connection is opened again")
	}
	c.Opened, c.C = true, ec
	if c.reader == nil && (c.records() || c.b.Turn(2)) {
		c.pause()
	}
	if c.b.Turn(3) {
		c.Unread = 20
		c.Bound()
	}
	if c.b.Turn(3) {
		ec.SetMarks(1, 1<<(c.b.Turns%20))
	}
	if c.b.Turn(5) {
		c.b.E.SetUnsentMax(1 + c.b.Turns*37%200)
	}
	Tell(&c.opener)
}

func (c *Conn) OnData(_ *event.Conn, p []byte) int {
	switch {
	case !c.Opened || c.Closed || c.Closing && c.Dies == nil:
		c.b.Wrong("something is shown before OnOpen, or behind a Close")
	case c.paused:
		c.b.Wrong("something is shown in a Pause")
	case c.filling:
		c.b.Wrong("something is shown beside a ReadFull")
	case len(p) <= c.left && len(p) > 0 && !c.again:
		c.b.Wrong("%d bytes are shown, of which %d are not new", len(p), c.left)
	case c.Dies != nil:
		c.Dies()
	}
	c.Inside, c.fresh, c.part, c.kept, c.again, c.shown = true, true, false, false, false, p
	Tell(&c.reader)
	left := len(c.shown)
	c.Inside, c.left, c.shown = false, left, nil
	if c.reader == nil && c.Dies == nil && (left > c.Unread || left > 0 && c.b.Turn(2) || c.b.Turn(4) || c.records()) {
		c.pause()
	}
	return len(p) - left
}

func (c *Conn) pause() {
	if !c.paused {
		c.paused = true
		c.C.Pause()
	}
}

// Show makes what was left be shown again, and lets new bytes come.
func (c *Conn) Show() {
	if c.left > 0 {
		c.pause()
		c.again = true
	}
	c.paused = false
	c.C.Resume()
}

func (c *Conn) OnEnd(*event.Conn) {
	if c.ended || c.Closing && !c.Leaving && c.Dies == nil || c.filling {
		c.b.Wrong("an end is told twice, behind a Close or beside a ReadFull")
	}
	c.ended = true
	Tell(&c.reader)
}

func (c *Conn) OnWritable(*event.Conn) { Tell(&c.writer) }

func (c *Conn) OnTimeout(_ *event.Conn, what event.Timeout) {
	if what&event.ReadTimeout != 0 && c.reader != nil && !c.filling {
		c.late = true
		Tell(&c.reader)
	}
	if what&event.WriteTimeout != 0 && c.writer != nil {
		c.stuck = true
		Tell(&c.writer)
	}
}

func (c *Conn) OnClose(_ *event.Conn, err error) {
	c.release()
	if c.Leaving && err == event.ErrDetached {
		c.over()
		return
	}
	want := err == nil || err == io.EOF
	switch {
	case c.b.Stopping:
		want = err == event.ErrStopped
	case c.Dies != nil:
		want = false
	case c.Closing && c.Broke != nil:
		want = cause(err) == cause(c.Broke)
	case !c.Closing:
		c.Broke, want = err, err != nil
	}
	if c.Closed || !want || c.filling {
		c.b.Wrong("a connection ends with %v (twice: %v, with a ReadFull: %v)", err, c.Closed, c.filling)
	}
	c.over()
}

// over tells all waiting calls that nothing more comes.
func (c *Conn) over() {
	c.Closed = true
	for _, slot := range []*func(){&c.opener, &c.reader, &c.writer, &c.closer} {
		Tell(slot)
	}
}

// cause returns the innermost error.
func cause(err error) error {
	for u := errors.Unwrap(err); u != nil; u = errors.Unwrap(u) {
		err = u
	}
	return err
}

// failure returns why the connection can't be used.
func (c *Conn) failure() error {
	if c.Closing || c.Broke == nil {
		return net.ErrClosed
	}
	return c.Broke
}

// take calls f with what comes, until f is done.
func (c *Conn) take(f func(p []byte) (used int, done bool)) error {
	for {
		if c.Inside && (c.fresh || len(c.shown) > 0) {
			used, done := f(c.shown)
			c.fresh, c.part, c.shown = false, c.part || used > 0, c.shown[used:]
			if done {
				return nil
			}
		}
		switch {
		case c.Closed || c.Closing:
			return c.failure()
		case c.late:
			if c.late = false; c.records() { // no reader would use them
				c.pause()
			}
			return os.ErrDeadlineExceeded
		case c.ended && (c.Inside || c.left == 0):
			return io.EOF
		}
		if !c.Inside && (c.left > 0 || c.paused) {
			c.Show()
		}
		c.b.Await(&c.reader)
	}
}

func (c *Conn) Read(p []byte) (n int, err error) {
	err = c.take(func(q []byte) (int, bool) {
		n = copy(p, q)
		return n, true
	})
	return n, err
}

func (c *Conn) Discard(n int) (sum int, err error) {
	if n == 0 {
		return 0, nil
	}
	err = c.take(func(q []byte) (int, bool) {
		k := min(len(q), n-sum)
		sum += k
		return k, sum == n
	})
	return sum, err
}

func (c *Conn) Peek(n int) (p []byte, err error) {
	c.peeks = n
	c.Bound()
	err = c.take(func(q []byte) (int, bool) {
		p = bytes.Clone(q[:min(n, len(q))])
		return 0, len(q) >= n
	})
	c.peeks = 0
	c.Bound()
	return p, err
}

// Bound sets how much may be left unread.
func (c *Conn) Bound() {
	if c.Closed || c.Closing {
		return
	}
	most := max(c.Unread, c.peeks)
	if c.reader == nil && !c.Inside && c.left > most {
		c.pause()
	}
	c.C.SetUnreadMax(most)
}

func (c *Conn) Buffered() int { return c.left + len(c.shown) }

// Next keeps the memory of what is shown, if that is possible, and otherwise copies it.
func (c *Conn) Next() (b Lease, err error) {
	err = c.take(func(q []byte) (int, bool) {
		b = copied(bytes.Clone(q))
		if !c.part && !c.kept {
			switch kept, err := c.C.Keep(); {
			case err == nil:
				c.kept = true
				b = &lease{kept, c, bytes.Clone(q)}
			case err != event.ErrLeases:
				c.b.Wrong("Keep: %v", err)
			default:
				c.release()
			}
		}
		return len(q), true
	})
	return b, err
}

// Lease is a piece of memory that came from a connection.
type Lease interface {
	Bytes() []byte
	Release()
}

// copied is a Lease with a copy.
type copied []byte

func (b copied) Bytes() []byte { return b }
func (b copied) Release()      {}

// lease is memory that was kept, and must not change.
type lease struct {
	buf.Lease
	c    *Conn
	want []byte
}

// Release holds leases back, and releases all of them at once now and then.
func (b *lease) Release() {
	b.c.leases = append(b.c.leases, b)
	if b.c.Closed || b.c.b.Turn(3) {
		b.c.release()
	}
}

func (c *Conn) release() {
	for _, b := range c.leases {
		if !bytes.Equal(b.Bytes(), b.want) {
			c.b.Wrong("what was kept has changed")
		}
		b.Lease.Release()
	}
	c.leases = nil
}

// ReadV uses ReadFull, which fills all slices: its callers know that as many bytes come.
func (c *Conn) ReadV(bufs [][]byte) (int, error) {
	p := make([]byte, sumOf(bufs))
	n, err := c.ReadFull(p)
	for q := p[:n]; len(q) > 0; bufs = bufs[1:] {
		q = q[copy(bufs[0], q):]
	}
	return n, err
}

func sumOf(bufs [][]byte) (n int) {
	for _, b := range bufs {
		n += len(b)
	}
	return n
}

// ReadFull uses Conn.ReadFull, or Read on records, which have no ReadFull. The next one may begin in the callback of
// the last.
func (c *Conn) ReadFull(p []byte) (n int, err error) {
	if c.records() {
		return c.Read(p)
	}
	err = c.C.ReadFull(p, func(k int, failed error) {
		c.filling = false
		if n, err = k, failed; (err != nil) != (n < len(p)) {
			c.b.Wrong("ReadFull: %d of %d, %v", n, len(p), err)
		}
		c.left, c.again = max(0, c.left-n), true
		c.b.countFull(c)
		Tell(&c.reader)
	})
	if err != nil {
		return 0, c.failed(err)
	}
	if c.filling = true; c.C.ReadFull(p, func(int, error) {}) == nil {
		c.b.Wrong("two ReadFulls at a time")
	}
	if c.paused {
		c.paused = false
		c.C.Resume()
	}
	c.b.Await(&c.reader)
	switch {
	case c.Closing || c.Closed:
		return n, c.failure()
	case err == io.ErrUnexpectedEOF && n == 0:
		err = io.EOF
	}
	return n, err
}

func (c *Conn) CopyTo(w io.Writer) (int64, error) { return io.Copy(w, struct{ io.Reader }{c}) }

// CopyFrom lends each piece.
func (c *Conn) CopyFrom(r io.Reader) (sum int64, err error) {
	for p := make([]byte, 32<<10); ; {
		n, failed := r.Read(p)
		if n > 0 {
			if err := c.Lend(bytes.Clone(p[:n])); err != nil {
				return sum, err
			}
			sum += int64(n)
		}
		if failed == io.EOF {
			return sum, nil
		} else if failed != nil {
			return sum, failed
		}
	}
}

// Put calls write, again whenever there is room, until it does not fail with ErrFull.
func (c *Conn) Put(write func() error) error {
	for {
		err := write()
		if err != event.ErrFull {
			return c.failed(err)
		}
		if !c.C.Congested() {
			c.b.Wrong("a write was ErrFull, and the connection is not congested")
		}
		if err := c.AwaitWriter(); err != nil {
			return err
		}
	}
}

// AwaitWriter waits for room, for the end of a send, or for a timeout.
func (c *Conn) AwaitWriter() error {
	c.stuck = false
	c.b.Await(&c.writer)
	if c.stuck && !c.Closed {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// failed returns the error of a call; for a connection that ends by itself it is the reason of that.
func (c *Conn) failed(err error) error {
	switch {
	case err == nil || c.Closing:
	case errors.Is(err, net.ErrClosed):
		if !c.Closed {
			c.b.Await(&c.closer)
		}
		return c.failure()
	default:
		c.Broke = err
	}
	return err
}

// Write overwrites its copy of p after the write: package event must have taken the bytes by then.
func (c *Conn) Write(p []byte) (int, error) { return c.WriteV([][]byte{p}) }

func (c *Conn) WriteV(bufs [][]byte) (int, error) {
	mine := make([][]byte, len(bufs))
	err := c.Put(func() error {
		for i, p := range bufs {
			mine[i] = bytes.Clone(p)
		}
		if len(mine) == 1 {
			return c.C.Write(mine[0])
		}
		return c.C.WriteV(mine)
	})
	for _, p := range mine {
		clear(p)
	}
	if err != nil {
		return 0, err
	}
	return sumOf(bufs), nil
}

func (c *Conn) TryWrite(p []byte) (int, error) {
	switch err := c.C.Write(p); err {
	case event.ErrFull:
		return 0, nil
	case nil:
		return len(p), nil
	default:
		return 0, c.failed(err)
	}
}

// Lend writes p, which belongs to the connection until the end of the send is reported.
func (c *Conn) Lend(p []byte) error {
	return c.Put(func() error { return c.tell(func(then func(error)) error { return c.C.WriteThen(p, then) }) })
}

// tell makes a call with a function that must be called once, and after those of earlier calls.
func (c *Conn) tell(call func(then func(error)) error) error {
	mine := c.owed
	c.owed++
	err := call(func(err error) {
		if c.told != mine {
			c.b.Wrong("function %d is told, %d were", mine, c.told)
		}
		if c.told++; err != nil && c.Broke == nil && !c.Closing {
			c.Broke = err
		}
		if c.told == c.owed {
			Tell(&c.writer)
		}
	})
	if err != nil {
		c.owed--
	}
	return err
}

func (c *Conn) WriteLease(b Lease) (int, error) { return c.Write(b.Bytes()) }

// SendFile returns before the file is sent. Flush waits for that.
func (c *Conn) SendFile(head []byte, f event.File, off, n int64) (int, error) {
	if _, err := c.Write(head); err != nil {
		return 0, err
	}
	err := c.Put(func() error {
		return c.tell(func(then func(error)) error { return c.C.SendFile(f, off, n, then) })
	})
	if err != nil {
		return 0, err
	}
	return int(n), nil
}

// Flush waits until everything is sent whose end is reported; on a stream that is everything.
func (c *Conn) Flush() error {
	if !c.records() && !c.Over {
		if err := c.Lend(nil); err != nil {
			return err
		}
	}
	for c.told < c.owed && !c.Closed {
		if err := c.AwaitWriter(); err != nil {
			return err
		}
	}
	return c.Broke
}

func (c *Conn) CloseWrite() error {
	err := c.failed(c.C.CloseWrite())
	c.Over = c.Over || err == nil
	return err
}

func (c *Conn) Close() error {
	if c.Closing {
		return net.ErrClosed
	}
	if c.Closing = true; c.Closed {
		return nil
	}
	c.C.Close()
	c.tryClosed()
	return c.AwaitClosed()
}

func (c *Conn) AwaitClosed() error {
	if !c.Closed {
		c.b.Await(&c.closer)
	}
	if c.told != c.owed {
		c.b.Wrong("%d of %d functions were told", c.told, c.owed)
	}
	return nil
}

// tryClosed checks that nothing can begin on a connection that was closed in this turn.
func (c *Conn) tryClosed() {
	never := func(error) { c.b.Wrong("something goes on behind a Close") }
	for i, err := range []error{
		c.C.Write([]byte("x")),
		c.C.WriteV([][]byte{[]byte("x"), []byte("y")}),
		c.C.WriteThen([]byte("x"), never),
		c.C.CloseWrite(),
		c.C.ReadFull(make([]byte, 1), func(_ int, err error) { never(err) }),
	} {
		if !errors.Is(err, net.ErrClosed) {
			c.b.Wrong("call %d of what was closed in this turn: %v", i, err)
		}
	}
	c.C.Pause()
	c.C.Resume()
	c.C.Close()
}

// CloseSoon aborts the connection, unless that would lose bytes: of those written in this turn some may not be sent.
func (c *Conn) CloseSoon() {
	c.b.Now.Until(func() bool { return true })
	if c.C.Unsent() == 0 && !c.Closed {
		c.Closing = true
		c.C.Abort()
		c.Closing = false
	}
}

func (c *Conn) LocalAddr() net.Addr  { return c.C.LocalAddr() }
func (c *Conn) RemoteAddr() net.Addr { return c.C.RemoteAddr() }

func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *Conn) SetReadDeadline(t time.Time) error {
	c.reads = c.b.until(t)
	return c.setTimeouts()
}

func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.writes = c.b.until(t)
	return c.setTimeouts()
}

// until returns the time until t, as a timeout.
func (b *Actors) until(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	if b.Clock != nil {
		return max(1, t.Sub(b.Clock()))
	}
	return max(1, time.Until(t))
}

func (c *Conn) setTimeouts() error {
	if c.Closing || c.Leaving && c.Closed {
		return net.ErrClosed
	}
	c.C.SetTimeouts(c.reads, c.writes)
	return nil
}

// SetIdle makes the loop's Wait ignore the connection, or wait for it.
func (c *Conn) SetIdle(on bool) error {
	if on {
		c.C.Unref()
	} else {
		c.C.Ref()
	}
	return nil
}

// Adopt gives a connection to callbacks. A task calls it.
func (c *Conn) Adopt(s *sock.Conn) (err error) {
	c.C, err = c.b.E.Adopt(s, c)
	return err
}

// Detach makes a task take the connection, and call f with it.
func (c *Conn) Detach(f func(s *sock.Conn) error) (err error) {
	c.Leaving = true
	c.b.Now.Aside(func() {
		var s *sock.Conn
		if s, err = c.C.Detach(); err != nil {
			c.Leaving = false
			return
		}
		err = f(s)
	})
	return err
}
