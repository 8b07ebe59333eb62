package logs_test

import (
	"io"
	"log"
	"os"
	"runtime"
	"testing"

	"ringo"
	"ringo/internal/race"
	"ringo/logs"
)

// TestAllocs wants a Write in a task to allocate nothing.
func TestAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	w := logs.NewWriter(io.Discard, &logs.Config{Patience: patient})
	defer closed(t, w)
	p := make([]byte, 100)
	inRun(t, 1, func(l *ringo.Loop) error {
		best := uint64(1 << 30)
		for tries := 0; tries < 10 && best > 0; tries++ {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range 1000 {
				w.Write(p)
			}
			runtime.ReadMemStats(&after)
			best = min(best, (after.Mallocs-before.Mallocs)/1000)
		}
		if best > 0 {
			t.Errorf("%d allocations a write", best)
		}
		return nil
	})
}

// BenchmarkLog is a line of package log in a task, to /dev/null: by a Writer, and by the file itself, as if nothing
// ever had to wait.
func BenchmarkLog(b *testing.B) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	for _, c := range []struct {
		name string
		out  func(b *testing.B) (out io.Writer, end func())
	}{
		{"to=writer", func(b *testing.B) (io.Writer, func()) {
			w := logs.NewWriter(null, nil)
			return w, func() {
				w.Close()
				b.ReportMetric(float64(w.Stats().Dropped)/float64(b.N), "drops/op")
			}
		}},
		{"to=file", func(*testing.B) (io.Writer, func()) { return null, func() {} }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			out, end := c.out(b)
			defer end()
			logger := log.New(out, "", log.LstdFlags)
			err := ringo.Run(b.Context(), &ringo.Config{Loops: 1, StallLimit: -1}, func(l *ringo.Loop) error {
				for b.Loop() {
					logger.Print("a line as servers have them, about a peer and what it asked for")
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
