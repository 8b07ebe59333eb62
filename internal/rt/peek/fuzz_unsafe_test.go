package peek

import (
	"encoding/binary"
	"math"
	"runtime"
	"testing"
	"unsafe"

	"ringo/internal/rt/gmark"
)

// A goroutine that goes on while it is looked at leaves anything where frames were: the walk ends, and takes none of it
// for an address to read out of bounds.
func FuzzAt(f *testing.F) {
	stack := func(words ...uint64) (b []byte) {
		for _, w := range words {
			b = binary.NativeEndian.AppendUint64(b, w)
		}
		return b
	}
	for _, state := range []uint32{1, 2, 3, 4, 0x1004} {
		f.Add(state, uint64(0), uint64(0), stack(16, 0, 32, 0, 48, 0, 64, 0))
		for _, off := range []uint64{0, 7, 15, 16, math.MaxUint64 - 1} {
			garbage := math.MaxUint64 - off
			f.Add(state, uint64(0), garbage, stack(0, 0))
			f.Add(state, uint64(0), uint64(0), stack(garbage, garbage, 16, 0))
			f.Add(state, garbage, uint64(8), stack(garbage, garbage))
		}
	}
	f.Fuzz(func(t *testing.T, state uint32, sp, bp uint64, words []byte) {
		// The goroutine and its stack are ours, and begin and end with words that a walk must not leave.
		memory := make([]uint64, wordsOfG/8+1+len(words)/8)
		base := uint64(uintptr(unsafe.Pointer(&memory[0])))
		low, high := base+wordsOfG+8, base+uint64(8*len(memory))
		place := func(w uint64) uint64 { // small ones are places in the stack
			if w < uint64(len(words)) {
				return low + w
			}
			return w
		}
		memory[stackLow/8], memory[stackHigh/8] = low, high
		memory[schedG/8], memory[schedSP/8], memory[schedBP/8] = base, place(sp), place(bp)
		memory[status/8] = uint64(state)
		for i := range len(words) / 8 {
			memory[wordsOfG/8+1+i] = place(binary.NativeEndian.Uint64(words[8*i:]))
		}
		var p Peeker
		if s, pcs := p.At(gmark.G(base)); len(pcs) > inner+outer || s == Unknown && len(pcs) > 0 {
			t.Errorf("state %v with %d addresses", s, len(pcs))
		}
		if pcs := p.Beginning(gmark.G(base), "main.main"); len(pcs) > inner+outer {
			t.Errorf("%d addresses", len(pcs))
		}
		runtime.KeepAlive(memory)
	})
}
