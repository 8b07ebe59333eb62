package stream

import (
	"math"

	"ringo/internal/bufs"
	"ringo/internal/loop"
)

// Most returns how many unread bytes a connection may hold before it asks for no more.
func Most(l *loop.Loop) int { return l.Config().Leases * l.Config().BufferSize }

// Crowded reports whether the connection holds that many bytes, or all its leases' buffers: a connection that is not
// read must not empty the loop's ring.
func (in *In) Crowded(l *loop.Loop) bool {
	return int(in.count) >= l.Config().Leases || len(in.mem)-int(in.off) >= Most(l)
}

// Mem returns the unread bytes in the connection's own memory.
func (in *In) Mem() []byte { return in.mem[in.off:] }

// Any reports whether there are unread bytes.
func (in *In) Any() bool { return in.last != nil || int(in.off) < len(in.mem) }

// Has reports whether there are more than n unread bytes.
func (in *In) Has(n int) bool { return in.Any() && (n == 0 || in.Unread() > n) }

// Unread returns the number of unread bytes.
func (in *In) Unread() int {
	n := len(in.mem) - int(in.off)
	if in.last != nil {
		n += in.listed()
	}
	return n
}

// listed returns the number of bytes in the list, which must not be empty.
func (in *In) listed() (n int) {
	for b := in.last.Next(); ; b = b.Next() {
		if n += b.End - b.Off; b == in.last {
			return n
		}
	}
}

// First returns the first buffer of the list; nil if the list is empty.
func (in *In) First() *bufs.Buffer {
	if in.last == nil {
		return nil
	}
	return in.last.Next()
}

// Pieces returns the number of pieces of memory that hold the unread bytes.
func (in *In) Pieces() int {
	n := int(in.count)
	if int(in.off) < len(in.mem) {
		n++
	}
	return n
}

// Append puts a buffer at the end of the list.
func (in *In) Append(b *bufs.Buffer) {
	if in.last == nil {
		b.SetNext(b)
	} else {
		b.SetNext(in.last.Next())
		in.last.SetNext(b)
	}
	in.last = b
	in.count++
}

// Pop takes the first buffer off the list.
func (in *In) Pop() *bufs.Buffer {
	b := in.last.Next()
	if b == in.last {
		in.last = nil
	} else {
		in.last.SetNext(b.Next())
	}
	in.count--
	return b
}

// Add appends a copy of p to the connection's own memory. The list follows that memory, so it must be empty, or p must
// have been its first buffer.
func (in *In) Add(t *Tools, p []byte) {
	in.Grow(t, len(p))
	in.mem = append(in.mem, p...)
}

// Grow makes room for n more bytes in the connection's own memory, and returns the room.
func (in *In) Grow(t *Tools, n int) []byte {
	if cap(in.mem)-len(in.mem) < n {
		bigger := append(t.Get(len(in.Mem())+n), in.Mem()...)
		in.FreeMem(t)
		in.mem = bigger
	}
	return in.mem[len(in.mem) : len(in.mem)+n]
}

// Grown makes the first n bytes of that room unread bytes.
func (in *In) Grown(n int) { in.mem = in.mem[:len(in.mem)+n] }

// FreeMem gives the connection's own memory back, after its bytes were read or moved.
func (in *In) FreeMem(t *Tools) {
	if in.mem != nil && in.bits&theirs == 0 {
		t.Put(in.mem)
	}
	in.forget()
}

func (in *In) forget() {
	in.mem, in.off = nil, 0
	in.bits &^= theirs
}

// TakeMem gives the caller the connection's own memory, and returns its unread bytes.
func (in *In) TakeMem() []byte {
	p := in.Mem()
	in.forget()
	return p
}

// Resume begins with bytes that were received elsewhere, and takes over their memory. There may be more in the kernel.
func (in *In) Resume(t *Tools, unread []byte) {
	switch {
	case len(unread) == 0:
	case len(in.Mem()) == 0:
		in.FreeMem(t)
		in.mem = unread
		in.bits |= theirs
	default: // more has come meanwhile
		in.Add(t, unread)
	}
	in.Doubt()
	in.set(unasked, true)
}

// Spill moves the bytes in the list to the connection's own memory, so that a connection that is not read does not
// hold buffers that others need.
func (in *In) Spill(t *Tools) {
	for in.last != nil {
		in.Gather(t)
	}
}

// Gather moves the bytes of the list's first buffer to the connection's own memory.
func (in *In) Gather(t *Tools) {
	b := in.Pop()
	in.Add(t, b.Unread())
	b.Pool().Put(b)
}

// PutBack makes the bytes unread again that were read last. looked reports that other code still uses the connection's
// own memory, which PutBack then does not reuse.
func (in *In) PutBack(t *Tools, p []byte, looked bool) {
	all := append(t.Get(len(p)+len(in.Mem())), p...)
	all = append(all, in.Mem()...)
	if looked {
		in.forget()
	}
	in.FreeMem(t)
	in.mem = all
}

// Skip drops n unread bytes; there must be as many.
func (in *In) Skip(t *Tools, n int) {
	if k := min(n, len(in.Mem())); k > 0 {
		switch at := int(in.off) + k; {
		case at == len(in.mem):
			in.FreeMem(t)
		case uint64(at) <= math.MaxUint32:
			in.off = uint32(at)
		default:
			in.mem, in.off = in.mem[at:], 0
		}
		n -= k
	}
	for n > 0 {
		b := in.last.Next()
		k := b.End - b.Off
		if k > n {
			b.Off += n
			return
		}
		in.Pop()
		b.Pool().Put(b)
		n -= k
	}
}

// CopyTo moves unread bytes to p.
func (in *In) CopyTo(t *Tools, p []byte) (n int) {
	for n < len(p) && in.Any() {
		from := in.Mem()
		if len(from) == 0 {
			from = in.last.Next().Unread()
		}
		k := copy(p[n:], from)
		in.Skip(t, k)
		n += k
	}
	return n
}

// Take returns the unread bytes, and gives the caller their memory. It copies bytes that are in the loop's buffers,
// but not those in the connection's own memory, if there are any before them.
func (in *In) Take() []byte {
	p := in.TakeMem()
	if len(p) == 0 && in.last != nil {
		p = make([]byte, 0, in.listed())
	}
	for in.last != nil {
		b := in.Pop()
		p = append(p, b.Unread()...)
		b.Pool().Put(b)
	}
	return p
}

// Leave moves what In knows to another In, which does not use the loop's buffers.
func (in *In) Leave(to *In) {
	if in.Any() {
		to.Resume(nil, in.Take())
	}
	to.End(in.EOF(), in.Err())
}
