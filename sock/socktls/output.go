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

	// overhead is how much longer than itself a piece may become. Of the first records, which are small, 50 make one.
	overhead = 8192
)

// ErrReplies is returned by all calls on a connection whose peer has asked for replies, such as those to KeyUpdates,
// and does not read them: they would need unbounded memory.
var ErrReplies = errors.New("socktls: the peer asks for replies and does not read them")

// output is what tls has written and nobody has sent.
//
//	tls.Write, by who has the writers' turn ──┐
//	tls.Read, a reply ────────────────────────┴──▶ secured ──drain, by who has the writers' turn──▶ sent
//
// Tls writes under its lock of the output, and nobody parks with that. A reader that leaves something here gives it
// to a task of its own if the writers' turn is free; otherwise who has the turn looks before it leaves.
type output struct {
	any   atomic.Bool // there may be something
	piece atomic.Bool // a piece of a Write is in tls, or secured

	mu      sync.Mutex // held for a copy, by nobody who parks
	secured *[]byte
	ended   bool  // close_notify is sent: what readers answer is dropped
	err     error // final: what has become of something that was to be sent
}

// blocks are the memory of what is secured. A block has room for a piece, or for replies.
var blocks = sync.Pool{New: func() any { return new([]byte) }}

// below is the connection as tls sees the one below it.
type below Conn

// Read reads for tls. It parks, which keeps nobody but readers. Of a task that was cancelled tls thinks as of a
// deadline: other tasks may go on reading.
func (b *below) Read(p []byte) (int, error) {
	n, err := b.conn.Read(p)
	b.came.pass(p[:n])
	if err != nil && b.done.Load() && errors.Is(err, context.Canceled) {
		err = &passing{err}
	}
	return n, err
}

// passing is an error of the caller's and not of the connection's.
type passing struct{ error }

func (*passing) Timeout() bool   { return false }
func (*passing) Temporary() bool { return true }

// Write takes what tls has secured, without waiting. While the handshake is under way nobody else can enter tls, so
// that it may wait then, and sends.
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
	case o.ended: // or tls, which can't have answered a KeyUpdate, would not read on
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

// Close closes the connection below, for a context that ends the handshake.
func (b *below) Close() error { return b.conn.Close() }

func (b *below) LocalAddr() net.Addr               { return b.conn.LocalAddr() }
func (b *below) RemoteAddr() net.Addr              { return b.conn.RemoteAddr() }
func (b *below) SetDeadline(t time.Time) error     { return b.conn.SetDeadline(t) }
func (b *below) SetReadDeadline(t time.Time) error { return b.conn.SetReadDeadline(t) }

// SetWriteDeadline is called by Config's functions, and by tls around close_notify, which does not go out then.
func (b *below) SetWriteDeadline(t time.Time) error {
	if b.done.Load() {
		return nil
	}
	return b.conn.SetWriteDeadline(t)
}

// write is Write for who has the writers' turn.
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

// secure has tls secure a piece. Until that is drained it waits with what readers answer, and is none of their replies.
func (c *Conn) secure(piece []byte) error {
	c.out.piece.Store(true)
	_, err := c.tls.Write(piece)
	return err
}

// drain sends what is secured, for who has the writers' turn, and waits for room. The error is final.
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

// end is behind close_notify, after which nothing may be sent.
func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
}

// fail notes what all who write are told from now on.
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

// final is an error with which the stream has a hole: it may be a timeout, but nothing is gained by trying again.
type final struct{ err net.Error }

func (e *final) Error() string   { return e.err.Error() }
func (e *final) Unwrap() error   { return e.err }
func (e *final) Timeout() bool   { return e.err.Timeout() }
func (e *final) Temporary() bool { return false }

// afterRead has sent what tls has answered while it read, and gives the error that the reader is told.
func (c *Conn) afterRead(n int, err error) error {
	if c.flooded() {
		c.conn.SetDeadline(time.Unix(1, 0)) // all who wait for this peer are told
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

// flooded reports whether the peer has asked for too much.
func (c *Conn) flooded() bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.err == ErrReplies
}

// sendReplies has a task send what is there, or leaves it to who has the writers' turn.
func (c *Conn) sendReplies() {
	if !c.out.any.Load() || !c.writing.TryLock() {
		return
	}
	send := func() {
		c.drain() // who writes next is told of an error
		c.endWrite()
	}
	if l, _ := loop.Current(); l != nil {
		(*ringo.Loop)(l).Go(send)
		(*ringo.Loop)(l).Sleep(0) // so that it has begun before more is read
	} else {
		go send()
	}
}

// endWrite gives up the writers' turn. What a reader has left meanwhile is sent.
func (c *Conn) endWrite() {
	c.writing.Unlock()
	c.sendReplies()
}
