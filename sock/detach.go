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
	"ringo/internal/relay"
	"ringo/internal/sys"
)

// File returns a file of another descriptor of the socket, close-on-exec, as the File
// method of package net does. The connection goes on, and closing one does not affect
// the other: the peer sees the end when both are closed. What is set on the socket,
// options and non-blocking mode, holds for both.
//
// Bytes that were received and that nobody has read would be missing in the file, so
// with some File fails with ErrUnread. Afterwards none are received until somebody
// reads: when the connection is closed then, or left alone, all that is still to
// come can be read from the file. With a reader at it, which gets what comes, File does not wait.
//
// Any goroutine may call it; a task of another loop parks.
func (c *Conn) File() (f *os.File, err error) {
	err = onOwner(c.l, func() error {
		f, err = c.file()
		return err
	})
	return f, c.failOnOwner("file", err)
}

// failOnOwner wraps what onOwner gives if it could not run.
func (c *Conn) failOnOwner(name string, err error) error {
	if err == errEnded {
		return c.fail(name, err)
	}
	return err
}

func (c *Conn) file() (*os.File, error) {
	if err := noWayOut(c.l); err != nil {
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
	n := c.l.Kernel().Dup(c.core.FD().Sys())
	if n < 0 {
		return nil, c.fail("file", callError("fcntl", n))
	}
	return os.NewFile(uintptr(n), fmt.Sprintf("%s:%v->%v", c.network(), c.LocalAddr(), c.RemoteAddr())), nil
}

// disarmed ends what is armed on an input that nobody is at, and fails if there are
// bytes that nobody has read.
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

// File returns a file of another descriptor of the listening socket, close-on-exec, as
// the File method of package net does: to hand it to a program that goes on listening.
// Closing one does not affect the other, and peers are refused when both are closed.
// Connections that the loop has accepted already stay the listener's. Any goroutine may
// call it.
func (ln *Listener) File() (*os.File, error) {
	if ln.l == nil {
		return nil, errZero
	}
	if err := noWayOut(ln.l); err != nil {
		return nil, ln.fail("file", err)
	}
	var n int32
	err := (*rawListener)(ln).Control(func(fd uintptr) {
		n = ln.l.Kernel().Dup(int32(fd))
	})
	switch {
	case err != nil:
		return nil, err
	case n < 0:
		return nil, ln.fail("file", callError("fcntl", n))
	}
	return os.NewFile(uintptr(n), fmt.Sprintf("%s:%v", ln.Addr().Network(), ln.Addr())), nil
}

// Detach takes the socket out of Ringo. The caller gets the descriptor, which is
// close-on-exec, in non-blocking mode and the caller's to close; and the bytes that were received and not read,
// in order, before all that the kernel still has. Of a "unixpacket" connection that was
// peeked into these are records without their boundaries.
//
// For everybody else the connection is closed: callers that wait on it get net.ErrClosed,
// writers with the count that went out. The socket itself is not shut down, and leases
// stay valid. In a Handler the connection ends as one that the handler closed.
//
// What was written before is sent first, also where the calling task is cancelled: if a slow peer has not taken it
// after 10 s, or when Grace ends, the error is ErrUnsent, and the connection is reset. If a send has failed of which no
// call was told, the error is that one's, and the connection is gone. A copy of it (io.Copy, WriteTo) that waits for
// its writer is waited for as by MoveTo. That holds for DetachConn, DetachTCP and DetachUnix, too.
//
// Any goroutine may call it; a task parks until the operations in flight have ended.
func (c *Conn) Detach() (fd int, unread []byte, err error) {
	fd = -1
	err = onOwner(c.l, func() error {
		if err := noWayOut(c.l); err != nil {
			return c.fail("detach", err)
		}
		p, err := c.part("detach")
		if err != nil {
			return err
		}
		if err := p.send(c); err != nil {
			return c.fail("detach", err)
		}
		fd, unread = int(p.fd), p.unread
		return nil
	})
	return fd, unread, c.failOnOwner("detach", err)
}

// DetachConn is Detach to a connection of package net, which returns the unread bytes
// first. It is a *net.TCPConn or a *net.UnixConn if there are none, and the connection
// is not known to have failed; otherwise a net.Conn of another type, that has their
// CloseRead and CloseWrite. If it fails otherwise than by a send the connection is as before.
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
	d := &detached{Conn: conn, unread: p.unread}
	if p.err != 0 {
		d.failed = c.fail("read", callError("read", p.err))
	}
	if len(d.unread) > 0 || d.failed != nil {
		return d, nil
	}
	return conn, nil
}

// DetachTCP is Detach to a *net.TCPConn, for code that takes nothing else: DetachConn gives another type where bytes
// are unread. Here the caller gets these: they were received and not read, and come before all that conn reads. What
// was written before is sent first, as with Detach. Of a connection that is known to have failed there is no conn, but
// the bytes that came before, and the error of the failure. On a connection of another network it fails with
// EOPNOTSUPP, and that is as before.
//
// Any goroutine may call it; a task parks until the operations in flight have ended. conn is package net's: Read and
// Write of it would hold up the loop of a task.
func (c *Conn) DetachTCP() (conn *net.TCPConn, unread []byte, err error) {
	return detachAs[*net.TCPConn](c, c.unix == nil)
}

// DetachUnix is DetachTCP to a *net.UnixConn, of a connection between Unix sockets. Of a "unixpacket" connection that
// was peeked into the unread bytes are records without their boundaries.
func (c *Conn) DetachUnix() (conn *net.UnixConn, unread []byte, err error) {
	return detachAs[*net.UnixConn](c, c.unix != nil)
}

// detachAs is DetachTCP to a type, which is that of the network.
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
		if unread = p.unread; p.err != 0 {
			made.Close()
			return c.fail("read", callError("read", p.err))
		}
		conn = made.(C)
		return nil
	})
	return conn, unread, c.failOnOwner("detach", err)
}

// detachNet takes the connection out of Ringo, as one of package net.
func (c *Conn) detachNet() (net.Conn, *detachState, error) {
	if err := noWayOut(c.l); err != nil {
		return nil, nil, c.fail("detach", err)
	}
	if err := c.core.Check(); err != nil {
		return nil, nil, c.fail("detach", err)
	}
	n := c.l.Kernel().Dup(c.core.FD().Sys())
	if n < 0 {
		return nil, nil, c.fail("detach", callError("fcntl", n))
	}
	f := os.NewFile(uintptr(n), "socket")
	conn, err := net.FileConn(f) // of a duplicate
	f.Close()
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
	c.l.Kernel().Close(p.fd)
	return conn, p, nil
}

// detached is a connection of package net behind bytes that were read before, and behind why it
// has failed if that was read, too: the kernel says so once.
type detached struct {
	net.Conn
	failed error

	mu     sync.Mutex
	unread []byte
	lent   bool          // to the sink of a WriteTo: who reads waits, since what does not go out comes before all else
	limit  time.Time     // of reads; zero: none
	closed bool          // by Close
	news   chan struct{} // closed when one of the above has changed; nil: nobody waits
}

// enter waits until nobody writes the unread bytes elsewhere. mu is held then, unless there is an error.
func (d *detached) enter() error {
	d.mu.Lock()
	for d.lent {
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

// change does something that those who wait are to see.
func (d *detached) change(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	if d.news != nil {
		close(d.news)
		d.news = nil
	}
}

// Read gives the unread bytes first, even after a deadline.
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

// SetDeadline is also for who waits for a WriteTo.
func (d *detached) SetDeadline(t time.Time) error {
	return errors.Join(d.SetReadDeadline(t), d.SetWriteDeadline(t))
}

// SetReadDeadline is likewise.
func (d *detached) SetReadDeadline(t time.Time) error {
	d.change(func() { d.limit = t })
	return d.Conn.SetReadDeadline(t)
}

// Close lets those go who wait for a WriteTo.
func (d *detached) Close() error {
	d.change(func() { d.closed = true })
	return d.Conn.Close()
}

// CloseRead is the method of both types of connections.
func (d *detached) CloseRead() error { return d.Conn.(interface{ CloseRead() error }).CloseRead() }

// CloseWrite is the method of both types of connections.
func (d *detached) CloseWrite() error { return d.Conn.(interface{ CloseWrite() error }).CloseWrite() }
