package code

import (
	"strings"
	"testing"

	"ringo/internal/test/alloctest"
)

type thing struct{ n int }

func (t *thing) do() { t.n++ }

func plain() {}

func TestName(t *testing.T) {
	x := &thing{}
	n := 0
	closure := func() { n++ }
	for _, c := range []struct {
		what      string
		f         Func
		want      string
		somewhere bool
	}{
		{"a function", Of(plain), "ringo/internal/rt/code.plain", true},
		{"a closure", Of(closure), "ringo/internal/rt/code.TestName.func1", true},
		{"a method", Of((*thing).do), "ringo/internal/rt/code.(*thing).do", true},
		{"a method value", Of(x.do), "ringo/internal/rt/code.(*thing).do", false},
		{"nil", Of[func()](nil), "", false},
	} {
		if got := c.f.Name(); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
		place := c.f.Place()
		if got := strings.Contains(place, "code_test.go:"); got != c.somewhere {
			t.Errorf("%s: is at %q", c.what, place)
		}
	}
	Call(Of(closure), "a name")
	if got := Of(closure).Name(); got != "a name" {
		t.Errorf("%q, want the name that it was given", got)
	}
}

func TestNoAllocs(t *testing.T) {
	x := &thing{}
	fn := x.do
	var sum Func
	if n := alloctest.Least(100, 0.1, func() { sum += Of(fn) }); n > 0.1 || sum == 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkOf(b *testing.B) {
	fn := func() {}
	var sum Func
	for b.Loop() {
		sum += Of(fn)
	}
	_ = sum
}
