//go:build linux

package file_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkStop is how long the collector waits until all has stopped, while every
// processor but one is in cached reads, of File and of os.File in turns. A short read of
// ours is a call that the scheduler doesn't know of, so that a stop waits for its end:
// that is why it is short. ReadMemStats is what stops the world here; a collection
// does so twice.
func BenchmarkStop(b *testing.B) {
	name := filepath.Join(b.TempDir(), "file")
	if err := os.WriteFile(name, bytesOf(1<<20), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, size := range []int{4 << 10, 32 << 10, 64 << 10} {
		for _, whose := range []string{"file", "std"} {
			b.Run(fmt.Sprintf("size=%d/by=%s", size, whose), func(b *testing.B) { stopBeside(b, whose, name, size) })
		}
	}
}

func stopBeside(b *testing.B, whose, name string, size int) {
	f, err := openAs(whose, name, false)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var over atomic.Bool
	var readers sync.WaitGroup
	for range max(1, runtime.GOMAXPROCS(0)-1) {
		readers.Go(func() {
			p := make([]byte, size)
			for off := int64(0); !over.Load(); off = (off + int64(size)) & (1<<20 - 1) {
				if _, err := f.ReadAt(p, off); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	var took []time.Duration
	var stats runtime.MemStats
	for b.Loop() {
		// readers get going, and this thread stays awake
		for end := time.Now().Add(50 * time.Microsecond); time.Now().Before(end); {
		}
		begin := time.Now()
		runtime.ReadMemStats(&stats)
		took = append(took, time.Since(begin))
	}
	over.Store(true)
	readers.Wait()
	slices.Sort(took)
	us := func(q float64) float64 { return took[int(q*float64(len(took)-1))].Seconds() * 1e6 }
	b.ReportMetric(us(0.5), "p50-us")
	b.ReportMetric(us(0.9), "p90-us")
	b.ReportMetric(us(0.99), "p99-us")
	b.ReportMetric(0, "ns/op")
}
