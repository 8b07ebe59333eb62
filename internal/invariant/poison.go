package invariant

// Poison makes reads of memory that was given back visible, in a build with invariants.
func Poison(mem []byte) {
	if !Enabled || len(mem) == 0 {
		return
	}
	mem[0] = 0xDB
	for n := 1; n < len(mem); n *= 2 { // a store each would be dear under -race: a server that never catches up
		copy(mem[n:], mem[:n])
	}
}
