//go:build linux

package uring

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// turnsOf compares two ways to do something, which take turns: the processor's time of the
// process, its kernel threads included, and the time. The medians of the ratios are
// x-cpu and x-time, below 1 being less than base takes.
func turnsOf(b *testing.B, each int, base, way func()) {
	b.Helper()
	cost := func(f func()) (cpu, wall float64) {
		var before, after unix.Timespec
		began := time.Now()
		unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &before)
		for range each {
			f()
		}
		unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &after)
		return float64(after.Nano()-before.Nano()) / float64(each), float64(time.Since(began)) / float64(each)
	}
	var cpus, walls, xCPUs, xWalls []float64
	for b.Loop() {
		cpu, wall := cost(way)
		baseCPU, baseWall := cost(base)
		cpus, walls = append(cpus, cpu), append(walls, wall)
		xCPUs, xWalls = append(xCPUs, cpu/baseCPU), append(xWalls, wall/baseWall)
	}
	report := func(unit string, all []float64) {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], unit)
	}
	report("cpu-ns", cpus)
	report("ns", walls)
	report("x-cpu", xCPUs)
	report("x-time", xWalls)
	b.ReportMetric(0, "ns/op")
}

// directBlocks is a file of so many blocks of 4 KiB, opened past the page cache.
func directBlocks(b *testing.B, dir string, blocks int) (fd int) {
	b.Helper()
	name := filepath.Join(dir, "blocks")
	content := make([]byte, blocks*4096)
	for i := range content {
		content[i] = byte(i * 7)
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		b.Skip(err)
	}
	b.Cleanup(func() { f.Close() })
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	return int(f.Fd())
}

// readBlocks reads as many blocks at random places as mem has room for, all at a time. change makes each entry what it
// is to be.
func readBlocks(b *testing.B, r *Ring, fd int, mem []byte, blocks int, change func(e *SQE)) {
	depth := len(mem) / 4096
	for i := range depth {
		e := r.SQE()
		e.PrepRead(fd, mem[i*4096:(i+1)*4096], rand.Int64N(int64(blocks))*4096)
		change(e)
	}
	for got := 0; got < depth; {
		enter(b, r, uint32(depth-got))
		for c, ok := r.CQE(); ok; c, ok = r.CQE() {
			if c.Res == -int32(unix.EOPNOTSUPP) {
				b.Skip("the device has no queue to poll (null_blk, or NVMe with nvme.poll_queues)")
			}
			if c.Res != 4096 {
				b.Fatal(c)
			}
			got++
		}
	}
}

// BenchmarkReadFixed is reads of 4 KiB at random places past the page cache, 32 and 128 at a time, with the memory, the
// file, or both registered, beside those of neither. See docs/adr/0034 and 0061.
func BenchmarkReadFixed(b *testing.B) {
	const blocks = 16 << 10
	fd := directBlocks(b, b.TempDir(), blocks)
	for _, depth := range []int{32, 128} {
		mem := aligned(b, depth*4096)
		for _, way := range []struct {
			name         string
			memory, file bool
		}{{"neither", false, false}, {"memory", true, false}, {"file", false, true}, {"both", true, true}} {
			b.Run(fmt.Sprintf("depth=%d/registered=%s", depth, way.name), func(b *testing.B) {
				r := open(b, depth, nil)
				if err := r.RegisterBuffers([][]byte{mem}); err != nil {
					b.Skip(err)
				}
				if err := r.RegisterFiles([]int{fd}); err != nil {
					b.Fatal(err)
				}
				turnsOf(b, 1600/depth,
					func() { readBlocks(b, r, fd, mem, blocks, func(*SQE) {}) },
					func() {
						readBlocks(b, r, fd, mem, blocks, func(e *SQE) {
							if way.memory {
								e.Op = OpReadFixed
							}
							if way.file {
								e.FD, e.Flags = 0, SQEFixedFile
							}
						})
					})
			})
		}
	}
}

// BenchmarkIOPoll is reads of 4 KiB past the page cache that are polled for, beside those that an interrupt ends. It
// needs a device with queues for that under TMPDIR, or /var/tmp without one. See docs/adr/0061.
func BenchmarkIOPoll(b *testing.B) {
	const blocks = 4 << 10
	dir, err := os.MkdirTemp(cmp.Or(os.Getenv("TMPDIR"), "/var/tmp"), "iopoll")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	fd := directBlocks(b, dir, blocks)
	for _, depth := range []int{1, 32} {
		for _, hybrid := range []bool{false, true} {
			b.Run(fmt.Sprintf("depth=%d/hybrid=%v", depth, hybrid), func(b *testing.B) {
				waits, mem := open(b, max(depth, 8), nil), aligned(b, depth*4096)
				cfg := Config{IOPoll: true}
				if hybrid {
					cfg.With = SetupHybridIOPoll
				}
				polls, err := Open(max(depth, 8), &cfg)
				if err != nil {
					b.Skip(err)
				}
				defer polls.Close()
				read := func(r *Ring) func() {
					return func() { readBlocks(b, r, fd, mem, blocks, func(*SQE) {}) }
				}
				turnsOf(b, 320/depth, read(waits), read(polls))
			})
		}
	}
}

// BenchmarkOpenReadClose is a file of 1 KiB that is opened, read and closed: by three
// entries one after the other, and by a chain of three, whose descriptor is the ring's,
// beside the three calls. See docs/adr/0034.
func BenchmarkOpenReadClose(b *testing.B) {
	name := filepath.Join(b.TempDir(), "small")
	p, path := aligned(b, 4096), append([]byte(name), 0)
	if err := os.WriteFile(name, p[:1024], 0o600); err != nil {
		b.Fatal(err)
	}
	kept, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer kept.Close()
	if err := kept.Sync(); err != nil {
		b.Fatal(err)
	}
	calls := func() {
		fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := unix.Read(fd, p); n != 1024 || err != nil {
			b.Fatal(n, err)
		}
		unix.Close(fd)
	}
	for _, cold := range []bool{false, true} {
		for _, how := range []string{"calls", "entries", "chain"} {
			state := map[bool]string{false: "cached", true: "cold"}[cold]
			b.Run("file="+state+"/way="+how, func(b *testing.B) {
				r := open(b, 8, nil)
				if err := r.RegisterFiles([]int{-1}); err != nil {
					b.Skip(err)
				}
				way := map[string]func(){"calls": calls, "entries": func() {
					openByEntries(b, r, path, p)
				}, "chain": func() { openByChain(b, r, path, p) }}[how]
				freshly := func(f func()) func() {
					if !cold {
						return f
					}
					return func() {
						if err := unix.Fadvise(int(kept.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
							b.Fatal(err)
						}
						f()
					}
				}
				turnsOf(b, 100, freshly(calls), freshly(way))
			})
		}
	}
}

func openByEntries(b *testing.B, r *Ring, path, p []byte) {
	one := func(want int32) int32 {
		var c CQE
		for ok := false; !ok; c, ok = r.CQE() {
			enter(b, r, 1)
		}
		if c.Res < 0 || want >= 0 && c.Res != want {
			b.Fatal(c)
		}
		return c.Res
	}
	addr, _ := bytesOf(path)
	r.SQE().prep(OpOpenat, unix.AT_FDCWD, addr, 0, 0, unix.O_RDONLY|unix.O_CLOEXEC)
	fd := int(one(-1))
	r.SQE().PrepRead(fd, p, 0)
	one(1024)
	r.SQE().PrepClose(fd)
	one(0)
}

func openByChain(b *testing.B, r *Ring, path, p []byte) {
	addr, _ := bytesOf(path)
	e := r.SQE()
	e.prep(OpOpenat, unix.AT_FDCWD, addr, 0, 0, unix.O_RDONLY)
	e.FileIndex, e.Flags = 1, SQELink
	e = r.SQE()
	e.PrepRead(0, p[:1024], 0) // a short count breaks the chain
	e.Flags = SQEFixedFile | SQELink
	e = r.SQE()
	e.prep(OpClose, 0, 0, 0, 0, 0)
	e.FileIndex = 1
	var cqes [3]CQE
	for got := 0; got < 3; got += r.Drain(cqes[got:]) {
		enter(b, r, uint32(3-got))
	}
	if cqes[0].Res < 0 || cqes[1].Res != 1024 || cqes[2].Res < 0 {
		b.Fatal(cqes)
	}
}
