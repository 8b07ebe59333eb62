//go:build linux

package hosted

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/op"
)

// benchSize is more than a disk's own memory hides.
const benchSize = 256 << 20

// readers are what benchmarks compare; std is os.File.
var readers = []struct {
	name string
	cfg  *Config
}{
	{"hosted", &Config{}},
	{"hosted,rings=2", &Config{Rings: 2}},
	{"hosted,few=none", &Config{Few: onRing}},
	{"std", nil}, // the last, because its threads stay
}

func BenchmarkDirect1(b *testing.B)   { benchReads(b, 1, unix.O_DIRECT) }
func BenchmarkDirect4(b *testing.B)   { benchReads(b, 4, unix.O_DIRECT) }
func BenchmarkDirect32(b *testing.B)  { benchReads(b, 32, unix.O_DIRECT) }
func BenchmarkDirect256(b *testing.B) { benchReads(b, 256, unix.O_DIRECT) }
func BenchmarkCold256(b *testing.B)   { benchReads(b, 256, 0) }

// benchReads has n goroutines read random blocks until b.N have been read, and tells
// the processor time for each, and the threads of the process half-way: the test's own
// are among them, and what earlier benchmarks have left.
func benchReads(b *testing.B, n, flags int) {
	name := makeFile(b, benchSize)
	for _, reader := range readers {
		b.Run(reader.name, func(b *testing.B) {
			d := reopen(b, name, benchSize, flags)
			if flags == 0 {
				// Each read by itself, so that as many come from the disk.
				if err := unix.Fadvise(int(d.Fd()), 0, 0, unix.FADV_RANDOM); err != nil {
					b.Fatal(err)
				}
				d.drop(b)
			}
			read := func(o *op.Op) int32 {
				n, err := d.ReadAt(o.Buf, o.Off)
				if err != nil {
					b.Error(err)
				}
				return int32(n)
			}
			if reader.cfg != nil {
				h := open(b, *reader.cfg)
				defer func() { b.ReportMetric(float64(h.Info().Stats.Plain), "plain") }()
				read = func(o *op.Op) int32 {
					res, _ := h.Do(context.Background(), o)
					return res
				}
			}
			var next atomic.Int64
			most := 0
			var wg sync.WaitGroup
			b.ResetTimer()
			cpu, start := processor(b), time.Now()
			for i := range n {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(i), uint64(b.N)))
					o := &op.Op{Code: op.ReadAt, FD: &d.fd, Buf: aligned(block)}
					for {
						turn := next.Add(1)
						if turn > int64(b.N) {
							return
						}
						// each block once, or it is not cold
						if o.Off = rng.Int64N(benchSize/block) * block; flags == 0 {
							o.Off = turn * 40503 % (benchSize / block) * block
						}
						if res := read(o); res != block {
							b.Errorf("read %d", res)
							return
						}
						if turn == int64(b.N)/2 {
							most = threads(b)
						}
					}
				})
			}
			wg.Wait()
			took := time.Since(start)
			b.ReportMetric(float64(b.N)/took.Seconds(), "IOPS")
			b.ReportMetric(float64(processor(b)-cpu)/float64(b.N)/1e3, "cpu-µs/op")
			b.ReportMetric(float64(most), "threads")
		})
	}
}

// processor is the time that the process has used.
func processor(b *testing.B) time.Duration {
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}
