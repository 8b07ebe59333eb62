package invariant

// Poison overwrites memory that was given back, in a build with invariants, so that later reads of it show.
func Poison(mem []byte) {
	if !Enabled || len(mem) == 0 {
		return
	}
	mem[0] = 0xDB
	for n := 1; n < len(mem); n *= 2 { // under -race a store per byte costs so much that a server never catches up
		copy(mem[n:], mem[:n])
	}
}
