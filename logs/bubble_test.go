package logs_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"

	"ringo"
	"ringo/logs"
)

// Goroutines in a bubble of testing/synctest log to a Writer that is outside, as all tests' loggers are that main has
// made: with and without a Run, and with what has no room yet.
func TestLogInABubble(t *testing.T) {
	var out bytes.Buffer
	w := logs.NewWriter(&out, &logs.Config{Size: 4096, Patience: patient,
		Dropped: func(uint64, uint64) []byte { return nil }})
	line := bytes.Repeat([]byte("x"), 1000)
	const lines = 20
	log := func(t *testing.T) {
		for range lines {
			if n, err := w.Write(line); n != len(line) || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
		}
		if err := w.Flush(t.Context()); err != nil {
			t.Errorf("Flush: %v", err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		log(t)
		if got := out.Len(); got != lines*len(line) { // each Write has waited
			t.Errorf("%d bytes were written, want %d", got, lines*len(line))
		}
		done := make(chan struct{})
		for range 4 {
			go func() { log(t); done <- struct{}{} }()
		}
		for range 4 {
			<-done
		}
	})
	inRun(t, 1, func(l *ringo.Loop) error {
		return l.Offload(func(context.Context) error { synctest.Test(t, log); return nil })
	})
	synctest.Test(t, func(t *testing.T) {
		if err := w.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	s := w.Stats()
	if s.Written+s.Dropped != 6*lines || s.Failed != 0 || uint64(out.Len()) != s.WrittenBytes {
		t.Errorf("Stats: %+v, %d bytes", s, out.Len())
	}
}
