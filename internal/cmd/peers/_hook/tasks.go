package peers

import (
	"io"
	"net"
	"os"
	"time"

	"ringo"
	"ringo/sock"
)

// tasks says that streams are used in tasks of their loops. The test's goroutine waits for each.
var tasks = os.Getenv("RINGO_PEERS") == "tasks"

// stream returns a connection as tests get it.
func stream(c *sock.Conn) net.Conn {
	if tasks {
		return &taskConn{c}
	}
	return c
}

// A taskConn is a connection that goroutines use by tasks: each method here runs in one. Methods that are not here are
// called as they are.
type taskConn struct{ *sock.Conn }

// in runs a call in a task of the loop, and waits for it.
func in[R any](l *ringo.Loop, call func() (R, error)) (r R, err error) {
	if e := l.Go(func() { r, err = call() }).Wait(); e != nil {
		return r, e
	}
	return r, err
}

func (c *taskConn) do(call func() error) error {
	_, err := in(c.Loop(), func() (struct{}, error) { return struct{}{}, call() })
	return err
}

func (c *taskConn) Read(p []byte) (int, error) {
	return in(c.Loop(), func() (int, error) { return c.Conn.Read(p) })
}

func (c *taskConn) Write(p []byte) (int, error) {
	return in(c.Loop(), func() (int, error) { return c.Conn.Write(p) })
}

// ReadFrom calls the reader on the goroutine, since it may be anything.
func (c *taskConn) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{r})
}

// WriteTo calls the writer on the goroutine.
func (c *taskConn) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(struct{ io.Writer }{w}, struct{ io.Reader }{c})
}

func (c *taskConn) Close() error      { return c.do(c.Conn.Close) }
func (c *taskConn) CloseRead() error  { return c.do(c.Conn.CloseRead) }
func (c *taskConn) CloseWrite() error { return c.do(c.Conn.CloseWrite) }

func (c *taskConn) SetDeadline(t time.Time) error {
	return c.do(func() error { return c.Conn.SetDeadline(t) })
}

func (c *taskConn) SetReadDeadline(t time.Time) error {
	return c.do(func() error { return c.Conn.SetReadDeadline(t) })
}

func (c *taskConn) SetWriteDeadline(t time.Time) error {
	return c.do(func() error { return c.Conn.SetWriteDeadline(t) })
}

// A taskListener is a listener that accepts in tasks.
type taskListener struct {
	*sock.Listener
	l *ringo.Loop
}

func (ln *taskListener) Accept() (net.Conn, error) {
	c, err := in(ln.l, ln.Listener.AcceptConn)
	if err != nil {
		return nil, err
	}
	return stream(c), nil
}

func (ln *taskListener) Close() error {
	_, err := in(ln.l, func() (struct{}, error) { return struct{}{}, ln.Listener.Close() })
	return err
}
