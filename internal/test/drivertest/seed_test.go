//go:build linux

package drivertest

import (
	"fmt"
	"strings"
	"testing"
)

// failing is a test that fails.
type failing struct {
	testing.TB
	name, text string
	end        func()
}

func (f *failing) Helper()                    {}
func (f *failing) Name() string               { return f.name }
func (f *failing) Failed() bool               { return true }
func (f *failing) Cleanup(end func())         { f.end = end }
func (f *failing) Logf(s string, args ...any) { f.text = fmt.Sprintf(s, args...) }

// The world of a test is the same each time, another test's is another, and one that fails tells how to have it again.
func TestSeedIsTold(t *testing.T) {
	t.Setenv(seedVariable, "")
	play := func(name string) (chance uint64, again string) {
		f := &failing{TB: t, name: name}
		chance = NewWorld(f).Rand().Uint64()
		f.end()
		_, again, _ = strings.Cut(f.text, seedVariable+"=")
		return chance, again
	}
	first, again := play("TestA/b")
	if same, _ := play("TestA/b"); same != first {
		t.Error("one test has had two worlds")
	}
	if other, _ := play("TestA/c"); other == first {
		t.Error("two tests have had one world")
	}
	t.Setenv(seedVariable, again)
	if same, told := play("TestA/c"); same != first || told != again {
		t.Errorf("the world of seed %q is another when it is played again, with %q", again, told)
	}
}
