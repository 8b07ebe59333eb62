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

// A conn is a connection as kitex knows it: netpoll's interface, over one of package sock.
type conn struct {
	*sock.Conn
	in  reader
	out writer

	ctx     context.Context // of OnActive
	kind    kind
	active  bool      // OnActive has seen it
	atRest  bool      // between two messages
	rested  time.Time // when the deadline for that was last set
	closing atomic.Bool

	readTimeout, writeTimeout time.Duration // 0: none

	mu           sync.Mutex
	closed       bool
	callbacks    []netpoll.CloseCallback
	onDisconnect netpoll.OnDisconnect
}

var _ netpoll.Connection = (*conn)(nil)

// newConn makes the connection of one that is open.
func newConn(sc *sock.Conn) *conn {
	c := &conn{Conn: sc}
	c.in.c = c
	c.out.c, c.out.LinkBuffer = c, netpoll.NewLinkBuffer()
	return c
}

// Reader is netpoll's door to what has come.
func (c *conn) Reader() netpoll.Reader { return &c.in }

// Writer is netpoll's door to what is to be sent.
func (c *conn) Writer() netpoll.Writer { return &c.out }

// Read reads what has come, what the Reader has of it first.
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

// IsActive reports whether neither side has closed the connection, as far as is known. Of one that is at rest the
// kernel is asked.
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
	_ = raw.Control(func(fd uintptr) { seen = sys.Poll(int32(fd), gone) }) // an error is that of a closed connection
	return seen >= 0 && seen&gone == 0
}

// SetReadTimeout is how long each wait for more may take; 0 is without end.
func (c *conn) SetReadTimeout(timeout time.Duration) error {
	c.readTimeout = timeout
	return nil
}

// SetWriteTimeout is how long a peer may let a write wait; 0 is without end.
func (c *conn) SetWriteTimeout(timeout time.Duration) error {
	c.writeTimeout = timeout
	return nil
}

// SetIdleTimeout fails: a server's connections have MaxConnectionIdleTime, and those of clients what their pool has.
func (c *conn) SetIdleTimeout(time.Duration) error {
	return unsupported("SetIdleTimeout", "the server's MaxConnectionIdleTime, or the client's pool, has that time")
}

// SetOnRequest has on called on a goroutine, when something has come, and again when more has: kitex does that with
// clients' connections.
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

// AddCloseCallback has a function called when the connection is closed.
func (c *conn) AddCloseCallback(callback netpoll.CloseCallback) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.callbacks = append(c.callbacks, callback)
	return nil
}

// SetOnDisconnect has a function called when a reader finds that the peer has left.
func (c *conn) SetOnDisconnect(on netpoll.OnDisconnect) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onDisconnect = on
	return nil
}

// Close closes it, once.
func (c *conn) Close() error {
	c.closing.Store(true)
	err := c.Conn.Close()
	c.callBack()
	return err
}

// callBack calls what was to be called at the close.
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

// limitRead sets the deadline of a wait for the rest of a message, if there will be a wait or it has to be set. It
// reports whether it has.
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

// restSteps divides the time that a connection may be at rest into steps, in which its deadline moves.
const restSteps = 16

// rest sets the deadline for a message that may come or not.
func (c *conn) rest(timeout time.Duration) {
	c.atRest = true
	now := time.Now()
	if timeout > 0 && now.Sub(c.rested) < timeout/restSteps {
		return
	}
	_ = c.Conn.SetReadDeadline(in(timeout))
	c.rested = now
}

// forever is a time from which on a wait has no end; Infinity of kitex's gRPC is one.
const forever = 100 * 365 * 24 * time.Hour

// in is a deadline.
func in(timeout time.Duration) time.Time {
	if timeout <= 0 || timeout >= forever {
		return time.Time{}
	}
	return time.Now().Add(timeout)
}
