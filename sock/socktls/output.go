package socktls

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/internal/loop"
)

const (
	// PieceMax is how many bytes of one Write are encrypted and then sent at a time.
	PieceMax = 1 << 16
	// RepliesMax is how many encrypted bytes of replies are kept for a peer that doesn't take them: 37 replies to
	// KeyUpdates. No real peer asks for that many in a row: OpenSSL ends the connection at 32, crypto/tls at 16.
	RepliesMax = 1024

	// overhead bounds how much longer a piece gets when it is encrypted. The first records are small: 50 of them make
	// one piece.
	overhead = 8192
)

// ErrReplies is returned by all calls on a connection whose peer asks for replies, such as those to KeyUpdates, and
// does not read them: keeping them would take unbounded memory.
var ErrReplies = errors.New("socktls: the peer asks for replies and does not read them")

// output is what tls has written and no caller has sent yet.
//
//	tls.Write, by the holder of the writers' turn ──┐
//	tls.Read, a reply ──────────────────────────────┴──▶ secured ──drain, by the holder of the writers' turn──▶ sent
//
// tls writes under its output lock, so the caller must not park then. A reader that leaves a reply here starts a task
// that sends it, if the writers' turn is free; otherwise the holder of the turn looks for replies when it gives the
// turn up.
type output struct {
	any   atomic.Bool // there may be something
	piece atomic.Bool // a piece of a Write is in tls, or in secured

	mu      sync.Mutex // held for a copy; its holder does not park
	secured *[]byte
	ended   bool  // close_notify is sent: replies of readers are dropped
	err     error // final: why something could not be sent
}

// blocks is the memory of what is secured. A block has room for a piece, or for replies.
var blocks = sync.Pool{New: func() any { return new([]byte) }}

// below is a Conn as tls sees the connection below it: tls reads and writes by these methods.
type below Conn

// Read reads for tls. It parks, which delays only readers. If the task was cancelled, the error is a temporary one,
// which tls does not take for the end of the connection: other tasks may go on reading.
func (b *below) Read(p []byte) (int, error) {
	n, err := b.conn.Read(p)
	b.came.pass(p[:n])
	if err != nil && b.done.Load() && errors.Is(err, context.Canceled) {
		err = &passing{err}
	}
	return n, err
}

// passing is an error that concerns the caller, and not the connection.
type passing struct{ error }

func (*passing) Timeout() bool   { return false }
func (*passing) Temporary() bool { return true }

// Write collects what tls has secured, without waiting. During the handshake no other caller can enter tls, so there
// Write may wait, and sends at once.
func (b *below) Write(p []byte) (int, error) {
	if !b.done.Load() {
		return b.conn.Write(p)
	}
	o := &b.out
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.err != nil:
		return 0, o.err
	case o.ended: // with an error for its reply to a KeyUpdate, tls would not read on
		return len(p), nil
	}
	o.any.Store(true)
	if o.secured == nil {
		o.secured = blocks.Get().(*[]byte)
	}
	limit := RepliesMax
	if o.piece.Load() {
		limit += PieceMax + overhead
	}
	if len(*o.secured)+len(p) > limit {
		o.err = ErrReplies
		return 0, o.err
	}
	*o.secured = append(*o.secured, p...)
	return len(p), nil
}

// Close closes the connection below, for a context that ends the handshake. It does not wait: before Go 1.26 the caller
// of the handshake waits for Close, and may be a task, on whose loop the connection is closed. HandshakeContext returns
// the context's error, and nobody gets that of the close.
func (b *below) Close() error {
	if soon, ok := b.conn.(interface{ CloseSoon() }); ok {
		soon.CloseSoon()
	} else {
		go b.conn.Close()
	}
	return nil
}

func (b *below) LocalAddr() net.Addr               { return b.conn.LocalAddr() }
func (b *below) RemoteAddr() net.Addr              { return b.conn.RemoteAddr() }
func (b *below) SetDeadline(t time.Time) error     { return b.conn.SetDeadline(t) }
func (b *below) SetReadDeadline(t time.Time) error { return b.conn.SetReadDeadline(t) }

// SetWriteDeadline is called by Config's functions, and by tls around close_notify. After the handshake it does
// nothing: tls's close_notify only goes into output.
func (b *below) SetWriteDeadline(t time.Time) error {
	if b.done.Load() {
		return nil
	}
	return b.conn.SetWriteDeadline(t)
}

// write is Write for the holder of the writers' turn.
func (c *Conn) write(p []byte) (n int, err error) {
	for {
		piece := p[n:min(len(p), n+PieceMax)]
		err := c.secure(piece)
		if c.out.any.Load() {
			if e := c.drain(); err == nil {
				err = e
			}
		}
		if err != nil {
			return n, err
		}
		if n += len(piece); n == len(p) {
			return n, nil
		}
	}
}

// secure makes tls secure a piece. Until drain takes the piece, out.piece raises the bound of output, which is for
// replies otherwise.
func (c *Conn) secure(piece []byte) error {
	c.out.piece.Store(true)
	_, err := c.tls.Write(piece)
	return err
}

// drain sends what is secured, and waits until conn has taken it. The caller has the writers' turn. An error is final.
func (c *Conn) drain() error {
	o := &c.out
	for {
		o.mu.Lock()
		block, err := o.secured, o.err
		o.secured = nil
		o.any.Store(false)
		o.piece.Store(false)
		o.mu.Unlock()
		switch {
		case block == nil:
			return err
		case err == nil:
			if _, err = c.conn.Write(*block); err != nil {
				err = o.fail(err)
			}
		}
		*block = (*block)[:0]
		blocks.Put(block)
		if err != nil {
			return err
		}
	}
}

// end notes that close_notify was sent: nothing may be sent after it.
func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
}

// fail keeps err as the error of all later writes.
func (o *output) fail(err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		if e, ok := err.(net.Error); ok {
			err = &final{e}
		}
		o.err = err
	}
	return o.err
}

// final is an error that leaves a hole in the stream: it may be a timeout, but trying again can't help.
type final struct{ err net.Error }

func (e *final) Error() string   { return e.err.Error() }
func (e *final) Unwrap() error   { return e.err }
func (e *final) Timeout() bool   { return e.err.Timeout() }
func (e *final) Temporary() bool { return false }

// afterRead sends the replies that tls has written while it read, and returns the error for the reader.
func (c *Conn) afterRead(n int, err error) error {
	if c.flooded() {
		c.conn.SetDeadline(time.Unix(1, 0)) // ends all waits for this peer
		if n == 0 {
			err = ErrReplies
		}
		return err
	}
	c.sendReplies()
	if e, ok := err.(*passing); ok {
		err = e.error
	}
	return err
}

// flooded reports whether the peer has left more replies unread than are kept.
func (c *Conn) flooded() bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.err == ErrReplies
}

// sendReplies starts a task, or a goroutine, that sends the replies in output, or leaves them to the holder of the
// writers' turn.
func (c *Conn) sendReplies() {
	if !c.out.any.Load() || !c.writing.TryLock() {
		return
	}
	send := func() {
		defer c.endWrite()
		c.drain() // the next writer gets the error
	}
	if l, _ := loop.Current(); l != nil {
		(*ringo.Loop)(l).Go(send)
		(*ringo.Loop)(l).Sleep(0) // so that it has begun before more is read
	} else {
		go send()
	}
}

// endWrite gives up the writers' turn, and sends replies that readers have left meanwhile.
func (c *Conn) endWrite() {
	c.writing.Unlock()
	c.sendReplies()
}
