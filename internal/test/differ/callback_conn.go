package differ

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"time"

	"ringo/buf"
	"ringo/event"
	"ringo/sock"
)

// eventConn is a connection of callbacks, and a Conn of the actors of its loop: each call that waits goes on in the
// callback that it waits for.
type eventConn struct {
	b *callbacks
	c *event.Conn

	opened, ended, closed bool // it was told so
	closing               bool // somebody has closed it
	leaving               bool // for a task
	broke                 error
	late                  bool // OnTimeout was called
	paused                bool
	again                 bool // the same may be shown once more
	filling               bool // there is a ReadFull
	dies                  bool // a callback is to panic, or to exit, and has not yet
	over                  bool // it has ended its side

	inside bool   // an OnData goes on
	fresh  bool   // nobody has looked at what it shows
	shown  []byte // by it, and not used yet
	part   bool   // some of it was
	kept   bool
	left   int // what it has left, outside of it

	opener, reader, writer, closer func()

	owed, told    int // functions that are to be told of what was sent, in order
	unread, peeks int
	reads, writes time.Duration
	how           int // it dies
	leases        []*eventLease
}

const unreadMost = 64 << 10

func (c *eventConn) wait(slot *func()) { c.b.wait(slot) }

func (c *eventConn) records() bool { return c.LocalAddr().Network() == "unixpacket" }

func (c *eventConn) OnOpen(ec *event.Conn) {
	if c.opened || c.closed {
		c.b.wrong("a connection is opened again")
	}
	c.opened, c.c = true, ec
	if c.reader == nil && (c.records() || c.b.turn(2)) {
		c.pause()
	}
	if c.b.turn(3) {
		c.unread = 20
		c.bound()
	}
	if c.b.turn(3) {
		ec.SetMarks(1, 1<<(c.b.turns%20))
	}
	if c.b.turn(5) {
		c.b.e.SetUnsentMax(1 + c.b.turns*37%200)
	}
	tellOne(&c.opener)
}

func (c *eventConn) OnData(_ *event.Conn, p []byte) int {
	switch {
	case !c.opened || c.closed || c.closing && !c.dies:
		c.b.wrong("something is shown before OnOpen, or behind a Close")
	case c.filling:
		c.b.wrong("something is shown beside a ReadFull")
	case len(p) <= c.left && len(p) > 0 && !c.again:
		c.b.wrong("%d bytes are shown, of which %d are not new", len(p), c.left)
	case c.dies:
		c.die()
	}
	c.inside, c.fresh, c.part, c.kept, c.again, c.shown = true, true, false, false, false, p
	tellOne(&c.reader)
	left := len(c.shown)
	c.inside, c.left, c.shown = false, left, nil
	if c.reader == nil && !c.dies && (left > c.unread || left > 0 && c.b.turn(2) || c.b.turn(4) || c.records()) {
		c.pause()
	}
	return len(p) - left
}

func (c *eventConn) pause() {
	if !c.paused {
		c.paused = true
		c.c.Pause()
	}
}

// resume has what was left be shown again, and what comes.
func (c *eventConn) resume() {
	if c.left > 0 {
		c.pause()
		c.again = true
	}
	c.paused = false
	c.c.Resume()
}

func (c *eventConn) OnEnd(*event.Conn) {
	if c.ended || c.closing && !c.leaving && !c.dies || c.filling {
		c.b.wrong("an end is told twice, behind a Close or beside a ReadFull")
	}
	c.ended = true
	tellOne(&c.reader)
}

func (c *eventConn) OnWritable(*event.Conn) { tellOne(&c.writer) }

func (c *eventConn) OnTimeout(_ *event.Conn, what event.Timeout) {
	if what&event.ReadTimeout != 0 && c.reader != nil && !c.filling {
		c.late = true
		tellOne(&c.reader)
	}
}

func (c *eventConn) OnClose(_ *event.Conn, err error) {
	c.release()
	if c.leaving && err == event.ErrDetached {
		return
	}
	want := err == nil || err == io.EOF
	switch {
	case c.b.stopping:
		want = err == event.ErrStopped
	case c.dies:
		want = false
	case c.closing && c.broke != nil:
		want = class(err) == class(c.broke)
	case !c.closing:
		c.broke, want = err, err != nil
	}
	if c.closed || !want || c.filling {
		c.b.wrong("a connection ends with %v (twice: %v, with a ReadFull: %v)", err, c.closed, c.filling)
	}
	c.closed = true
	for _, slot := range []*func(){&c.opener, &c.reader, &c.writer, &c.closer} {
		tellOne(slot)
	}
}

// failure is why nothing more can be done with it.
func (c *eventConn) failure() error {
	if c.closing || c.broke == nil {
		return net.ErrClosed
	}
	return c.broke
}

// take has f look at what comes, until that is done.
func (c *eventConn) take(f func(p []byte) (used int, done bool)) error {
	for {
		if c.inside && (c.fresh || len(c.shown) > 0) {
			used, done := f(c.shown)
			c.fresh, c.part, c.shown = false, c.part || used > 0, c.shown[used:]
			if done {
				return nil
			}
		}
		switch {
		case c.closed || c.closing:
			return c.failure()
		case c.late:
			if c.late = false; c.records() { // nobody would use them
				c.pause()
			}
			return os.ErrDeadlineExceeded
		case c.ended && (c.inside || c.left == 0):
			return io.EOF
		}
		if !c.inside && (c.left > 0 || c.paused) {
			c.resume()
		}
		c.wait(&c.reader)
	}
}

func (c *eventConn) Read(p []byte) (n int, err error) {
	err = c.take(func(q []byte) (int, bool) {
		n = copy(p, q)
		return n, true
	})
	return n, err
}

func (c *eventConn) Discard(n int) (sum int, err error) {
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

func (c *eventConn) Peek(n int) (p []byte, err error) {
	c.peeks = n
	c.bound()
	err = c.take(func(q []byte) (int, bool) {
		p = bytes.Clone(q[:min(n, len(q))])
		return 0, len(q) >= n
	})
	c.peeks = 0
	c.bound()
	return p, err
}

// bound sets how much may be left.
func (c *eventConn) bound() {
	if c.closed || c.closing {
		return
	}
	most := max(c.unread, c.peeks)
	if c.reader == nil && !c.inside && c.left > most {
		c.pause()
	}
	c.c.SetUnreadMax(most)
}

func (c *eventConn) Buffered() int { return c.left + len(c.shown) }

// Next keeps what is shown, if that may be.
func (c *eventConn) Next() (b Lease, err error) {
	err = c.take(func(q []byte) (int, bool) {
		b = plainLease(bytes.Clone(q))
		if !c.part && !c.kept {
			switch lease, err := c.c.Keep(); {
			case err == nil:
				c.kept = true
				b = &eventLease{lease, c, bytes.Clone(q)}
			case err != event.ErrLeases:
				c.b.wrong("Keep: %v", err)
			default:
				c.release()
			}
		}
		return len(q), true
	})
	return b, err
}

// eventLease is what was kept, which stays as it was.
type eventLease struct {
	buf.Lease
	c    *eventConn
	want []byte
}

// Release keeps some for longer, until no more are to be had.
func (b *eventLease) Release() {
	b.c.leases = append(b.c.leases, b)
	if b.c.closed || b.c.b.turn(3) {
		b.c.release()
	}
}

func (c *eventConn) release() {
	for _, b := range c.leases {
		if !bytes.Equal(b.Bytes(), b.want) {
			c.b.wrong("what was kept has changed")
		}
		b.Lease.Release()
	}
	c.leases = nil
}

// ReadV has a slice be filled with all that there is room for, which is what its callers know to come.
func (c *eventConn) ReadV(bufs [][]byte) (int, error) {
	p := make([]byte, sumOf(bufs))
	n, err := c.readFull(p)
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

// readFull is a ReadFull, or a Read where there is none. One may follow another in the callback of that.
func (c *eventConn) readFull(p []byte) (n int, err error) {
	if c.records() {
		return c.Read(p)
	}
	err = c.c.ReadFull(p, func(k int, failed error) {
		c.filling = false
		if n, err = k, failed; (err != nil) != (n < len(p)) {
			c.b.wrong("ReadFull: %d of %d, %v", n, len(p), err)
		}
		c.left, c.again = max(0, c.left-n), true
		c.b.countFull(c)
		tellOne(&c.reader)
	})
	if err != nil {
		return 0, c.failed(err)
	}
	c.filling = true
	if c.paused {
		c.paused = false
		c.c.Resume()
	}
	c.wait(&c.reader)
	switch {
	case c.closing || c.closed:
		return n, c.failure()
	case err == io.ErrUnexpectedEOF && n == 0:
		err = io.EOF
	}
	return n, err
}

func (c *eventConn) CopyTo(w io.Writer) (int64, error) { return io.Copy(w, plainReader{c}) }

// CopyFrom lends each piece.
func (c *eventConn) CopyFrom(r io.Reader) (sum int64, err error) {
	for p := make([]byte, 32<<10); ; {
		n, failed := r.Read(p)
		if n > 0 {
			if err := c.lend(bytes.Clone(p[:n])); err != nil {
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

// put writes, when there is room.
func (c *eventConn) put(write func() error) error {
	for {
		err := write()
		if err != event.ErrFull {
			return c.failed(err)
		}
		if !c.c.Congested() {
			c.b.wrong("a write was ErrFull, and the connection is not congested")
		}
		c.wait(&c.writer)
	}
}

// failed is the error of a call: a connection that ends by itself says why.
func (c *eventConn) failed(err error) error {
	switch {
	case err == nil || c.closing:
	case errors.Is(err, net.ErrClosed):
		if !c.closed {
			c.wait(&c.closer)
		}
		return c.failure()
	default:
		c.broke = err
	}
	return err
}

// Write has what it has written be another's.
func (c *eventConn) Write(p []byte) (int, error) { return c.WriteV([][]byte{p}) }

func (c *eventConn) WriteV(bufs [][]byte) (int, error) {
	mine := make([][]byte, len(bufs))
	err := c.put(func() error {
		for i, p := range bufs {
			mine[i] = bytes.Clone(p)
		}
		if len(mine) == 1 {
			return c.c.Write(mine[0])
		}
		return c.c.WriteV(mine)
	})
	for _, p := range mine {
		clear(p)
	}
	if err != nil {
		return 0, err
	}
	return sumOf(bufs), nil
}

func (c *eventConn) TryWrite(p []byte) (int, error) {
	switch err := c.c.Write(p); err {
	case event.ErrFull:
		return 0, nil
	case nil:
		return len(p), nil
	default:
		return 0, c.failed(err)
	}
}

// lend writes p, which stays the connection's until that is told.
func (c *eventConn) lend(p []byte) error {
	return c.put(func() error { return c.tell(func(then func(error)) error { return c.c.WriteThen(p, then) }) })
}

// tell makes a call of which a function is told, once and behind those before it.
func (c *eventConn) tell(call func(then func(error)) error) error {
	mine := c.owed
	c.owed++
	err := call(func(err error) {
		if c.told != mine {
			c.b.wrong("function %d is told, %d were", mine, c.told)
		}
		if c.told++; err != nil && c.broke == nil && !c.closing {
			c.broke = err
		}
		if c.told == c.owed {
			tellOne(&c.writer)
		}
	})
	if err != nil {
		c.owed--
	}
	return err
}

func (c *eventConn) WriteLease(b Lease) (int, error) { return c.Write(b.Bytes()) }

// SendFile returns before the file is sent. Flush waits for that.
func (c *eventConn) SendFile(head []byte, f File, off, n int64) (int, error) {
	if _, err := c.Write(head); err != nil {
		return 0, err
	}
	err := c.put(func() error {
		return c.tell(func(then func(error)) error { return c.c.SendFile(f.(ringoFile).File, off, n, then) })
	})
	if err != nil {
		return 0, err
	}
	return int(n), nil
}

// Flush waits until all is sent that somebody is told of; of a stream that is all.
func (c *eventConn) Flush() error {
	if !c.records() && !c.over {
		if err := c.lend(nil); err != nil {
			return err
		}
	}
	for c.told < c.owed && !c.closed {
		c.wait(&c.writer)
	}
	return c.broke
}

func (c *eventConn) CloseWrite() error {
	err := c.failed(c.c.CloseWrite())
	c.over = c.over || err == nil
	return err
}

func (c *eventConn) Close() error {
	if c.closing {
		return net.ErrClosed
	}
	if c.closing = true; c.closed {
		return nil
	}
	c.c.Close()
	c.tryClosed()
	return c.awaitClosed()
}

func (c *eventConn) awaitClosed() error {
	if !c.closed {
		c.wait(&c.closer)
	}
	if c.told != c.owed {
		c.b.wrong("%d of %d functions were told", c.told, c.owed)
	}
	return nil
}

// tryClosed wants of a connection that was closed in this turn that nothing begins on it any more.
func (c *eventConn) tryClosed() {
	never := func(error) { c.b.wrong("something goes on behind a Close") }
	for i, err := range []error{
		c.c.Write([]byte("x")),
		c.c.WriteV([][]byte{[]byte("x"), []byte("y")}),
		c.c.WriteThen([]byte("x"), never),
		c.c.CloseWrite(),
		c.c.ReadFull(make([]byte, 1), func(_ int, err error) { never(err) }),
	} {
		if !errors.Is(err, net.ErrClosed) {
			c.b.wrong("call %d of what was closed in this turn: %v", i, err)
		}
	}
	c.c.Pause()
	c.c.Resume()
	c.c.Close()
}

// CloseSoon is an Abort, where nothing is lost by it.
func (c *eventConn) CloseSoon() {
	if c.c.Unsent() == 0 && !c.closed {
		c.closing = true
		c.c.Abort()
		c.closing = false
	}
}

// closeBesideDetach has a task detach it and close it, and another that comes behind abort it.
func (c *eventConn) closeBesideDetach() error {
	a := c.b.now
	if err := c.Flush(); err != nil || c.c.Unsent() > 0 || c.over {
		return c.Close()
	}
	c.closing, c.leaving = true, true
	a.Aside(func() {
		a.l.Go(func() { c.c.Abort() })
		s, err := c.c.Detach()
		if err == nil {
			c.closed = true
			err = s.Close()
		} else if errors.Is(err, net.ErrClosed) {
			err = nil
		}
		if err != nil {
			c.b.wrong("Detach and Abort: %v", err)
		}
	})
	return c.awaitClosed()
}

// endStuck ends a connection by which more is written than the socket takes.
func (c *eventConn) endStuck(p []byte) string {
	c.lend(p)
	c.b.now.until(func() bool { return true })
	stuck := c.c.Unsent() > 0
	c.closing = true
	c.c.Abort()
	return fmt.Sprint(stuck, " ", class(c.awaitClosed()))
}

// perish has a callback of the connection panic, or exit, which ends it.
func (c *eventConn) perish(how int) error {
	if c.Flush(); c.inside { // what is left can't be shown again before
		c.b.now.until(func() bool { return true })
	}
	c.closing, c.dies = true, true
	c.how = how
	switch how / 2 {
	case 0:
		c.c.WriteThen(nil, func(error) { c.die() })
	case 1:
		c.c.ReadFull(nil, func(int, error) { c.die() })
	}
	c.resume()
	return c.awaitClosed()
}

func (c *eventConn) die() {
	c.dies, c.broke = false, event.ErrNoReturn
	if c.how%2 == 1 {
		runtime.Goexit()
	}
	panic(onPurpose)
}

// onPurpose is what callbacks panic with that are to.
const onPurpose = "differ: as it is planned"

// detach has a task take the connection, and make something of it.
func (c *eventConn) detach(f func(s *sock.Conn) (Conn, error)) (made Conn, err error) {
	c.leaving = true
	c.b.now.Aside(func() {
		var s *sock.Conn
		if s, err = c.c.Detach(); err == nil {
			made, err = f(s)
		}
	})
	return made, err
}

// SetLinger is for tasks: it goes to one and comes back.
func (c *eventConn) SetLinger(sec int) error {
	_, err := c.detach(func(s *sock.Conn) (Conn, error) {
		if err := s.SetLinger(sec); err != nil {
			return nil, err
		}
		*c = eventConn{b: c.b, unread: unreadMost}
		return c, c.adopt(s)
	})
	return err
}

// MoveTo goes by way of a task to the callbacks of another loop.
func (c *eventConn) MoveTo(to int) (Conn, error) {
	a := c.b.now
	return c.detach(func(s *sock.Conn) (made Conn, err error) {
		l := a.loop(to)
		if l == a.l {
			return c.b.adopt(s)
		}
		if s, err = s.MoveTo(l); err != nil {
			return nil, err
		}
		err = l.Call(func() (err error) {
			made, err = a.boards[to].adopt(s)
			return err
		})
		return made, err
	})
}

func (c *eventConn) Leave(to, n int, _ func(f func() error) error) (p []byte, _ Conn, err error) {
	a := c.b.now
	back, err := c.detach(func(s *sock.Conn) (_ Conn, err error) {
		var back Conn
		if p, back, err = (ringoConn{s}).Leave(to, n, a.Offload); err != nil {
			return nil, err
		}
		return c.b.adopt(back.(ringoConn).Conn)
	})
	return p, back, err
}

func (c *eventConn) LocalAddr() net.Addr  { return c.c.LocalAddr() }
func (c *eventConn) RemoteAddr() net.Addr { return c.c.RemoteAddr() }

func (c *eventConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *eventConn) SetReadDeadline(t time.Time) error {
	c.reads = untilDeadline(t)
	return c.setTimeouts()
}

func (c *eventConn) SetWriteDeadline(t time.Time) error {
	c.writes = untilDeadline(t)
	return c.setTimeouts()
}

func untilDeadline(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(1, time.Until(t))
}

func (c *eventConn) setTimeouts() error {
	if c.closing {
		return net.ErrClosed
	}
	c.c.SetTimeouts(c.reads, c.writes)
	return nil
}

// The bounds that there are take the place of options that tasks have.

func (c *eventConn) SetBatching(on bool) error {
	c.unread = unreadMost
	if on {
		c.unread = 20
	}
	c.bound()
	return nil
}

func (c *eventConn) SetNoDelay(on bool) error {
	if on {
		c.c.SetMarks(1, 1)
	} else {
		c.c.SetMarks(64<<10, 1<<20)
	}
	return nil
}

func (c *eventConn) SetIdle(on bool) error {
	if on {
		c.c.Unref()
	} else {
		c.c.Ref()
	}
	return nil
}

func (c *eventConn) SetReadBuffer(n int) error {
	if n > 64<<10 {
		n = 100
	} else {
		n = unsentMost
	}
	c.b.e.SetUnsentMax(n)
	return nil
}

func (c *eventConn) SetWriteBuffer(int) error { return nil }

// holder is the callbacks that have an object, which no others may use; nil: none.
func holder(v any) *callbacks {
	if at, served := v.(server); served {
		v = at.Listener
	}
	switch v := v.(type) {
	case *eventConn:
		return v.b
	case *eventListener:
		return v.b
	}
	return nil
}

// ofCallbacks reports whether a callback makes a call itself.
func (a *actor) ofCallbacks(s *Step) bool {
	if _, is := a.World.(*callbackWorld); !is {
		return false
	}
	switch s.verb {
	case listen, dial, refused:
		return true
	case accept:
		return holder(a.objs[s.P]) != nil
	case stopLoop:
		return true
	case waitFor:
		return (s.M == waitOnConn || s.M == waitOnListener) && holder(a.objs[s.O]) != nil
	}
	return slices.Contains(ofSockets, s.verb) && holder(a.objs[s.O]) != nil
}
