//go:build linux

package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/internal/test/testmain"
	"ringo/sim"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// Everything is called once, in order, and then nothing is active any more.
func TestTimers(t *testing.T) {
	sim.Explore(t, 5, func(w *sim.World) {
		var out strings.Builder
		w.Check(w.Wait(w.Host("one").Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			e := event.On(l)
			begin(e, &out, time.Second)
			return e.Wait()
		})))
		const want = "worked in 1000 pieces\nthree ticks\nonce\nnothing happens any more\n"
		if out.String() != want {
			w.Errorf("printed %q", out.String())
		}
	})
}

// The program ends by itself. A late loop may have said twice that nothing happens, before and behind what did.
func TestProgram(t *testing.T) {
	var out strings.Builder
	if err := run(&out, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	slices.Sort(lines)
	want := []string{"nothing happens any more", "once", "three ticks", "worked in 1000 pieces"}
	if !slices.Equal(slices.Compact(lines), want) {
		t.Errorf("printed %q", lines)
	}
}
