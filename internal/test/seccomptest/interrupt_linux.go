//go:build linux

package seccomptest

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// Interrupt makes the first times calls of a system call end with EINTR without being
// run, on the calling thread alone and for good: the caller's goroutine must be locked
// to it and let it end. Between it and stop the collector is off, since a thread that
// the supervisor holds up can't be stopped; for the same reason loops must not be watched
// (ringo.Config.StallLimit), and don't change GOMAXPROCS. stop tells how many calls there were;
// afterwards the call fails with ENOSYS on that thread.
//
//	this thread ── the call ──▶ kernel ── notification ──▶ supervisor, a goroutine
//	                              ◀── EINTR, or: go on ──────┘
func Interrupt(number uint32, times int) (stop func() (calls int), err error) {
	arch, ok := auditArch[runtime.GOARCH]
	if !ok {
		return nil, fmt.Errorf("no filters on %s", runtime.GOARCH)
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	percent, procs := debug.SetGCPercent(-1), runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(procs + 1) // one for the supervisor, and a number that loops leave alone
	asBefore := func() {
		runtime.GOMAXPROCS(procs)
		debug.SetGCPercent(percent)
	}
	fd, err := listen(assembleNotify(arch, number))
	if err != nil {
		asBefore()
		unix.Close(ends[0])
		unix.Close(ends[1])
		return nil, err
	}
	calls, failed, finish := 0, make(chan error), make(chan struct{})
	go func() {
		<-finish
		unix.Close(ends[1])
	}()
	started := make(chan struct{})
	go func() {
		close(started)
		err := supervise(fd, ends[0], times, &calls)
		unix.Close(ends[0])
		unix.Close(fd)
		failed <- err
	}()
	// The call holds this thread's P, and what waits in its queue is not sure to be taken by another.
	<-started
	return func() int {
		finish <- struct{}{} // the thread can't close, if that is the call
		err := <-failed
		asBefore()
		if err != nil {
			panic("seccomptest: " + err.Error())
		}
		return calls
	}, nil
}

// supervise answers the calls until the other end of stop is closed.
func supervise(fd, stop, times int, calls *int) error {
	for {
		ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(stop)}}
		if _, err := unix.Poll(ready, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if ready[0].Revents&unix.POLLIN != 0 {
			var errno unix.Errno
			if *calls < times {
				errno = unix.EINTR
			}
			answered, err := answer(fd, errno)
			if err != nil {
				return err
			}
			if answered {
				*calls++
			}
		} else if ready[1].Revents != 0 {
			return nil
		}
	}
}

// assembleNotify is the program that asks the supervisor about one call.
func assembleNotify(arch, number uint32) []unix.SockFilter {
	prog := assemble(arch, []Rule{{Number: number, Errno: unix.EINTR}})
	prog[len(prog)-2].K = unix.SECCOMP_RET_USER_NOTIF
	return prog
}
