// Package pattern gives every connection an endless byte stream of its own, and checks what comes back against it.
//
// All streams are windows into one block of pseudo-random bytes: position p of connection id is byte (start(id) + p)
// mod period. A message is sent straight from the block, and a reply is compared with it, so verifying costs one memory
// comparison. Since a stream goes on from message to message, a byte that is lost, doubled, reordered or delivered to
// another connection shows, unless it is displaced by a whole period.
package pattern

import (
	"bytes"
	"fmt"
)

// period is a prime (so that no message size divides it) and small enough that the block stays in the L2 cache.
const period = 131071

// stride spreads the starts of connections; different connections below period have different starts.
const stride = 52639

// Pattern holds the block. It does not change after New, so any number of goroutines may use it.
type Pattern struct {
	block  []byte
	window int
}

// New makes a pattern whose Window method returns at most window bytes at once.
func New(window int) *Pattern {
	block := make([]byte, period+window)
	x := uint64(0x9e3779b97f4a7c15)
	for i := range period {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		block[i] = byte(x >> 32)
	}
	for i := period; i < len(block); i++ {
		block[i] = block[i-period]
	}
	return &Pattern{block: block, window: window}
}

func offset(id int, pos uint64) int {
	return int((uint64(id)*stride + pos) % period)
}

// Window returns the bytes of connection id's stream from pos on: n of them, or the pattern's window if that is less.
// The slice is the pattern's own memory and must not be written to.
func (p *Pattern) Window(id int, pos uint64, n int) []byte {
	from := offset(id, pos)
	return p.block[from : from+min(n, p.window)]
}

// Check compares got with connection id's stream from pos on. The error names the first wrong byte.
func (p *Pattern) Check(id int, pos uint64, got []byte) error {
	for len(got) > 0 {
		want := p.Window(id, pos, len(got))
		if !bytes.Equal(want, got[:len(want)]) {
			return mismatch(id, pos, want, got)
		}
		pos += uint64(len(want))
		got = got[len(want):]
	}
	return nil
}

func mismatch(id int, pos uint64, want, got []byte) error {
	for i := range want {
		if want[i] != got[i] {
			return fmt.Errorf("connection %d: byte %d of the stream is %#02x, want %#02x", id,
				pos+uint64(i), got[i], want[i])
		}
	}
	panic("pattern: mismatch called for equal slices")
}
