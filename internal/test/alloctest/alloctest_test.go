package alloctest

import "testing"

var kept *[64]byte

func TestLeast(t *testing.T) {
	once := 0
	for _, c := range []struct {
		name  string
		f     func()
		least float64
		most  float64
	}{
		{"nothing", func() {}, 0, 0.1},
		{"one", func() { kept = new([64]byte) }, 1, 1.1},
		{"one in the first call", func() {
			if once++; once == 1 {
				kept = new([64]byte)
			}
		}, 0, 0.1},
		{"one in some counts", func() {
			if once++; once < 500 {
				kept = new([64]byte)
			}
		}, 0, 0.1},
	} {
		once = 0
		if got := Least(100, 0.1, c.f); got < c.least || got > c.most {
			t.Errorf("%s: %v allocations a call, want %v to %v", c.name, got, c.least, c.most)
		}
	}
}
