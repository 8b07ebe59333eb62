package sockhttp

import (
	"io"
	"net"
	"sync"

	"ringo/internal/invariant"
	"ringo/sock"
)

// stream is a connection whose bytes can be looked at before they are read: a *sock.Conn, or any other one in a
// buffered.
type stream interface {
	net.Conn
	Buffered() int
	Peek(n int) ([]byte, error)
	Discard(n int) (int, error)
}

var _ stream = (*sock.Conn)(nil)

// buffered makes a stream of any connection. It has memory only while it reads, or bytes are unread.
type buffered struct {
	net.Conn
	p   []byte
	off int
	mem *[bufferedMin]byte // the memory of p; nil: p has outgrown it
}

// bufferedMin is how many bytes it usually has room for.
const bufferedMin = 4096

var bufferedMem = sync.Pool{New: func() any { return new([bufferedMin]byte) }}

func (b *buffered) Buffered() int { return len(b.p) - b.off }

func (b *buffered) Read(p []byte) (int, error) {
	if b.Buffered() == 0 {
		return b.Conn.Read(p)
	}
	n := copy(p, b.p[b.off:])
	b.Discard(n)
	return n, nil
}

func (b *buffered) Peek(n int) ([]byte, error) {
	for b.Buffered() < n {
		if err := b.fill(n); err != nil {
			return b.p[b.off:], err
		}
	}
	return b.p[b.off : b.off+n], nil
}

// fill receives once, with room for at least n bytes in all.
func (b *buffered) fill(n int) error {
	if cap(b.p)-b.off < n || len(b.p) == cap(b.p) {
		b.makeRoom(max(bufferedMin, n, 2*b.Buffered()))
	}
	k, err := b.Conn.Read(b.p[len(b.p):cap(b.p)])
	b.p = b.p[:len(b.p)+k]
	if k > 0 {
		return nil
	}
	if b.Buffered() == 0 {
		b.release()
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// makeRoom moves the unread bytes to the front of at least size bytes of memory.
func (b *buffered) makeRoom(size int) {
	if cap(b.p) >= size {
		b.p, b.off = b.p[:copy(b.p, b.p[b.off:])], 0
		return
	}
	var mem *[bufferedMin]byte
	var to []byte
	if size == bufferedMin {
		mem = bufferedMem.Get().(*[bufferedMin]byte)
		to = mem[:0]
	} else {
		to = make([]byte, 0, size)
	}
	to = append(to, b.p[b.off:]...)
	b.release()
	b.p, b.mem = to, mem // Conn stays as it is: other goroutines read it
}

// release gives the memory back. What Peek has returned is invalid afterwards.
func (b *buffered) release() {
	if b.mem != nil {
		invariant.Poison(b.mem[:])
		bufferedMem.Put(b.mem)
	}
	b.p, b.off, b.mem = nil, 0, nil
}

// keep makes the memory stay with b: b now belongs to the program, several of whose goroutines may read at once.
func (b *buffered) keep() { b.mem = nil }

func (b *buffered) Discard(n int) (done int, err error) {
	for done < n {
		k := min(n-done, b.Buffered())
		b.off += k
		done += k
		if b.Buffered() == 0 {
			b.release()
			if done < n {
				if err := b.fill(1); err != nil {
					return done, err
				}
			}
		}
	}
	return done, nil
}

// ReadFrom is the ReadFrom of the connection below, so that the kernel sends files.
func (b *buffered) ReadFrom(r io.Reader) (int64, error) {
	if to, ok := b.Conn.(io.ReaderFrom); ok {
		return to.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{b.Conn}, r)
}

// NetConn returns the connection below.
func (b *buffered) NetConn() net.Conn { return b.Conn }

// CloseWrite is the CloseWrite of the connection below, if it has one.
func (b *buffered) CloseWrite() error {
	if c, ok := b.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}
