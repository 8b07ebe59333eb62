package sock_test

// byteAt is the byte at a place of the endless stream that tests send: each place
// of a few megabytes can be told from its neighbours and from places a power of
// two away.
func byteAt(i int) byte { return byte(i) ^ byte(i>>8)*29 ^ byte(i>>16)*71 ^ byte(i>>24) }

// pattern fills p with the stream from a place on.
func pattern(p []byte, at int) {
	for i := range p {
		p[i] = byteAt(at + i)
	}
}

// mismatch gives the place of the first wrong byte, -1 if p is the stream from at on.
func mismatch(p []byte, at int) int {
	for i, b := range p {
		if b != byteAt(at+i) {
			return at + i
		}
	}
	return -1
}
