package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
)

const (
	readSize = 4 << 10
	readers  = 64 // tasks or goroutines that share the reads
)

// reads makes a number of reads a second, of a file that is out of the page cache at first. The file should be much
// larger than what is read, since a part that was read once is cached.
type reads struct {
	path   string
	second int
	done   atomic.Int64
}

// begin starts the readers: tasks of the loop, or without a loop goroutines that read by package os.
func (r *reads) begin(ctx context.Context, l *ringo.Loop) error {
	f, err := os.Open(r.path)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < readSize {
		return fmt.Errorf("%s has %d bytes, want at least %d", r.path, info.Size(), readSize)
	}
	for _, advice := range []int{unix.FADV_DONTNEED, unix.FADV_RANDOM} {
		if err := unix.Fadvise(int(f.Fd()), 0, 0, advice); err != nil {
			return os.NewSyscallError("fadvise64", err)
		}
	}
	pages := info.Size() / readSize
	if l == nil {
		for k := range readers {
			go r.read(k, f, pages, func(d time.Duration) error { return sleep(ctx, d) })
		}
		return nil
	}
	defer f.Close()
	own, err := file.Open(r.path)
	if err != nil {
		return err
	}
	if err := own.Advise(file.AdviceRandom, 0, 0); err != nil {
		return err
	}
	for k := range readers {
		if err := l.Post(func() { r.read(k, own, pages, l.Sleep) }); err != nil {
			return err
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// read is one reader. It reads whenever a read is due, even if earlier reads were late, until the server ends.
func (r *reads) read(k int, f io.ReaderAt, pages int64, sleep func(time.Duration) error) {
	b := make([]byte, readSize)
	random := rand.New(rand.NewPCG(uint64(k), uint64(time.Now().UnixNano())))
	begin := time.Now()
	for n := k; ; n += readers {
		due := time.Duration(float64(n) / float64(r.second) * float64(time.Second))
		if wait := due - time.Since(begin); wait > 0 {
			if sleep(wait) != nil {
				return // the loop ends
			}
		}
		_, err := f.ReadAt(b, random.Int64N(pages)*readSize)
		if errors.Is(err, context.Canceled) {
			return
		}
		r.done.Add(1)
		if err != nil {
			fmt.Fprintln(os.Stderr, "serve:", err)
			os.Exit(1)
		}
	}
}
