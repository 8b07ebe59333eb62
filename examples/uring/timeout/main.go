//go:build linux

// Timeout asks a question and waits for the answer, but no longer than DURATION: it submits a read, and linked to it a
// timeout that cancels the read.
//
//	timeout DURATION
package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"ringo/uring"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: timeout DURATION")
		os.Exit(2)
	}
	limit, err := time.ParseDuration(os.Args[1])
	if err == nil {
		fmt.Print("Who is there? ")
		p := make([]byte, 256)
		var n int
		if n, err = readFor(limit, int(os.Stdin.Fd()), p); err == nil {
			fmt.Printf("Good day, %s.\n", strings.TrimSpace(string(p[:n])))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "timeout:", err)
		os.Exit(1)
	}
}

// readFor is read(2) with a limit. When the time is over the error is os.ErrDeadlineExceeded; then nothing was read.
func readFor(limit time.Duration, fd int, p []byte) (int, error) {
	runtime.LockOSThread() // the ring belongs to this thread
	defer runtime.UnlockOSThread()
	r, err := uring.Open(2, nil)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	const read, timer = 1, 2
	e := r.SQE()
	e.PrepRead(fd, p, -1)
	e.SetFlags(uring.SQELink)
	e.SetUserData(read)
	ts := uring.NewTimespec(limit)
	e = r.SQE()
	e.PrepLinkTimeout(&ts, 0)
	e.SetUserData(timer)
	if _, err := r.Wait(2, -1); err != nil { // both complete, in any order
		return 0, err
	}
	n := int32(0)
	for c := range r.CQEs() {
		if c.UserData == read { // the timer's own result adds nothing to this one
			n = c.Res
		}
	}
	switch {
	case n == -int32(syscall.ECANCELED), n == -int32(syscall.EINTR): // the latter if a thread of the kernel's had it
		return 0, os.NewSyscallError("read", os.ErrDeadlineExceeded)
	case n < 0:
		return 0, os.NewSyscallError("read", syscall.Errno(-n))
	}
	return int(n), nil
}
