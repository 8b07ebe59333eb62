// Package tasked is the connection below a database driver's session, for tasks that use the session one at a time.
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

// ErrGoroutine is the error that a goroutine of the driver gets when it reads or writes a session of tasks. The task
// that uses the session blocks the loop's thread while it waits for that goroutine, so the goroutine, which needs the
// loop for its I/O, would never finish.
var ErrGoroutine = errors.New("a goroutine of the driver's uses a session of tasks; such calls belong on goroutines, " +
	"with the driver's own pool, or into Loop.Offload")

// errNoTask is the error of Do and Dial when the caller is not a task.
var errNoTask = errors.New("called by an ordinary goroutine, for which there is the driver's own pool")

// Loop returns the calling task's loop. Its error, for a caller that is not a task, begins with step.
func Loop(step string) (*ringo.Loop, error) {
	l, _ := ringo.Current()
	if l == nil {
		return nil, fmt.Errorf("%s: %w", step, errNoTask)
	}
	return l, nil
}

// Do is the Do of package pkg, whose driver's clients have type C: it calls use with the client of one of p's
// sessions.
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

// Client returns the client of the session c. It fails if c was not made by Dial of package pkg, because the Pool has
// another Dial.
func Client[C any](pkg string, c net.Conn) (client C, err error) {
	if session, ok := c.(interface{ Client() C }); ok {
		return session.Client(), nil
	}
	return client, fmt.Errorf("%s: the Pool's Dial is not %[1]s.Dial: it has made a %T", pkg, c)
}

// A Conn reads and writes for tasks of its loop only; a goroutine of the driver gets ErrGoroutine at once. Nothing
// that such a goroutine calls waits for the loop, so a task that blocks the loop until the goroutine is done gets it
// back.
type Conn struct {
	net.Conn // the socket, as Sock
	Sock     *sock.Conn
	closed   atomic.Bool
	dropped  atomic.Bool
}

// Dial connects. timeout bounds the dial in addition to ctx; 0 leaves it to ctx.
func Dial(ctx context.Context, l *ringo.Loop, network, address string, timeout time.Duration) (*Conn, error) {
	c, err := (&sock.Dialer{Timeout: timeout}).DialContext(ctx, l, network, address)
	if err != nil {
		return nil, err
	}
	return &Conn{Conn: c, Sock: c}, nil
}

// Refuse returns an error unless the caller is a task of the connection's loop.
func (c *Conn) Refuse(op string) error {
	if l, _ := ringo.Current(); l == nil || l != c.Sock.Loop() {
		return &net.OpError{Op: op, Net: c.RemoteAddr().Network(), Addr: c.RemoteAddr(), Err: ErrGoroutine}
	}
	return nil
}

// Read reads for a task of the loop, and fails for other callers.
func (c *Conn) Read(p []byte) (int, error) {
	if err := c.Refuse("read"); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write writes for a task of the loop, and fails for other callers. After Drop it discards p and reports success.
func (c *Conn) Write(p []byte) (int, error) {
	if c.dropped.Load() {
		return len(p), nil
	}
	if err := c.Refuse("write"); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close closes the connection without waiting until that is done. A second call returns nil, since drivers log its
// errors.
func (c *Conn) Close() error {
	c.closed.Store(true)
	c.Sock.CloseSoon()
	return nil
}

// Drop closes the connection and discards what the driver writes from then on, which is its farewell to the server. It
// is for callers that end a session outside its loop, for example when the loop has ended.
func (c *Conn) Drop() {
	c.dropped.Store(true)
	c.Close()
}

// Leave ends a session by end, in which the driver says farewell to the server. For a caller that is not a task of the
// loop, for example once the loop has ended, it calls Drop first, so that the farewell goes nowhere.
func (c *Conn) Leave(end func() error) error {
	if l, _ := ringo.Current(); l != c.Sock.Loop() {
		c.Drop()
	}
	return end()
}

// IsClosed reports whether the driver has given the connection up.
func (c *Conn) IsClosed() bool { return c.closed.Load() }
