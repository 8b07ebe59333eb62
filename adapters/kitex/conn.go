package ringokitex

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudwego/netpoll"

	"ringo/internal/sys"
	"ringo/sock"
)

// A conn is a connection as kitex uses it: netpoll's interface, over a connection of package sock.
type conn struct {
	*sock.Conn
	in  reader
	out writer

	ctx     context.Context // returned by OnActive
	kind    kind
	active  bool      // OnActive has returned
	atRest  bool      // between two messages
	rested  time.Time // when the deadline for its rest was last set
	closing atomic.Bool

	readTimeout, writeTimeout time.Duration // 0: none

	mu           sync.Mutex
	closed       bool
	callbacks    []netpoll.CloseCallback
	onDisconnect netpoll.OnDisconnect
}

var _ netpoll.Connection = (*conn)(nil)

// newConn makes the conn for an open connection.
func newConn(sc *sock.Conn) *conn {
	c := &conn{Conn: sc}
	c.in.c = c
	c.out.c, c.out.LinkBuffer = c, netpoll.NewLinkBuffer()
	return c
}

// Reader returns the input as a netpoll.Reader.
func (c *conn) Reader() netpoll.Reader { return &c.in }

// Writer returns the output as a netpoll.Writer.
func (c *conn) Writer() netpoll.Writer { return &c.out }

// Read reads received bytes, first those that the Reader holds.
func (c *conn) Read(p []byte) (int, error) { return c.in.Read(p) }

// Write sends p at once.
func (c *conn) Write(p []byte) (int, error) {
	c.limitWrite()
	n, err := c.Conn.Write(p)
	return n, failed(err, netpoll.ErrWriteTimeout)
}

// writeV sends the pieces at once.
func (c *conn) writeV(pieces [][]byte) (int, error) {
	var n int
	var err error
	if len(pieces) == 1 {
		n, err = c.Conn.Write(pieces[0])
	} else {
		n, err = c.Conn.WriteV(pieces)
	}
	return n, failed(err, netpoll.ErrWriteTimeout)
}

// IsActive reports whether, as far as is known, neither side has closed the connection. It asks the kernel by poll(2),
// since the peer may have closed one that is at rest.
func (c *conn) IsActive() bool {
	if c.closing.Load() {
		return false
	}
	raw, err := c.Conn.SyscallConn()
	if err != nil {
		return false
	}
	const gone = sys.PollRdhup | sys.PollHup | sys.PollErr
	seen := int32(gone)
	_ = raw.Control(func(fd uintptr) { seen = sys.Poll(int32(fd), gone) }) // fails if it is closed
	return seen >= 0 && seen&gone == 0
}

// SetReadTimeout sets how long each wait for input may take; 0 means no bound.
func (c *conn) SetReadTimeout(timeout time.Duration) error {
	c.readTimeout = timeout
	return nil
}

// SetWriteTimeout sets how long a write may wait for the peer; 0 means no bound.
func (c *conn) SetWriteTimeout(timeout time.Duration) error {
	c.writeTimeout = timeout
	return nil
}

// SetIdleTimeout fails: a server has MaxConnectionIdleTime for this, and a client its pool.
func (c *conn) SetIdleTimeout(time.Duration) error {
	return unsupported("SetIdleTimeout", "the server's MaxConnectionIdleTime, or the client's pool, has that time")
}

// SetOnRequest calls on on a goroutine, each time that bytes have arrived, until on fails or the input ends. kitex
// uses it for clients' connections.
func (c *conn) SetOnRequest(on netpoll.OnRequest) error {
	if c.kind != client {
		return unsupported("SetOnRequest", "the server calls its own handler for what comes")
	}
	go func() {
		for c.in.fill(1) == nil && on(context.Background(), c) == nil {
		}
	}()
	return nil
}

// AddCloseCallback registers a function that is called when the connection is closed.
func (c *conn) AddCloseCallback(callback netpoll.CloseCallback) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.callbacks = append(c.callbacks, callback)
	return nil
}

// SetOnDisconnect registers a function that is called when a reader finds that the peer has left.
func (c *conn) SetOnDisconnect(on netpoll.OnDisconnect) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onDisconnect = on
	return nil
}

// Close closes the connection and calls the close callbacks, once.
func (c *conn) Close() error {
	c.closing.Store(true)
	err := c.Conn.Close()
	c.callBack()
	return err
}

// callBack calls the close callbacks.
func (c *conn) callBack() {
	c.mu.Lock()
	callbacks, closed := c.callbacks, c.closed
	c.callbacks, c.closed = nil, true
	c.mu.Unlock()
	if closed {
		return
	}
	for _, f := range callbacks {
		_ = f(c)
	}
}

// gone is called when a reader has found the end of the stream, or a failure.
func (c *conn) gone() {
	c.closing.Store(true)
	c.mu.Lock()
	on := c.onDisconnect
	c.onDisconnect = nil
	c.mu.Unlock()
	if on != nil {
		on(c.ctx, c)
	}
}

// limitRead sets the deadline of a wait for the rest of a message, and reports whether it did. It does so if always,
// or if the read will have to wait; never for a connection at rest.
func (c *conn) limitRead(always bool) bool {
	if c.atRest || !always && c.Conn.Buffered() > 0 {
		return false
	}
	_ = c.Conn.SetReadDeadline(in(c.readTimeout)) // an error comes again with the read
	c.rested = time.Time{}
	return true
}

// limitWrite sets the deadline of a write.
func (c *conn) limitWrite() {
	if c.writeTimeout > 0 {
		_ = c.Conn.SetWriteDeadline(in(c.writeTimeout))
	}
}

// restSteps divides the time that a connection may rest into steps: its deadline moves at most once in each.
const restSteps = 16

// rest sets the deadline for the next message, which may never come.
func (c *conn) rest(timeout time.Duration) {
	c.atRest = true
	now := time.Now()
	if timeout > 0 && now.Sub(c.rested) < timeout/restSteps {
		return
	}
	_ = c.Conn.SetReadDeadline(in(timeout))
	c.rested = now
}

// forever is the shortest timeout that means no bound; Infinity of kitex's gRPC is one.
const forever = 100 * 365 * 24 * time.Hour

// in returns the deadline for a timeout that begins now.
func in(timeout time.Duration) time.Time {
	if timeout <= 0 || timeout >= forever {
		return time.Time{}
	}
	return time.Now().Add(timeout)
}
