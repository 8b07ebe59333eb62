package socktls

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/internal/caller"
)

// A Conn is a TLS connection: a net.Conn with the methods of tls.Conn. Any number of tasks, of any loop, and goroutines
// may call them at the same time. It is never reused for another connection.
//
// Readers take turns in the order of their arrival. Writers do the same, and each writes all of its bytes in its turn.
type Conn struct {
	tls     *tls.Conn // on top of below
	conn    net.Conn
	refused error       // why the handshake fails at once
	done    atomic.Bool // the handshake is done: below collects what tls writes
	closed  atomic.Bool
	inWrite atomic.Bool // a Write has the writers' turn
	came    borders     // where in a record tls's input stands

	// A caller that parks holds one of these locks, and the locks of tls that belong to it: a reader holds tls's input
	// lock, which no other caller needs; the caller that does the handshake holds all locks of tls.
	shaking, reading, writing ringo.Mutex

	out output
}

// Client returns the client's side of TLS over conn: a *sock.Conn, or another net.Conn in which tasks can wait. config
// must not be nil, and must set ServerName or InsecureSkipVerify. Any goroutine may call it; it does not wait.
func Client(conn net.Conn, config *tls.Config) *Conn {
	c := &Conn{conn: conn}
	if config != nil && config.Renegotiation != tls.RenegotiateNever {
		c.refused = fmt.Errorf("socktls: renegotiation, as Config.Renegotiation asks for: %w", errors.ErrUnsupported)
	}
	c.tls = tls.Client((*below)(c), config)
	return c
}

// Server returns the server's side of TLS over conn: a *sock.Conn, or another net.Conn in which tasks can wait. config
// must not be nil and must have a certificate, or a way to get one. Any goroutine may call it; it does not wait.
func Server(conn net.Conn, config *tls.Config) *Conn {
	c := &Conn{conn: conn}
	c.tls = tls.Server((*below)(c), config)
	return c
}

// Handshake does the TLS handshake, if it has not been done. A program need not call it: the first Read or Write does
// the handshake as well. It parks; deadlines and Close end it. An error is final: every later call returns it. Any
// goroutine may call it.
func (c *Conn) Handshake() error { return c.HandshakeContext(context.Background()) }

// HandshakeContext is like Handshake, but closes the connection if ctx ends first. Once the handshake is done, ctx has
// no effect. Any goroutine may call it; a task parks.
func (c *Conn) HandshakeContext(ctx context.Context) error {
	if c.done.Load() {
		return nil
	}
	return c.shake(ctx)
}

// shake does the handshake, or waits for the caller that does it.
func (c *Conn) shake(ctx context.Context) (err error) {
	if c.refused != nil {
		return c.refused
	}
	if !c.shaking.TryLock() {
		if ctx.Done() != nil { // tls watches ctx only once it is called
			stop := context.AfterFunc(ctx, func() { c.conn.Close() })
			defer func() {
				if !stop() {
					err = ctx.Err()
				}
			}()
		}
		if err := c.shaking.LockContext(context.Background()); err != nil {
			return c.noTurn("handshake", err)
		}
	}
	defer c.shaking.Unlock()
	if c.done.Load() {
		return nil
	}
	err = c.tls.HandshakeContext(ctx)
	if err == nil {
		c.done.Store(true)
		return nil
	}
	if e, ok := err.(tls.RecordHeaderError); ok && e.Conn != nil {
		e.Conn = c.conn
		err = e
	}
	return err
}

// noTurn returns the error of a task whose wait for its turn was ended.
func (c *Conn) noTurn(op string, err error) error {
	return &net.OpError{Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// Read reads available bytes into p, and parks until there is at least one. It does the handshake if necessary. After
// the peer's close_notify it returns io.EOF. After a deadline or a cancel of the task reading can continue later; all
// other errors are final. Any goroutine may call it.
func (c *Conn) Read(p []byte) (int, error) {
	if err := c.Handshake(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if !c.reading.TryLock() {
		if err := c.reading.LockContext(context.Background()); err != nil {
			return 0, c.noTurn("read", err)
		}
	}
	defer c.reading.Unlock() // also if a function of the Config does not return
	n, err := c.tls.Read(p)
	if err != nil || c.out.any.Load() {
		err = c.afterRead(n, err)
	}
	return n, err
}

// Write writes all of p, or fails and returns how many bytes were sent. It parks while the peer is slow, except for
// small writes that a sock.Conn buffers (see sock.Conn.Write), and does the handshake if necessary. p is not kept. A
// failed Write, even one that failed by a deadline, breaks the stream: all later ones fail with its error. Any
// goroutine may call it.
func (c *Conn) Write(p []byte) (int, error) {
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	if err := c.Handshake(); err != nil {
		return 0, err
	}
	if !c.writing.TryLock() {
		if err := c.writing.LockContext(context.Background()); err != nil {
			return 0, c.noTurn("write", err)
		}
	}
	defer c.endWrite()
	c.inWrite.Store(true)
	defer c.inWrite.Store(false)
	if c.closed.Load() { // checked after the store: see lockToClose
		return 0, net.ErrClosed
	}
	return c.write(p)
}

// CloseWrite sends close_notify, so that the peer reads the end of the stream. Later Writes fail; the underlying
// connection is not shut down. As in crypto/tls, CloseWrite fails before the handshake is done. Over a sock.Conn,
// close_notify is sent after what was written before, however long the peer takes for that, or until the write
// deadline. Over other connections CloseWrite waits five seconds at most, and changes the write deadline, as in
// crypto/tls. Any goroutine may call it; it parks.
func (c *Conn) CloseWrite() error {
	if !c.done.Load() {
		return errEarlyCloseWrite
	}
	if err := c.writing.LockContext(context.Background()); err != nil {
		return c.noTurn("write", err)
	}
	defer c.endWrite()
	if !c.buffers() {
		c.conn.SetWriteDeadline(time.Now().Add(notifyPatience))
	}
	return c.notifyClose()
}

var errEarlyCloseWrite = errors.New("tls: CloseWrite called before handshake complete")

// notifyPatience is how long sending close_notify may take.
const notifyPatience = 5 * time.Second

// buffers reports whether conn may hold bytes that were written but that its socket has not taken. A deadline would
// drop these.
func (c *Conn) buffers() bool {
	_, ok := c.conn.(interface{ Flush() error })
	return ok
}

// notifyClose sends close_notify, once; later calls return the same error, which is tls's or output's. The caller has
// the writers' turn.
func (c *Conn) notifyClose() error {
	err := c.tls.CloseWrite()
	if e := c.drain(); err == nil {
		err = e
	}
	c.out.end()
	return err
}

// Close sends close_notify, waiting five seconds at most, and closes the underlying connection, which sends what was
// written before. It ends the calls in flight; if one of them is a Write, Close does not send close_notify, as in
// crypto/tls. Closing again returns net.ErrClosed. Any goroutine may call it; a task parks, even if it is cancelled.
func (c *Conn) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return net.ErrClosed
	}
	var notified error
	if c.done.Load() {
		stop := c.boundClose()
		if c.lockToClose() {
			notified = c.notifyClose()
			c.writing.Unlock()
		}
		stop()
	}
	if err := c.conn.Close(); err != nil {
		return err
	}
	if notified == nil {
		return nil
	}
	if errors.Is(notified, net.ErrClosed) { // by boundClose
		notified = os.ErrDeadlineExceeded
	}
	return fmt.Errorf("tls: failed to send closeNotify alert (but connection was closed anyway): %w", notified)
}

// lockToClose takes the writers' turn for Close, unless a Write has it, which may take for ever. It waits for other
// holders, such as a task that sends a reply, as long as Close may wait.
func (c *Conn) lockToClose() bool {
	return c.writing.TryLock() || !c.inWrite.Load() && c.writing.LockContext(context.Background()) == nil
}

// boundClose ends the waits of Close after notifyPatience, unless Close calls stop before. It does so by a deadline on
// conn or, if conn buffers and a deadline would drop what it holds, by closing conn, which sends that in the
// background.
func (c *Conn) boundClose() (stop func()) {
	below, ok := c.conn.(interface{ CloseSoon() })
	if !ok || !c.buffers() {
		c.conn.SetWriteDeadline(time.Now().Add(notifyPatience))
		return func() {}
	}
	c.conn.SetWriteDeadline(time.Time{})
	if l := caller.Here(); l != nil {
		t := l.AfterFunc(notifyPatience, below.CloseSoon)
		return func() { t.Stop() }
	}
	t := time.AfterFunc(notifyPatience, below.CloseSoon)
	return func() { t.Stop() }
}

// ConnectionState returns the result of the handshake. It waits for a handshake that is under way; if the task is
// cancelled meanwhile, it returns the state before the handshake. Any goroutine may call it.
func (c *Conn) ConnectionState() (s tls.ConnectionState) {
	c.asked(func() error { s = c.tls.ConnectionState(); return nil })
	return s
}

// OCSPResponse returns the stapled response of the server, if any. It waits as ConnectionState does. Any goroutine may
// call it.
func (c *Conn) OCSPResponse() (response []byte) {
	c.asked(func() error { response = c.tls.OCSPResponse(); return nil })
	return response
}

// VerifyHostname returns nil if the peer's certificate is valid for host, otherwise an error that says why not. It is
// for clients, and waits as ConnectionState does. Any goroutine may call it.
func (c *Conn) VerifyHostname(host string) error {
	return c.asked(func() error { return c.tls.VerifyHostname(host) })
}

// asked calls ask, which asks tls for something under tls's handshake lock. It waits until no caller that has that lock
// can park.
func (c *Conn) asked(ask func() error) error {
	if !c.done.Load() {
		if err := c.shaking.LockContext(context.Background()); err != nil {
			return c.noTurn("handshake", err)
		}
		defer c.shaking.Unlock()
	}
	return ask()
}

// NetConn returns the underlying connection. Reading from it or writing to it corrupts the stream. Any goroutine may
// call it.
func (c *Conn) NetConn() net.Conn { return c.conn }

// LocalAddr returns the address of this end. Any goroutine may call it.
func (c *Conn) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr returns the address of the peer. Any goroutine may call it.
func (c *Conn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// SetDeadline sets both the read and the write deadline. Any goroutine may call it.
func (c *Conn) SetDeadline(t time.Time) error { return c.conn.SetDeadline(t) }

// SetReadDeadline makes reads fail with os.ErrDeadlineExceeded from t on; the zero time means no deadline. To bound the
// handshake set both deadlines. Any goroutine may call it.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.conn.SetReadDeadline(t) }

// SetIdle marks the connection idle or busy, as sock.Conn.SetIdle does: when the program drains, a waiting Read on an
// idle connection fails with ringo.ErrDraining. As in crypto/tls such an error ends reading; the connection can still
// be written to. While part of a record has arrived the connection is never idle. SetIdle fails on connections of other
// packages. Any goroutine may call it.
func (c *Conn) SetIdle(idle bool) error {
	below, ok := c.conn.(interface{ SetIdle(bool) error })
	if !ok {
		return fmt.Errorf("socktls: SetIdle of a %T: %w", c.conn, errors.ErrUnsupported)
	}
	return below.SetIdle(idle && !c.came.within.Load())
}

// SetWriteDeadline makes writes fail with os.ErrDeadlineExceeded from t on; the zero time means no deadline. After a
// Write has failed with it all later ones fail. Any goroutine may call it.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.conn.SetWriteDeadline(t) }
