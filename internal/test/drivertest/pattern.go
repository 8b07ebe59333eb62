package drivertest

// pattern returns n bytes of stream id from an offset on. Bytes that are lost, doubled, swapped or of another stream
// don't match it.
func pattern(id, off, n int) string {
	b := make([]byte, n)
	fillPattern(b, id, off)
	return string(b)
}

func fillPattern(b []byte, id, off int) {
	for i := range b {
		b[i] = patternAt(id, off+i)
	}
}

// patternAt mixes all bits of the offset into one byte, so that the stream does not equal itself when shifted.
func patternAt(id, off int) byte {
	x := uint64(off)*0x9E3779B97F4A7C15 + uint64(id)*0xBF58476D1CE4E5B9
	return byte(x >> 40)
}

// mismatch returns the index of the first byte that is not the stream's, or -1 if there is none.
func mismatch(b []byte, id, off int) int {
	for i := range b {
		if b[i] != patternAt(id, off+i) {
			return i
		}
	}
	return -1
}
