package memkernel

import "math/bits"

// bitmap is a set of small numbers. It finds the lowest number not in the set by one word for 4096 of them.
type bitmap struct {
	words []uint64
	full  []uint64 // a bit for each word that is full
}

// lowest returns the lowest number that is not in the set.
func (b *bitmap) lowest() int {
	for i, f := range b.full {
		if f != ^uint64(0) {
			at := i*64 + bits.TrailingZeros64(^f)
			if at >= len(b.words) {
				break
			}
			return at*64 + bits.TrailingZeros64(^b.words[at])
		}
	}
	return len(b.words) * 64
}

// set adds a number, which must not be more than lowest.
func (b *bitmap) set(n int) {
	at := n / 64
	if at == len(b.words) {
		if b.words = append(b.words, 0); at%64 == 0 {
			b.full = append(b.full, 0)
		}
	}
	if b.words[at] |= 1 << (n % 64); b.words[at] == ^uint64(0) {
		b.full[at/64] |= 1 << (at % 64)
	}
}

// clear removes a number.
func (b *bitmap) clear(n int) {
	at := n / 64
	b.words[at] &^= 1 << (n % 64)
	b.full[at/64] &^= 1 << (at % 64)
}
