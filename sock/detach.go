package sock

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"ringo/internal/handle"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/relay"
	"ringo/internal/sys"
)

// File returns a file with another descriptor of the socket, close-on-exec, as package net's File methods do. The
// connection stays usable, and closing one does not affect the other: the peer sees the end when both are closed. They
// share options and the non-blocking mode.
//
// Received bytes that have not been read would be missing in the file, so if there are any, File fails with ErrUnread.
// After File the connection receives nothing until a reader asks: if it is closed or left alone, everything that
// follows can be read from the file. File does not wait for a reader that is in a call; that reader gets the next
// bytes.
//
// Any goroutine may call it; a task of another loop parks.
func (c *Conn) File() (f *os.File, err error) {
	err = onOwner(c.l, func() error {
		f, err = c.file()
		return err
	})
	return f, c.failOnOwner("file", err)
}

// failOnOwner wraps the error of onOwner if the loop has ended.
func (c *Conn) failOnOwner(name string, err error) error {
	if err == errEnded {
		return c.fail(name, err)
	}
	return err
}

func (c *Conn) file() (*os.File, error) {
	if err := c.l.World().Passage(); err != nil {
		return nil, c.fail("file", err)
	}
	if err := c.core.Check(); err != nil {
		return nil, c.fail("file", err)
	}
	if err := c.core.FlushFirst(); err != nil {
		return nil, c.fail("file", err)
	}
	c.core.Reclaim(handle.In)
	if !c.core.Own(handle.In).Taken() {
		if err := c.disarmed(); err != nil {
			return nil, c.fail("file", err)
		}
	}
	f, err := fileFor(c.l.Kernel().Dup(c.core.FD().Sys()),
		fmt.Sprintf("%s:%v->%v", c.network(), c.LocalAddr(), c.RemoteAddr()))
	return f, c.failed("file", err)
}

// disarmed ends what is armed on an input that no caller uses. It fails if there are unread bytes.
func (c *Conn) disarmed() error {
	in := &c.in
	a, err := c.core.Enter(handle.In)
	if err != nil {
		return err
	}
	defer c.core.Leave(a)
	c.core.Quiesce(handle.In)
	switch {
	case c.core.Closing():
		return net.ErrClosed
	case in.Any():
		return ErrUnread
	case c.serve.resting(): // its server goes on waiting
		in.arm(c)
	}
	return nil
}

// File returns a file with another descriptor of the listening socket, close-on-exec, as package net's File methods do,
// to pass it to a program that continues to listen. Closing one does not affect the other; peers are refused when both
// are closed. Connections that the loop has already accepted stay with the listener. Any goroutine may call it.
func (ln *Listener) File() (*os.File, error) {
	if ln.l == nil {
		return nil, errZero
	}
	if err := ln.l.World().Passage(); err != nil {
		return nil, ln.fail("file", err)
	}
	var n int32
	err := (*rawListener)(ln).Control(func(fd uintptr) {
		n = ln.l.Kernel().Dup(int32(fd))
	})
	if err != nil {
		return nil, err
	}
	f, err := fileFor(n, nameOfFile(ln.Addr()))
	if err != nil {
		return nil, ln.fail("file", err)
	}
	return f, nil
}

// fileFor makes a file of n, a new descriptor, or the result of the call that was to make one.
func fileFor(n int32, name string) (*os.File, error) {
	if err := called("fcntl", n); err != nil {
		return nil, err
	}
	return kernel.OSFile(n, name)
}

// nameOfFile returns the name of a file of a socket that has one address.
func nameOfFile(addr net.Addr) string { return fmt.Sprintf("%s:%v", addr.Network(), addr) }

// File is Listener.File for a set whose loops share one socket, as those of ListenConfig.OneSocket, of Unix sockets and
// of AdoptSet do: a successor listens on it, and gets the peers that wait there. For other sets the error matches
// errors.ErrUnsupported, for closed ones net.ErrClosed. The file of a Unix socket is removed as usual, unless
// SetUnlinkOnClose says otherwise. Any goroutine may call it; it does not park.
func (s *ListenerSet) File() (*os.File, error) {
	if s.network == "" {
		return nil, errZero
	}
	fail := func(op string, err error) error {
		return &net.OpError{Op: op, Net: s.network, Addr: s.Addr(), Err: err}
	}
	for _, home := range []*loop.Loop{loop.Home(), s.home} {
		if err := home.World().Passage(); err != nil {
			return nil, fail("file", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.share == nil:
		return nil, fail("file", fmt.Errorf("%w: each loop has a socket of its own; see ListenConfig.OneSocket",
			errors.ErrUnsupported))
	case s.first < 0:
		return nil, fail("file", net.ErrClosed)
	}
	f, err := fileFor(s.k.Dup(s.first), nameOfFile(s.Addr()))
	if err != nil {
		return nil, fail("file", err)
	}
	return f, nil
}

// Detach takes the socket out of Ringo. It returns the descriptor, close-on-exec and in non-blocking mode, which the
// caller has to close, and the bytes that were received but not read; these come before everything that the kernel
// still has. For a "unixpacket" connection that was peeked into they are records without their boundaries.
//
// To all other callers the connection is closed: waiting calls return net.ErrClosed, writes with the count of bytes
// sent. The socket itself is not shut down, and leases stay valid. A Handler sees the connection end as if it had
// closed it.
//
// Bytes written before are sent first, even if the calling task is cancelled: if a slow peer has not taken them after
// 10 s, or when Grace ends, the error is ErrUnsent and the connection is reset. If an earlier send has failed and no
// call has returned its error, Detach returns it and the connection is lost. Detach waits for a copy (io.Copy, WriteTo)
// from the connection as MoveTo does. All this also applies to DetachConn, DetachTCP and DetachUnix.
//
// Any goroutine may call it; a task parks until the operations in flight have ended.
func (c *Conn) Detach() (fd int, unread []byte, err error) {
	fd = -1
	err = onOwner(c.l, func() error {
		if err := c.l.World().Passage(); err != nil {
			return c.fail("detach", err)
		}
		p, err := c.part("detach")
		if err != nil {
			return err
		}
		if err := p.send(c); err != nil {
			return c.fail("detach", err)
		}
		fd, unread = int(p.FD), p.Unread
		return nil
	})
	return fd, unread, c.failOnOwner("detach", err)
}

// DetachConn is like Detach, but returns a connection of package net, which returns the unread bytes first. It is a
// *net.TCPConn or *net.UnixConn if there are no unread bytes and the connection is not known to have failed; otherwise
// another net.Conn that has CloseRead and CloseWrite as well. If it fails, except by a failed send, the connection is
// unchanged.
//
// Any goroutine may call it; a task parks until the operations in flight have ended.
func (c *Conn) DetachConn() (conn net.Conn, err error) {
	err = onOwner(c.l, func() error {
		conn, err = c.detachConn()
		return err
	})
	return conn, c.failOnOwner("detach", err)
}

func (c *Conn) detachConn() (net.Conn, error) {
	conn, p, err := c.detachNet()
	if err != nil {
		return nil, err
	}
	d := &detached{Conn: conn, unread: p.Unread}
	if p.Err != 0 {
		d.failed = c.fail("read", callError("read", p.Err))
	}
	if len(d.unread) > 0 || d.failed != nil {
		return d, nil
	}
	return conn, nil
}

// DetachTCP is like Detach, but returns a *net.TCPConn, for code that takes nothing else: DetachConn returns another
// type if there are unread bytes. The unread bytes come before everything that conn reads. Bytes written before are
// sent first, as with Detach. If the connection is known to have failed, conn is nil, and DetachTCP returns the bytes
// that came before and the failure's error. On a connection of another network it fails with EOPNOTSUPP and changes
// nothing.
//
// Any goroutine may call it; a task parks until the operations in flight have ended. conn belongs to package net: its
// Read and Write would stop the loop of a task.
func (c *Conn) DetachTCP() (conn *net.TCPConn, unread []byte, err error) {
	return detachAs[*net.TCPConn](c, c.tcp())
}

// DetachUnix is like DetachTCP, but for a connection between Unix sockets, and returns a *net.UnixConn. For a
// "unixpacket" connection that was peeked into, the unread bytes are records without their boundaries. A task parks.
func (c *Conn) DetachUnix() (conn *net.UnixConn, unread []byte, err error) {
	return detachAs[*net.UnixConn](c, c.unix != nil)
}

// detachAs is DetachTCP for one type of connection; network reports whether the connection has that type.
func detachAs[C interface {
	comparable
	net.Conn
}](c *Conn, network bool) (conn C, unread []byte, err error) {
	if !network {
		return conn, nil, c.refuse("detach", callError("detach", -sys.EOPNOTSUPP))
	}
	err = onOwner(c.l, func() error {
		made, p, err := c.detachNet()
		if err != nil {
			return err
		}
		if unread = p.Unread; p.Err != 0 {
			made.Close()
			return c.fail("read", callError("read", p.Err))
		}
		conn = made.(C)
		return nil
	})
	return conn, unread, c.failOnOwner("detach", err)
}

// detachNet takes the connection out of Ringo, and makes a connection of package net of it.
func (c *Conn) detachNet() (net.Conn, *detachState, error) {
	if err := c.l.World().Passage(); err != nil {
		return nil, nil, c.fail("detach", err)
	}
	if err := c.core.Check(); err != nil {
		return nil, nil, c.fail("detach", err)
	}
	conn, err := netOf(c.l, &c.core, net.FileConn)
	if err != nil {
		return nil, nil, c.fail("detach", err)
	}
	p, err := c.part("detach")
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	if err := p.send(c); err != nil {
		conn.Close()
		return nil, nil, c.fail("detach", err)
	}
	c.l.Kernel().Close(p.FD)
	return conn, p, nil
}

// netOf makes another handle of a socket, one of package net. by makes it of a file, which it duplicates.
func netOf[N any](l *loop.Loop, c *handle.Core, by func(*os.File) (N, error)) (made N, err error) {
	f, err := fileFor(l.Kernel().Dup(c.FD().Sys()), "socket")
	if err == nil {
		made, err = by(f)
		f.Close()
	}
	return made, err
}

// detached is a connection of package net, preceded by the bytes that were read before, and by the error with which it
// has failed if that was read, too: the kernel reports it only once.
type detached struct {
	net.Conn
	failed error

	mu     sync.Mutex
	unread []byte
	lent   bool          // a WriteTo has them: readers wait, since what it does not write comes first
	limit  time.Time     // of reads; zero: none
	closed bool          // by Close
	news   chan struct{} // closed when one of the above has changed; nil: no caller waits
}

// enter waits until no WriteTo has the unread bytes. It holds mu when it returns, unless there is an error.
func (d *detached) enter() error {
	d.mu.Lock()
	for d.lent || d.closed {
		var late <-chan time.Time
		if !d.limit.IsZero() {
			late = time.After(time.Until(d.limit))
		}
		if d.news == nil {
			d.news = make(chan struct{})
		}
		news, err := d.news, error(nil)
		if d.closed {
			err = net.ErrClosed
		}
		d.mu.Unlock()
		if err == nil {
			select {
			case <-news:
			case <-late:
				err = os.ErrDeadlineExceeded
			}
		}
		if err != nil {
			local, remote := d.LocalAddr(), d.RemoteAddr()
			return &net.OpError{Op: "read", Net: local.Network(), Source: local, Addr: remote, Err: err}
		}
		d.mu.Lock()
	}
	return nil
}

// change runs f under mu, and wakes the callers that wait in enter.
func (d *detached) change(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	if d.news != nil {
		close(d.news)
		d.news = nil
	}
}

// Read returns the unread bytes first, even after a deadline.
func (d *detached) Read(p []byte) (int, error) {
	if err := d.enter(); err != nil {
		return 0, err
	}
	n, some := copy(p, d.unread), len(d.unread) > 0
	d.unread = d.unread[n:]
	d.mu.Unlock()
	switch {
	case some:
		return n, nil
	case d.failed != nil:
		return 0, d.failed
	}
	return d.Conn.Read(p)
}

// WriteTo writes the unread bytes first.
func (d *detached) WriteTo(w io.Writer) (int64, error) {
	first, err := d.writeUnread(w)
	switch {
	case err != nil:
		return first, err
	case d.failed != nil:
		return first, d.failed
	}
	n, err := io.Copy(w, d.Conn)
	return first + n, err
}

func (d *detached) writeUnread(w io.Writer) (int64, error) {
	if err := d.enter(); err != nil {
		return 0, err
	}
	p, n := d.unread, 0
	d.lent = len(p) > 0
	d.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	defer func() { d.change(func() { d.unread, d.lent = p[n:], false }) }()
	n, err := relay.Write(relay.Plain{Writer: w}, p)
	return int64(n), err
}

// SetDeadline also ends reads that wait for a WriteTo.
func (d *detached) SetDeadline(t time.Time) error {
	return errors.Join(d.SetReadDeadline(t), d.SetWriteDeadline(t))
}

// SetReadDeadline also ends reads that wait for a WriteTo.
func (d *detached) SetReadDeadline(t time.Time) error {
	d.change(func() { d.limit = t })
	return d.Conn.SetReadDeadline(t)
}

// Close also ends reads that wait for a WriteTo.
func (d *detached) Close() error {
	d.change(func() { d.closed = true })
	return d.Conn.Close()
}

// CloseRead calls the method that both types of connections have.
func (d *detached) CloseRead() error { return d.Conn.(interface{ CloseRead() error }).CloseRead() }

// CloseWrite calls the method that both types of connections have.
func (d *detached) CloseWrite() error { return d.Conn.(interface{ CloseWrite() error }).CloseWrite() }
