//go:build linux

package drivertest

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/sys"
)

// resultOf converts the results of a call to one result.
func resultOf(n int, err error) int32 {
	switch e := err.(type) {
	case nil:
		return int32(n)
	case syscall.Errno:
		return -int32(e)
	}
	var e syscall.Errno
	if errors.As(err, &e) {
		return -int32(e)
	}
	return -sys.EIO
}

func (system) read(fd int32, p []byte) int32  { return resultOf(unix.Read(int(fd), p)) }
func (system) write(fd int32, p []byte) int32 { return resultOf(unix.Write(int(fd), p)) }
func (system) accept(fd int32) int32          { return sys.Accept(fd) }

func (system) send(fd int32, p []byte, flags uint32) int32 {
	return resultOf(0, unix.Send(int(fd), p, int(flags)))
}

func (system) sendmsg(fd int32, p, control []byte) int32 {
	return resultOf(0, unix.Sendmsg(int(fd), p, control, nil, 0))
}

func (system) recvmsg(fd int32, p, control []byte) (n, controls int32) {
	m, c, _, _, err := unix.Recvmsg(int(fd), p, control, unix.MSG_CMSG_CLOEXEC)
	return resultOf(m, err), int32(c)
}

func (system) block(fd int32) int32 { return resultOf(0, unix.SetNonblock(int(fd), false)) }

// Package syscall tells the race detector about its calls.
func (system) awaitRead(fd int32, p []byte) int32  { return resultOf(syscall.Read(int(fd), p)) }
func (system) awaitWrite(fd int32, p []byte) int32 { return resultOf(syscall.Write(int(fd), p)) }

func (system) awaitReady(fd int32, mask uint32, d time.Duration) int32 {
	fds := []unix.PollFd{{Fd: fd, Events: int16(mask)}}
	for {
		if n, err := unix.Poll(fds, int(d/time.Millisecond)); err != unix.EINTR {
			return resultOf(n, err) * int32(fds[0].Revents)
		}
	}
}

func (system) blockingPipe() (r, w, res int32) {
	var ends [2]int
	err := unix.Pipe2(ends[:], unix.O_CLOEXEC)
	return int32(ends[0]), int32(ends[1]), resultOf(0, err)
}

func (system) move(fd, to int32) int32 {
	if err := unix.Dup3(int(fd), int(to), unix.O_CLOEXEC); err != nil {
		return resultOf(0, err)
	}
	return resultOf(0, unix.Close(int(fd)))
}

func (system) inherited(fd int32) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err != nil || flags&unix.FD_CLOEXEC == 0
}

func (system) identity(fd int32) (ino uint64, res int32) {
	var st unix.Stat_t
	err := unix.Fstat(int(fd), &st)
	return st.Ino, resultOf(0, err)
}

func (system) exhaust() (restore func(), res int32) {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		return nil, resultOf(0, err)
	}
	next, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, resultOf(0, err)
	}
	unix.Close(next)
	err = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(next), Max: old.Max})
	return func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			panic(err)
		}
	}, resultOf(0, err)
}

func (system) descriptors() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return math.MaxInt32
	}
	return int(min(limit.Cur, 1<<20))
}

// opened returns descriptors as "number -> what it refers to".
func (system) opened(t *testing.T) map[string]bool {
	t.Helper()
	const dir = "/proc/self/fd/"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	fds := make(map[string]bool, len(entries))
	for _, e := range entries {
		// The descriptor of the directory itself is closed by now.
		if to, err := os.Readlink(dir + e.Name()); err == nil {
			fds[e.Name()+" -> "+to] = true
		}
	}
	return fds
}

// idles checks that waits give up the processor and use little of it. The cost of a sleep depends on the machine: an
// emulated one needs hundreds of microseconds, and on a busy one the thread is charged for other work, up to
// milliseconds. So a wait fails only if in six rounds it uses more than a tenth of the time, and more than ten times as
// much as sleeps do; a wait that is kept awake uses all of the time. The sum of several waits counts, because on a busy
// machine a wait that spins may get no processor at all.
func (system) idles(wait func(), span time.Duration) string {
	const rounds, four = 6, 4
	most := span * four / 10
	for round := 1; ; round++ {
		slept := true
		waits := useOf(four, func() {
			before := threadUse()
			wait()
			slept = slept && threadUse().Nvcsw != before.Nvcsw
		})
		switch {
		case slept:
		case round == rounds:
			return fmt.Sprintf("a Wait of %v never slept", span)
		default: // its deadline may have passed before it began
			continue
		}
		if waits <= most {
			return ""
		}
		sleeps := useOf(four, func() {
			ts := unix.NsecToTimespec(int64(span))
			unix.Nanosleep(&ts, nil)
		})
		if waits <= 10*sleeps {
			return ""
		}
		if round == rounds {
			return fmt.Sprintf("four Waits of %v used the processor for %v, four sleeps for %v", span, waits, sleeps)
		}
	}
}

// useOf returns how much processor time the thread uses for n calls.
func useOf(n int, call func()) time.Duration {
	before := threadUse()
	for range n {
		call()
	}
	after := threadUse()
	return time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
}

func threadUse() (use unix.Rusage) {
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &use); err != nil {
		panic(err)
	}
	return use
}

func (system) socketName(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "r") // the test's own folder would make the name too long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "socket")
}

func (system) open(name string, flags int, mode uint32) int32 {
	return resultOf(unix.Open(name, flags|unix.O_CLOEXEC, mode))
}

func (system) symlink(to, name string) int32 { return resultOf(0, os.Symlink(to, name)) }
func (system) fifo(name string) int32        { return resultOf(0, unix.Mkfifo(name, 0o600)) }
func (system) remove(name string) int32      { return resultOf(0, os.Remove(name)) }

func (system) mode(name string) (mode uint32, res int32) {
	var st unix.Stat_t
	err := unix.Stat(name, &st)
	return st.Mode, resultOf(0, err)
}

func (system) leads(name string) (to string, res int32) {
	to, err := os.Readlink(name)
	return to, resultOf(0, err)
}

func (system) names(name string) (all []string, res int32) {
	entries, err := os.ReadDir(name)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all, resultOf(0, err)
}

func (system) content(fd int32) (text string, res int32) {
	b, err := os.ReadFile(filepath.Join("/proc/self/fd", strconv.Itoa(int(fd))))
	return string(b), resultOf(0, err)
}

func (system) found(fd int32) bool { return sys.ReadAtNow(fd, make([]byte, 1), 1) != -sys.EAGAIN }

// oDirect is the flag of open(2) to bypass the page cache.
const oDirect = unix.O_DIRECT

// loopback is a free port at a loopback address of this process alone. Programs that dial an unused port of 127.0.0.1
// must not reach a test's socket.
var loopback = func() netip.AddrPort {
	pid := os.Getpid()
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, byte(1 + pid>>16&0x7f), byte(pid >> 8), byte(pid)}), 0)
}()

func newSystem(*testing.T) machine { return system{} }
