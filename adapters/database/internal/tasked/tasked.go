// Package tasked has the connection below a database driver's session that tasks use, one at a time.
package tasked

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/sock"
	"ringo/sock/sockclient"
)

// ErrGoroutine is the error of a driver's goroutine that reads or writes a session of tasks: the driver would wait for
// it with the whole loop, which the goroutine needs.
var ErrGoroutine = errors.New("a goroutine of the driver's uses a session of tasks; such calls belong on goroutines, " +
	"with the driver's own pool, or into Loop.Offload")

// errNoTask is that of a Do which is called elsewhere.
var errNoTask = errors.New("called by an ordinary goroutine, for which there is the driver's own pool")

// Loop is that of the task that calls step.
func Loop(step string) (*ringo.Loop, error) {
	l, _ := ringo.Current()
	if l == nil {
		return nil, fmt.Errorf("%s: %w", step, errNoTask)
	}
	return l, nil
}

// Do is the Do of the package of a driver whose clients are a C: use has that of one of p's sessions.
func Do[C any](ctx context.Context, pkg string, p *sockclient.Pool, use func(ctx context.Context, c C) error) error {
	l, err := Loop(pkg + ".Do")
	if err != nil {
		return err
	}
	return p.Do(ctx, l, func(ctx context.Context, c net.Conn) error {
		client, err := Client[C](pkg, c)
		if err != nil {
			return err
		}
		return use(ctx, client)
	})
}

// Client is that of a session, which the package's Dial has made if nobody has mistaken the Pool.
func Client[C any](pkg string, c net.Conn) (client C, err error) {
	if session, ok := c.(interface{ Client() C }); ok {
		return session.Client(), nil
	}
	return client, fmt.Errorf("%s: the Pool's Dial is not %[1]s.Dial: it has made a %T", pkg, c)
}

// A Conn reads and writes for tasks of its loop alone. Nothing that a driver's goroutine calls waits for the loop, so
// that a loop which waits for such a goroutine goes on.
type Conn struct {
	net.Conn // the socket
	Sock     *sock.Conn
	closed   atomic.Bool
	dropped  atomic.Bool
}

// Dial connects. timeout is what that may take besides ctx; 0 is no less.
func Dial(ctx context.Context, l *ringo.Loop, network, address string, timeout time.Duration) (*Conn, error) {
	c, err := (&sock.Dialer{Timeout: timeout}).DialContext(ctx, l, network, address)
	if err != nil {
		return nil, err
	}
	return &Conn{Conn: c, Sock: c}, nil
}

// Refuse is the error of a caller that is no task of the loop.
func (c *Conn) Refuse(op string) error {
	if l, _ := ringo.Current(); l == nil || l != c.Sock.Loop() {
		return &net.OpError{Op: op, Net: c.RemoteAddr().Network(), Addr: c.RemoteAddr(), Err: ErrGoroutine}
	}
	return nil
}

// Read reads.
func (c *Conn) Read(p []byte) (int, error) {
	if err := c.Refuse("read"); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write writes.
func (c *Conn) Write(p []byte) (int, error) {
	if c.dropped.Load() {
		return len(p), nil
	}
	if err := c.Refuse("write"); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close closes, and does not wait for that. To call it again is no error: drivers log those.
func (c *Conn) Close() error {
	c.closed.Store(true)
	c.Sock.CloseSoon()
	return nil
}

// Drop closes, and has the words go nowhere with which a driver takes its leave. It is for those who end a session that
// has no loop any more.
func (c *Conn) Drop() {
	c.dropped.Store(true)
	c.Close()
}

// Leave is how a session ends: end has its driver say so, in a task of the loop, or once there is no loop any more
// without a word.
func (c *Conn) Leave(end func() error) error {
	if l, _ := ringo.Current(); l != c.Sock.Loop() {
		c.Drop()
	}
	return end()
}

// IsClosed reports whether the driver has given the connection up.
func (c *Conn) IsClosed() bool { return c.closed.Load() }
