//go:build linux

package file_test

import (
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/buf"
	"ringo/file"
)

// What many goroutines that read 4 KiB blocks cost, in file.File and in os.File: reads
// per second, processor time for each, and the threads of the process half-way, which
// include those that earlier benchmarks have left. So run each by itself:
//
//	go test ./file -run '^$' -bench 'Direct32/file' -benchtime 20000x
func BenchmarkDirect32(b *testing.B)  { benchReads(b, 32, true) }
func BenchmarkDirect256(b *testing.B) { benchReads(b, 256, true) }
func BenchmarkCold256(b *testing.B)   { benchReads(b, 256, false) }

func benchReads(b *testing.B, readers int, direct bool) {
	const size, block = 256 << 20, 4096
	name := filepath.Join(b.TempDir(), "disk")
	if err := writeBlocks(name, size); err != nil {
		b.Fatal(err)
	}
	for _, whose := range []string{"file", "std"} {
		b.Run(whose, func(b *testing.B) {
			f, err := openAs(whose, name, direct)
			if err != nil {
				b.Skip(err)
			}
			defer f.Close()
			if !direct {
				leaveMemory(b, name)
			}
			var next, most atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			cpu, start := processCPU(b), time.Now()
			for i := range readers {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(i), uint64(b.N)))
					p := buf.Aligned(block, block)
					for turn := next.Add(1); turn <= int64(b.N); turn = next.Add(1) {
						off := rng.Int64N(size/block) * block
						if !direct { // each once, or it is not cold
							off = turn * 40503 % (size / block) * block
						}
						if n, err := f.ReadAt(p, off); n != block || err != nil {
							b.Errorf("ReadAt = %d, %v", n, err)
							return
						}
						if turn == int64(b.N)/2 {
							tasks, _ := os.ReadDir("/proc/self/task")
							most.Store(int64(len(tasks)))
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "IOPS")
			b.ReportMetric(float64(processCPU(b)-cpu)/float64(b.N)/1e3, "cpu-µs/op")
			b.ReportMetric(float64(most.Load()), "threads")
		})
	}
}

type readerAt interface {
	io.ReaderAt
	io.Closer
}

func openAs(whose, name string, direct bool) (readerAt, error) {
	switch flags := map[bool]int{false: 0, true: unix.O_DIRECT}[direct]; {
	case whose == "std":
		return os.OpenFile(name, flags, 0)
	case direct:
		return file.OpenFile(name, file.Direct, 0)
	}
	return file.Open(name)
}

// leaveMemory takes a file out of the page cache.
func leaveMemory(b *testing.B, name string) {
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		b.Fatal(err)
	}
}

func writeBlocks(name string, size int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	p := make([]byte, 1<<20)
	for i := range p {
		p[i] = byte(i * 7)
	}
	for range size / len(p) {
		if _, err := f.Write(p); err != nil {
			return err
		}
	}
	return f.Sync()
}

func processCPU(b *testing.B) int64 {
	b.Helper()
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		b.Fatal(err)
	}
	return ru.Utime.Nano() + ru.Stime.Nano()
}
