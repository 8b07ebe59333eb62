//go:build linux

package uring

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
)

// BenchmarkWriteSync is a write and the fdatasync after it, in the ways there are: two
// entries that are linked, one after the other, and plain calls. See docs/adr/0031.
func BenchmarkWriteSync(b *testing.B) {
	for _, direct := range []bool{false, true} {
		for _, size := range []int{4 << 10, 128 << 10} {
			for _, way := range []string{"linked", "entries", "calls"} {
				b.Run(fmt.Sprintf("direct=%v/size=%d/way=%s", direct, size, way), func(b *testing.B) {
					benchWriteSync(b, direct, size, way)
				})
			}
		}
	}
}

func benchWriteSync(b *testing.B, direct bool, size int, way string) {
	flag := os.O_RDWR | os.O_CREATE
	if direct {
		flag |= unix.O_DIRECT
	}
	f, err := os.OpenFile(filepath.Join(b.TempDir(), "log"), flag, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	r := open(b, 8, nil)
	fd, p, cqes := int(f.Fd()), aligned(b, size), make([]CQE, 2)
	wait := func(n int) {
		for got := 0; got < n; got += r.Drain(cqes[got:n]) {
			enter(b, r, uint32(n-got)) // a signal may end it
		}
		if cqes[0].Res < 0 || cqes[n-1].Res < 0 {
			b.Fatal(cqes)
		}
	}
	sync := func() { r.SQE().prep(OpFsync, fd, 0, 0, 0, abi.IORING_FSYNC_DATASYNC) }
	const room = 64 << 20
	var before, after syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	for i := 0; b.Loop(); i++ {
		off := int64(i*size) % room
		switch way {
		case "linked":
			e := r.SQE()
			e.PrepWrite(fd, p, off)
			e.Flags |= SQELink
			sync()
			wait(2)
		case "entries":
			r.SQE().PrepWrite(fd, p, off)
			wait(1)
			sync()
			wait(1)
		case "calls":
			if _, err := unix.Pwrite(fd, p, off); err != nil {
				b.Fatal(err)
			}
			if err := unix.Fdatasync(fd); err != nil {
				b.Fatal(err)
			}
		}
	}
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	b.ReportMetric(float64(cpu.Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
}

// aligned gives memory for direct I/O: a mapping begins at a page.
func aligned(b testing.TB, n int) []byte {
	p, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { unix.Munmap(p) })
	return p
}
