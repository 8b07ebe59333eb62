package socktls

import "sync/atomic"

// borders knows whether a stream of TLS stands within a record: tls reads on behind the record that it is asked for,
// and nobody can ask it whether it has a part of the next.
type borders struct {
	header [5]byte // type, version, and the length of what follows
	have   int     // bytes of the header
	left   int     // bytes of the record
	within atomic.Bool
}

// pass goes on by what has come. One caller at a time.
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
