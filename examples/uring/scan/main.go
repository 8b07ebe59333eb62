//go:build linux

// Scan reads a file or a block device past the page cache, with many reads on their way at a time, and prints how fast
// that was. File and memory are registered, so that the kernel looks up the file and pins the memory once, and not for
// each read.
//
//	scan [-block BYTES] [-depth N] [-random] [-time DURATION] FILE
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ringo/uring"
)

func main() {
	var s scan
	flag.IntVar(&s.block, "block", 4096, "bytes of a read")
	flag.IntVar(&s.depth, "depth", 128, "reads at a time")
	flag.BoolVar(&s.random, "random", false, "read anywhere, for ever")
	flag.DurationVar(&s.limit, "time", 0, "how long at most; 0: to the end, once")
	flag.Parse()
	if flag.NArg() != 1 || s.random && s.limit == 0 {
		fmt.Fprintln(os.Stderr, "usage: scan [flags] FILE, and -random wants -time")
		os.Exit(2)
	}
	begin := time.Now()
	err := s.run(flag.Arg(0))
	took := time.Since(begin).Seconds()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scan:", err)
		os.Exit(1)
	}
	fmt.Printf("%d reads in %.2f s: %.0f IOPS, %.1f MB/s\n", s.reads, took, float64(s.reads)/took,
		float64(s.bytes)/took/1e6)
}

type scan struct {
	block, depth int
	random       bool
	limit        time.Duration
	use          func(p []byte, off int64) // if not nil, called with what was read

	reads, bytes int64
}

// run opens the file with O_DIRECT, registers the file and the memory, and reads.
func (s *scan) run(name string) error {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	size, err := unix.Seek(fd, 0, unix.SEEK_END) // works for devices too
	if err != nil {
		return os.NewSyscallError("lseek", err)
	}
	if s.block <= 0 || s.depth <= 0 || s.random && size < int64(s.block) {
		return fmt.Errorf("%d reads of %d bytes at a time, of %d", s.depth, s.block, size)
	}
	// O_DIRECT needs aligned memory, and a mapping is aligned.
	mem, err := unix.Mmap(-1, 0, s.depth*s.block, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	defer unix.Munmap(mem)

	runtime.LockOSThread() // the ring belongs to this thread
	defer runtime.UnlockOSThread()
	r, err := uring.Open(max(s.depth, uring.EntriesMin), nil)
	if err != nil {
		return err
	}
	if err = r.RegisterFiles([]int{fd}); err == nil {
		if err = r.RegisterBuffers([][]byte{mem}); err == nil {
			err = s.read(r, mem, size)
		}
	}
	return errors.Join(err, r.Close())
}

// read keeps up to depth reads on their way, and waits for all of them at the end. The user data is the number of the
// block in mem.
func (s *scan) read(r *uring.Ring, mem []byte, size int64) (err error) {
	deadline := time.Now().Add(s.limit)
	blocks := size / int64(s.block)
	offs := make([]int64, s.depth)
	free := make([]int, s.depth)
	for i := range free {
		free[i] = i
	}
	cqes := make([]uring.CQE, s.depth)
	for next := int64(0); ; {
		more := err == nil && (s.limit == 0 || time.Now().Before(deadline))
		for ; more && len(free) > 0 && (s.random || next < size); next += int64(s.block) {
			i := free[len(free)-1]
			free = free[:len(free)-1]
			offs[i] = next
			if s.random {
				offs[i] = rand.Int64N(blocks) * int64(s.block)
			}
			e := r.SQE()
			e.PrepReadFixed(0, mem[i*s.block:(i+1)*s.block], offs[i], 0)
			e.SetFlags(uring.SQEFixedFile)
			e.SetUserData(uint64(i))
		}
		if len(free) == s.depth {
			return err
		}
		if _, err := r.Wait(1, -1); err != nil {
			return err
		}
		for _, c := range cqes[:r.Drain(cqes)] {
			i := int(c.UserData)
			free = append(free, i)
			switch n := min(int64(s.block), size-offs[i]); {
			case c.Res < 0:
				err = &os.SyscallError{Syscall: fmt.Sprintf("read at %d", offs[i]), Err: syscall.Errno(-c.Res)}
			case int64(c.Res) != n:
				err = fmt.Errorf("read at %d: %d bytes, not %d", offs[i], c.Res, n)
			case s.use != nil:
				s.use(mem[i*s.block:][:c.Res], offs[i])
			}
			s.reads++
			s.bytes += int64(max(0, c.Res))
		}
	}
}
