//go:build linux

package file_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/file"
)

// BenchmarkReadAtCached is what a read of what is in memory costs beside os.File: the
// two take turns, a thousand reads each, and the processor's time of each turn is
// compared with that of the turn before. The median of the ratios is x-os, 1 being as
// much as os; q1 and q3 are the quartiles. The task's kernel threads are not counted:
// wall, a ratio of times, has them.
func BenchmarkReadAtCached(b *testing.B) {
	cached(b, func(f reader, p []byte, i int64) error {
		_, err := f.ReadAt(p, i*int64(len(p))&(1<<20-1))
		return err
	})
}

// BenchmarkReadCached is the same of reads at the position.
func BenchmarkReadCached(b *testing.B) {
	cached(b, func(f reader, p []byte, i int64) error {
		_, err := f.Read(p)
		if err == io.EOF {
			_, err = f.Seek(0, io.SeekStart)
		}
		return err
	})
}

// reader is what os.File and File have to read.
type reader interface {
	io.ReadSeekCloser
	io.ReaderAt
}

func cached(b *testing.B, read func(f reader, p []byte, i int64) error) {
	dirs := []struct{ name, dir string }{{"disk", b.TempDir()}}
	if dir, err := os.MkdirTemp("/dev/shm", "ringo"); err == nil {
		b.Cleanup(func() { os.RemoveAll(dir) })
		dirs = append(dirs, struct{ name, dir string }{"tmpfs", dir})
	}
	if dir, err := overlay(b); err == nil {
		dirs = append(dirs, struct{ name, dir string }{"overlayfs", dir})
	}
	for _, at := range dirs {
		name := filepath.Join(at.dir, "file")
		if err := os.WriteFile(name, bytesOf(1<<20), 0o600); err != nil {
			b.Fatal(err)
		}
		for _, size := range []int{512, 4096, 65536} {
			where := fmt.Sprintf("fs=%s/size=%d", at.name, size)
			b.Run(where+"/by=goroutine", func(b *testing.B) {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				readInTurns(b, name, size, read)
			})
			for _, driver := range []string{"uring", "epoll"} {
				b.Run(where+"/by=task,"+driver, func(b *testing.B) {
					inTask(b, driver, func(*ringo.Loop) { readInTurns(b, name, size, read) })
				})
			}
		}
	}
}

func readInTurns(b *testing.B, name string, size int, read func(f reader, p []byte, i int64) error) {
	b.Helper()
	ours, err := file.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer ours.Close()
	theirs, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer theirs.Close()
	p := make([]byte, size)
	turn := func(f reader) (cpu, wall float64) {
		before, began := threadCPU(b), time.Now()
		for i := range int64(1000) {
			if err := read(f, p, i); err != nil {
				b.Fatal(err)
			}
		}
		return float64(threadCPU(b) - before), float64(time.Since(began))
	}
	var ratios, walls []float64
	total := 0.0
	for b.Loop() {
		cpu, wall := turn(ours)
		osCPU, osWall := turn(theirs)
		total += cpu
		ratios, walls = append(ratios, cpu/osCPU), append(walls, wall/osWall)
	}
	slices.Sort(ratios)
	slices.Sort(walls)
	b.ReportMetric(total/float64(len(ratios)*1000), "cpu-ns/read")
	b.ReportMetric(ratios[len(ratios)/4], "q1")
	b.ReportMetric(ratios[len(ratios)/2], "x-os")
	b.ReportMetric(ratios[len(ratios)*3/4], "q3")
	b.ReportMetric(walls[len(walls)/2], "wall")
	b.ReportMetric(0, "ns/op")
}

func threadCPU(b *testing.B) int64 {
	b.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		b.Fatal(err)
	}
	return ts.Nano()
}

func inTask(b *testing.B, driver string, f func(l *ringo.Loop)) {
	b.Helper()
	err := ringo.Run(context.Background(), &ringo.Config{Driver: driver, Loops: 1}, func(l *ringo.Loop) error {
		f(l)
		return nil
	})
	if err != nil {
		b.Skip(err)
	}
}

// BenchmarkHandOver is what a call costs that a worker makes, with nothing to wait for.
func BenchmarkHandOver(b *testing.B) {
	for what, call := range map[string]func(f *file.File) error{
		"write":  func(f *file.File) error { _, err := f.WriteAt([]byte("a record"), 0); return err },
		"advise": func(f *file.File) error { return f.Advise(file.AdviceNormal, 0, 0) },
	} {
		with := func(b *testing.B) {
			f, err := file.Create(filepath.Join(b.TempDir(), "file"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			f.WriteAt(make([]byte, 4096), 0)
			for b.Loop() {
				if err := call(f); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.Run(what+"/by=goroutine", with)
		for _, driver := range []string{"uring", "epoll"} {
			b.Run(what+"/by=task,"+driver, func(b *testing.B) {
				inTask(b, driver, func(*ringo.Loop) { with(b) })
			})
		}
	}
}

// BenchmarkAppend is what it costs to make a file longer by 64 bytes, cached, by whom and
// how: the processor's time of the whole process, its kernel threads included, beside
// os.File's, which takes turns of a hundred with it.
func BenchmarkAppend(b *testing.B) {
	for how, c := range map[string]struct {
		flag int
		at   bool
	}{"append": {flag: os.O_APPEND}, "Write": {}, "WriteAt": {at: true}} {
		with := func(b *testing.B) {
			f, err := file.OpenFile(filepath.Join(b.TempDir(), "ours"), os.O_RDWR|os.O_CREATE|c.flag, 0o600)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			g, err := os.OpenFile(filepath.Join(b.TempDir(), "theirs"), os.O_RDWR|os.O_CREATE|c.flag, 0o600)
			if err != nil {
				b.Fatal(err)
			}
			defer g.Close()
			p, at := bytesOf(64), int64(0)
			turn := func(f both) (cpu, wall float64) {
				before, began := processCPU(b), time.Now()
				for i := range int64(100) {
					var err error
					if c.at {
						_, err = f.WriteAt(p, at+i*int64(len(p)))
					} else {
						_, err = f.Write(p)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				return float64(processCPU(b)-before) / 100, float64(time.Since(began)) / 100
			}
			var cpus, walls, ratios []float64
			for b.Loop() {
				cpu, wall := turn(f)
				osCPU, _ := turn(g)
				cpus, walls, ratios = append(cpus, cpu), append(walls, wall), append(ratios, cpu/osCPU)
				at += 100 * int64(len(p))
			}
			for unit, all := range map[string][]float64{"cpu-ns/write": cpus, "ns/write": walls, "x-os": ratios} {
				slices.Sort(all)
				b.ReportMetric(all[len(all)/2], unit)
			}
			b.ReportMetric(0, "ns/op")
		}
		b.Run(how+"/by=goroutine", with)
		for _, driver := range []string{"uring", "epoll"} {
			b.Run(how+"/by=task,"+driver, func(b *testing.B) {
				inTask(b, driver, func(*ringo.Loop) { with(b) })
			})
		}
	}
}

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

// BenchmarkRanges is 64 blocks of a file at random places, past the page cache: by one ReadRanges, by a task for each,
// and one after the other. An op is a block.
func BenchmarkRanges(b *testing.B) {
	const size, block, many = 256 << 20, 4096, 64
	name := filepath.Join(b.TempDir(), "disk")
	if err := writeBlocks(name, size); err != nil {
		b.Fatal(err)
	}
	for _, way := range []string{"ranges", "tasks", "one"} {
		b.Run(way, func(b *testing.B) {
			err := ringo.Run(b.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
				f, err := file.OpenFile(name, file.Direct, 0)
				if err != nil {
					b.Skip(err)
				}
				defer f.Close()
				rng := rand.New(rand.NewPCG(1, uint64(b.N)))
				mem := buf.Aligned(many*block, block)
				rs := make([]file.ReadRange, many)
				b.ResetTimer()
				cpu, start := processCPU(b), time.Now()
				rounds := b.N/many + 1
				for range rounds {
					for i := range rs {
						rs[i] = file.ReadRange{Off: rng.Int64N(size/block) * block, P: mem[i*block : (i+1)*block]}
					}
					switch way {
					case "ranges":
						err = f.ReadRanges(rs)
					case "tasks":
						g := ringo.NewGroup(l)
						for _, r := range rs {
							g.Go(func() error { _, err := f.ReadAt(r.P, r.Off); return err })
						}
						err = g.Wait()
					default:
						for _, r := range rs {
							if _, err = f.ReadAt(r.P, r.Off); err != nil {
								break
							}
						}
					}
					if err != nil {
						return err
					}
				}
				blocks := float64(rounds * many)
				b.ReportMetric(blocks/time.Since(start).Seconds(), "IOPS")
				b.ReportMetric(float64(processCPU(b)-cpu)/blocks/1e3, "cpu-µs/op")
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}

type readerAt interface {
	io.ReaderAt
	io.Closer
}

// BenchmarkReadsBesideCompaction is a task that reads 4 KiB blocks at random places, past the page cache, beside eight
// tasks of a class that read a megabyte each, by the limits of that: how long a read takes, and how much the class
// reads meanwhile.
func BenchmarkReadsBesideCompaction(b *testing.B) {
	const size, block, large = 256 << 20, 4096, 1 << 20
	name := filepath.Join(b.TempDir(), "disk")
	if err := writeBlocks(name, size); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		tasks  int
		limits ringo.IOLimits
	}{
		{"alone", 0, ringo.IOLimits{}},
		{"no limits", 8, ringo.IOLimits{}},
		{"depth 1", 8, ringo.IOLimits{Depth: 1}},
		{"50 MB a second", 8, ringo.IOLimits{Depth: 1, Rate: 50e6}},
		{"idle", 8, ringo.IOLimits{Priority: ringo.IOIdle}},
	} {
		b.Run(c.name, func(b *testing.B) {
			inTask(b, "uring", func(l *ringo.Loop) {
				f, err := file.OpenFile(name, file.Direct, 0)
				if err != nil {
					b.Skip(err)
				}
				defer f.Close()
				class := ringo.NewClass("compaction", 10)
				class.SetIO(c.limits)
				var beside int64
				for i := range c.tasks {
					t := l.Go(func() {
						rng, p := rand.New(rand.NewPCG(uint64(i), 1)), buf.Aligned(large, block)
						l.WithClass(class, func() error {
							for {
								n, err := f.ReadAt(p, rng.Int64N(size/large)*large)
								if beside += int64(n); err != nil {
									return err
								}
							}
						})
					})
					defer func() { t.Cancel(); t.Wait() }()
				}
				rng, p := rand.New(rand.NewPCG(7, 1)), buf.Aligned(block, block)
				took := make([]time.Duration, b.N)
				b.ResetTimer()
				began, before := time.Now(), beside
				for i := range took {
					at := time.Now()
					if _, err := f.ReadAt(p, rng.Int64N(size/block)*block); err != nil {
						b.Error(err)
						return
					}
					took[i] = time.Since(at)
				}
				b.StopTimer()
				b.ReportMetric(float64(beside-before)/1e6/time.Since(began).Seconds(), "MB/s-beside")
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "p50-µs")
				b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-µs")
			})
		})
	}
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

// BenchmarkWriter is what it costs to make a file longer by 64 bytes, or 1 KiB, through a
// Writer: the processor's time of the whole process, its kernel threads included, beside
// bufio's over os.File, which takes turns with it. x-bufio is to bufio as it comes, of 4
// KiB, and x-same to one of the Writer's size.
func BenchmarkWriter(b *testing.B) {
	for how, flag := range map[string]int{"append": os.O_APPEND, "at": 0} {
		for _, record := range []int{64, 1024} {
			for _, size := range []int{32 << 10, 128 << 10} {
				with := func(b *testing.B) { writeInTurns(b, flag, record, size) }
				where := fmt.Sprintf("%s/record=%d/size=%d", how, record, size)
				b.Run(where+"/by=goroutine", with)
				for _, driver := range []string{"uring", "epoll"} {
					b.Run(where+"/by=task,"+driver, func(b *testing.B) {
						inTask(b, driver, func(*ringo.Loop) { with(b) })
					})
				}
			}
		}
	}
}

func writeInTurns(b *testing.B, flag, record, size int) {
	const total = 2 << 20
	p := bytesOf(record)
	flag |= os.O_WRONLY | os.O_CREATE
	open := func(name string) *os.File {
		g, err := os.OpenFile(filepath.Join(b.TempDir(), name), flag, 0o600)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { g.Close() })
		return g
	}
	f, err := file.OpenFile(filepath.Join(b.TempDir(), "ours"), flag, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	g, h := open("bufio"), open("same")
	w, err := file.NewWriter(f, &file.StreamConfig{Size: size})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	usual, same := bufio.NewWriter(g), bufio.NewWriterSize(h, size)
	turn := func(f interface{ Truncate(size int64) error }, w interface {
		io.Writer
		Flush() error
	}) (cpu, wall float64) {
		if err := f.Truncate(0); err != nil { // so that none of it gets as far as the disk
			b.Fatal(err)
		}
		before, began := processCPU(b), time.Now()
		for range total / record {
			if _, err := w.Write(p); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
		n := float64(total / record)
		return float64(processCPU(b)-before) / n, float64(time.Since(began)) / n
	}
	var cpus, walls, ratios, sames []float64
	for b.Loop() {
		cpu, wall := turn(f, w)
		usualCPU, _ := turn(g, usual)
		sameCPU, _ := turn(h, same)
		cpus, walls = append(cpus, cpu), append(walls, wall)
		ratios, sames = append(ratios, cpu/usualCPU), append(sames, cpu/sameCPU)
	}
	for unit, all := range map[string][]float64{"cpu-ns/write": cpus, "ns/write": walls, "x-bufio": ratios,
		"x-same": sames} {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], unit)
	}
	b.ReportMetric(0, "ns/op")
}
