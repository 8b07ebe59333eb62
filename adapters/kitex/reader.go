package ringokitex

import (
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/bytedance/gopkg/lang/mcache"
	"github.com/cloudwego/netpoll"

	"ringo/buf"
)

const (
	// pieceLeast is the least memory, in bytes, for a message that does not lie in one buffer. pieceMost is the most
	// that is allocated before any of the message's bytes have arrived.
	pieceLeast, pieceMost = 4 << 10, 64 << 10
	// pieceGrowth is the factor by which such memory grows when it is full: a peer that announces much and sends
	// little makes the server hold at most this many times the bytes that it has sent.
	pieceGrowth = 4
)

// A reader has the bytes that a connection has received and kitex has not read: a netpoll.Reader. What it returns lies
// in the loop's buffer where it arrived, or, if that does not have all of it, in memory of its own, a piece. One
// caller uses it at a time.
type reader struct {
	c     *conn
	b     []byte    // unread
	lease buf.Lease // the buffer that b lies in, or lay in
	held  bool      // there is a lease
	piece []byte    // the memory that b lies in, if it is not the lease
	old   [][]byte  // pieces that became too small; slices of them may still be in use
	err   error     // how the stream has ended
	late  error     // a timeout for kitex's next read, which would otherwise wait for as long again
}

var _ netpoll.Reader = (*reader)(nil)

// fill waits until n bytes are unread, in one piece.
func (r *reader) fill(n int) error {
	for len(r.b) < n {
		if r.err != nil {
			return r.err
		}
		if err := r.late; err != nil {
			r.late = nil
			return err
		}
		if err := r.more(n); err != nil {
			return err
		}
	}
	return nil
}

// more waits for some bytes; n is how many the caller needs in all.
func (r *reader) more(n int) error {
	limited := r.c.limitRead(false)
	err := r.receive(n)
	if !limited && errors.Is(err, os.ErrDeadlineExceeded) && r.c.limitRead(true) { // it was an earlier wait's
		err = r.receive(n)
	}
	if err = failed(err, netpoll.ErrReadTimeout); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		r.err = err
		r.c.gone()
	}
	return err
}

func (r *reader) receive(n int) error {
	if len(r.b) == 0 && !r.held && r.piece == nil {
		lease, err := r.c.Conn.Next()
		if err == nil {
			r.lease, r.held, r.b = lease, true, lease.Bytes()
		}
		return err
	}
	r.makeRoom(n)
	at := len(r.piece)
	got, err := r.c.Conn.Read(r.piece[at:cap(r.piece)])
	r.piece = r.piece[:at+got]
	r.b = r.piece[at-len(r.b):]
	if got > 0 {
		return nil // the error comes again
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// makeRoom makes the unread bytes the end of a piece that has room behind them. n is how many are needed in one piece.
func (r *reader) makeRoom(n int) {
	if len(r.piece) < cap(r.piece) {
		return
	}
	if r.piece != nil {
		r.old = append(r.old, r.piece)
	}
	size := max(pieceLeast, min(n, max(pieceMost, pieceGrowth*len(r.b))))
	r.piece = append(mcache.Malloc(size)[:0], r.b...)
	r.b = r.piece
}

// Next reads n bytes. They are valid until Release.
func (r *reader) Next(n int) ([]byte, error) {
	if n <= 0 {
		return nil, nil
	}
	if err := r.fill(n); err != nil {
		return nil, err
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p, nil
}

// Peek returns the next n bytes without reading them. They are valid until Release.
func (r *reader) Peek(n int) ([]byte, error) {
	if n <= 0 {
		return nil, nil
	}
	if err := r.fill(n); err != nil {
		return nil, err
	}
	return r.b[:n:n], nil
}

// Skip discards n bytes, and waits for those that have not arrived.
func (r *reader) Skip(n int) error {
	if n <= len(r.b) {
		r.b = r.b[max(n, 0):]
		return nil
	}
	_, err := r.Next(n)
	return err
}

// Until reads up to and including delim. If delim does not come, it returns the bytes that have come, and the error.
func (r *reader) Until(delim byte) ([]byte, error) {
	for seen := 0; ; {
		if i := bytes.IndexByte(r.b[seen:], delim); i >= 0 {
			return r.Next(seen + i + 1)
		}
		seen = len(r.b)
		if err := r.fill(len(r.b) + 1); err != nil {
			line := r.b
			r.b = nil
			return line, err
		}
	}
}

// ReadString reads n bytes into a new string.
func (r *reader) ReadString(n int) (string, error) {
	p, err := r.Next(n)
	return string(p), err
}

// ReadBinary reads n bytes into new memory.
func (r *reader) ReadBinary(n int) ([]byte, error) {
	p, err := r.Next(n)
	return bytes.Clone(p), err
}

// ReadByte reads one byte.
func (r *reader) ReadByte() (byte, error) {
	p, err := r.Next(1)
	if err != nil {
		return 0, err
	}
	return p[0], nil
}

// Slice reads n bytes into a Reader with a copy of them.
func (r *reader) Slice(n int) (netpoll.Reader, error) {
	p, err := r.ReadBinary(n)
	if err != nil {
		return nil, err
	}
	own := netpoll.NewLinkBuffer()
	_, _ = own.WriteBinary(p)
	_ = own.Flush()
	return own, r.Release()
}

// Read is Read of an io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := r.fill(1); err != nil {
		return 0, err
	}
	n := copy(p, r.b)
	r.b = r.b[n:]
	return n, nil
}

// Len returns how many bytes can be read without waiting.
func (r *reader) Len() int { return len(r.b) }

// Release ends the use of slices that were returned, and frees memory that has no unread bytes.
func (r *reader) Release() error {
	for _, p := range r.old {
		mcache.Free(p)
	}
	clear(r.old)
	r.old = r.old[:0]
	if r.held && (len(r.b) == 0 || r.piece != nil) {
		r.lease.Release()
		r.lease, r.held = buf.Lease{}, false
	}
	if r.piece != nil && len(r.b) == 0 {
		mcache.Free(r.piece)
		r.piece = nil
	}
	if !r.held && r.piece == nil {
		r.b = nil
	}
	return nil
}

// end frees all memory, once no caller uses the connection.
func (r *reader) end() {
	r.b = nil
	_ = r.Release()
}
