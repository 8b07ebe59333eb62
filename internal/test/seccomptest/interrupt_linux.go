//go:build linux

package seccomptest

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// Interrupt makes the first times calls of a system call fail with EINTR without being run. It affects only the calling
// thread, and for good: the caller's goroutine must be locked to the thread and let it end. The supervisor holds up the
// thread during each call, and such a thread can't be stopped. So the garbage collector is off until stop is called,
// and for the same reason loops must not be watched (ringo.Config.StallLimit) and must not change GOMAXPROCS. stop
// returns how many calls there were; after it the call fails with ENOSYS on that thread.
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
	runtime.GOMAXPROCS(procs + 1) // one more for the supervisor; loops do not change such a number
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
	// The call blocks this thread with its P, and no other thread is sure to take what waits in the P's queue.
	<-started
	return func() int {
		finish <- struct{}{} // the thread can't call close, which may be the interrupted call
		err := <-failed
		asBefore()
		if err != nil {
			panic("seccomptest: " + err.Error())
		}
		return calls
	}, nil
}

// supervise answers calls until the other end of stop is closed.
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

// assembleNotify returns the filter that asks the supervisor about one call.
func assembleNotify(arch, number uint32) []unix.SockFilter {
	prog := assemble(arch, []Rule{{Number: number, Errno: unix.EINTR}})
	prog[len(prog)-2].K = unix.SECCOMP_RET_USER_NOTIF
	return prog
}
