package socktls

import "sync/atomic"

// borders tracks whether a TLS stream stands inside a record: tls reads beyond the record that it returns, and has no
// method that reports whether it holds a part of the next.
type borders struct {
	header [5]byte // type, version, and the length of what follows
	have   int     // bytes of the header that have come
	left   int     // bytes of the record still to come
	within atomic.Bool
}

// pass takes in the next bytes of the stream. One caller at a time may call it.
func (b *borders) pass(p []byte) {
	for len(p) > 0 {
		if b.left > 0 {
			n := min(b.left, len(p))
			b.left -= n
			p = p[n:]
			continue
		}
		n := copy(b.header[b.have:], p)
		p = p[n:]
		if b.have += n; b.have == len(b.header) {
			b.left, b.have = int(b.header[3])<<8|int(b.header[4]), 0
		}
	}
	b.within.Store(b.left > 0 || b.have > 0)
}
