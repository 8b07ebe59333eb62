package pattern

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// read assembles n bytes of a stream out of windows of the given size.
func read(p *Pattern, id int, pos uint64, n, step int) []byte {
	var b []byte
	for len(b) < n {
		b = append(b, p.Window(id, pos+uint64(len(b)), min(step, n-len(b)))...)
	}
	return b
}

func TestStreamDoesNotDependOnTheWindow(t *testing.T) {
	small, large := New(7), New(1<<20)
	a := read(small, 3, period-100, 1000, 7)
	b := large.Window(3, period-100, 1000)
	if !bytes.Equal(a, b) {
		t.Fatal("the same positions give different bytes in patterns of different window sizes")
	}
	if err := small.Check(3, period-100, b); err != nil {
		t.Errorf("a correct reply longer than the window: %v", err)
	}
}

func TestWindowIsBounded(t *testing.T) {
	p := New(64)
	for pos := range uint64(2 * period) {
		if got := len(p.Window(1, pos, 1000)); got != 64 {
			t.Fatalf("Window at %d has %d bytes, want 64", pos, got)
		}
	}
}

func TestCheckFindsEveryKindOfDamage(t *testing.T) {
	const size, messages = 64, 32
	p := New(size * messages)
	good := func() []byte { return slices.Clone(p.Window(5, 1000, size*messages)) }
	cases := []struct {
		name   string
		damage func(b []byte) []byte
	}{
		{"one bit", func(b []byte) []byte { b[777] ^= 1; return b }},
		{"last byte", func(b []byte) []byte { b[len(b)-1]++; return b }},
		{"lost byte", func(b []byte) []byte { return append(b[:100], b[101:]...) }},
		{"doubled byte", func(b []byte) []byte { return slices.Insert(b, 100, b[99]) }},
		{"lost message", func(b []byte) []byte { return append(b[:3*size], b[4*size:]...) }},
		{"doubled message", func(b []byte) []byte {
			return slices.Insert(b, 3*size, slices.Clone(b[2*size:3*size])...)
		}},
		{"swapped messages", func(b []byte) []byte {
			first := slices.Clone(b[:size])
			copy(b, b[size:2*size])
			copy(b[size:], first)
			return b
		}},
		{"another connection's message", func(b []byte) []byte { copy(b, p.Window(6, 1000, size)); return b }},
		{"zeros", func(b []byte) []byte { clear(b); return b }},
	}
	if err := p.Check(5, 1000, good()); err != nil {
		t.Fatalf("an undamaged reply: %v", err)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if p.Check(5, 1000, c.damage(good())) == nil {
				t.Error("the damage was not noticed")
			}
		})
	}
}

func TestErrorNamesTheFirstWrongByte(t *testing.T) {
	p := New(100)
	b := slices.Clone(p.Window(2, 500, 100))
	b[40] ^= 0xff
	err := p.Check(2, 500, b)
	if err == nil || !strings.Contains(err.Error(), "byte 540 of the stream") {
		t.Errorf("error %v, want one that names byte 540", err)
	}
}

func TestConnectionsDiffer(t *testing.T) {
	seen := make(map[int]int)
	for id := range 20_000 {
		from := offset(id, 0)
		if other, ok := seen[from]; ok {
			t.Fatalf("connections %d and %d have the same stream", id, other)
		}
		seen[from] = id
	}
}

func BenchmarkCheck16K(b *testing.B) {
	p := New(16384)
	got := slices.Clone(p.Window(1, 0, 16384))
	b.SetBytes(16384)
	for b.Loop() {
		if err := p.Check(1, 0, got); err != nil {
			b.Fatal(err)
		}
	}
}
