package stream

import (
	"math"

	"ringo/internal/bufs"
	"ringo/internal/loop"
)

// Most is how many bytes may wait at a connection for somebody who reads before no more are asked for.
func Most(l *loop.Loop) int { return l.Config().Leases * l.Config().BufferSize }

// Crowded reports whether that many wait, so that the loop's ring is not emptied by a connection that is not read.
func (in *In) Crowded(l *loop.Loop) bool {
	return int(in.count) >= l.Config().Leases || len(in.mem)-int(in.off) >= Most(l)
}

// Mem is the unread bytes that are in memory of the connection's own.
func (in *In) Mem() []byte { return in.mem[in.off:] }

// Any reports whether there are unread bytes.
func (in *In) Any() bool { return in.last != nil || int(in.off) < len(in.mem) }

// Has reports whether there are more than n.
func (in *In) Has(n int) bool { return in.Any() && (n == 0 || in.Unread() > n) }

// Unread is how many there are.
func (in *In) Unread() int {
	n := len(in.mem) - int(in.off)
	if in.last != nil {
		n += in.listed()
	}
	return n
}

// listed is how many bytes are in the list.
func (in *In) listed() (n int) {
	for b := in.last.Next(); ; b = b.Next() {
		if n += b.End - b.Off; b == in.last {
			return n
		}
	}
}

// First is the first buffer of the list; nil: it is empty.
func (in *In) First() *bufs.Buffer {
	if in.last == nil {
		return nil
	}
	return in.last.Next()
}

// Pieces is in how many pieces of memory the unread bytes are.
func (in *In) Pieces() int {
	n := int(in.count)
	if int(in.off) < len(in.mem) {
		n++
	}
	return n
}

// Append puts a buffer at the end.
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

// Add copies bytes behind those in memory of the connection's own. The list, which comes behind them, is empty, or p
// was its first.
func (in *In) Add(t *Tools, p []byte) {
	in.Grow(t, len(p))
	in.mem = append(in.mem, p...)
}

// Grow gives room for n more bytes in that memory.
func (in *In) Grow(t *Tools, n int) []byte {
	if cap(in.mem)-len(in.mem) < n {
		bigger := append(t.Get(len(in.Mem())+n), in.Mem()...)
		in.FreeMem(t)
		in.mem = bigger
	}
	return in.mem[len(in.mem) : len(in.mem)+n]
}

// Grown says that n bytes of that room are unread bytes.
func (in *In) Grown(n int) { in.mem = in.mem[:len(in.mem)+n] }

// FreeMem gives that memory back, whose bytes are read or elsewhere.
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

// TakeMem gives the unread bytes of that memory to the caller, with the memory.
func (in *In) TakeMem() []byte {
	p := in.Mem()
	in.forget()
	return p
}

// Resume begins with bytes that were received elsewhere, and takes their memory over. Nobody knows whether there is
// more.
func (in *In) Resume(t *Tools, unread []byte) {
	switch {
	case len(unread) == 0:
	case len(in.Mem()) == 0:
		in.FreeMem(t)
		in.mem = unread
		in.bits |= theirs
	default: // something has come meanwhile
		in.Add(t, unread)
	}
	in.Doubt()
	in.set(unasked, true)
}

// Spill moves the buffers of the list into memory of the connection's own, so that a connection that is not read does
// not hold what others need.
func (in *In) Spill(t *Tools) {
	for in.last != nil {
		in.Gather(t)
	}
}

// Gather moves the first buffer of the list there.
func (in *In) Gather(t *Tools) {
	b := in.Pop()
	in.Add(t, b.Unread())
	b.Pool().Put(b)
}

// PutBack makes bytes unread again that were the last to be read. looked: somebody looks at the memory of the others.
func (in *In) PutBack(t *Tools, p []byte, looked bool) {
	all := append(t.Get(len(p)+len(in.Mem())), p...)
	all = append(all, in.Mem()...)
	if looked {
		in.forget()
	}
	in.FreeMem(t)
	in.mem = all
}

// Skip drops n unread bytes, which must be there.
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

// CopyTo moves unread bytes into p.
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

// Take gives what is unread, in memory that is the caller's from now on. It copies what is in the loop's buffers, and
// not what was copied once.
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

// Leave gives what is known to others, who have nothing to do with the loop's buffers.
func (in *In) Leave(to *In) {
	if in.Any() {
		to.Resume(nil, in.Take())
	}
	to.End(in.EOF(), in.Err())
}
