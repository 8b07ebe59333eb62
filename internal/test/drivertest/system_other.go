//go:build !linux

package drivertest

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// oDirect is 0: no file bypasses the page cache by a flag.
const oDirect = 0

// Here peers make their calls through package sys, as drivers do: no other package has calls on its descriptors.

func (system) read(fd int32, p []byte) int32               { return sys.Read(fd, p) }
func (system) write(fd int32, p []byte) int32              { return sys.Write(fd, p) }
func (system) accept(fd int32) int32                       { return sys.Accept(fd) }
func (system) send(fd int32, p []byte, flags uint32) int32 { return min(sys.Send(fd, p, flags), 0) }
func (system) awaitRead(fd int32, p []byte) int32          { return await(fd, sys.PollIn, p, sys.Read) }
func (system) awaitWrite(fd int32, p []byte) int32         { return await(fd, sys.PollOut, p, sys.Write) }
func (system) opened(t *testing.T) map[string]bool         { return nil }
func (system) descriptors() int                            { return int(min(sys.FilesMax(), 1<<20)) }

func (system) sendmsg(fd int32, p, control []byte) int32 {
	msg := sys.Msghdr{Iov: &sys.Iovec{Base: &p[0], Len: uintptr(len(p))}, Iovlen: 1}
	msg.Arm(new(sys.Sockaddr), false, control, false)
	return min(sys.Sendmsg(fd, &msg, 0), 0)
}

func (system) recvmsg(fd int32, p, control []byte) (n, controls int32) {
	msg := sys.Msghdr{Iov: &sys.Iovec{Base: &p[0], Len: uintptr(len(p))}, Iovlen: 1}
	msg.Arm(new(sys.Sockaddr), false, control, true)
	n = sys.Recvmsg(fd, &msg, 0)
	return n, int32(msg.Controllen)
}

func (system) block(fd int32) int32 { return sys.Fcntl(fd, sys.FSetfl, 0) }

// await repeats a non-blocking call until it no longer fails with EAGAIN.
func await(fd int32, mask int16, p []byte, call func(fd int32, p []byte) int32) int32 {
	for {
		if res := call(fd, p); res != -sys.EAGAIN {
			return res
		}
		sys.Ppoll([]sys.PollFd{{Fd: fd, Events: mask}}, int64(10*time.Millisecond))
	}
}

func (system) awaitReady(fd int32, mask uint32, d time.Duration) int32 {
	fds := []sys.PollFd{{Fd: fd, Events: int16(mask)}}
	if n := sys.Ppoll(fds, int64(d)); n <= 0 {
		return n
	}
	return int32(uint16(fds[0].Revents))
}

func (system) blockingPipe() (r, w, res int32) {
	if r, w, res = sys.Pipe(); res >= 0 {
		sys.Fcntl(r, sys.FSetfl, 0)
		sys.Fcntl(w, sys.FSetfl, 0)
	}
	return r, w, res
}

func (system) inherited(fd int32) bool { return sys.Fcntl(fd, sys.FGetfd, 0)&sys.FDCloexec == 0 }

func (system) identity(fd int32) (ino uint64, res int32) {
	var st sys.Statx
	res = sys.Statxat(fd, []byte{0}, sys.AtEmptyPath, sys.StatxBasic, &st)
	return st.Ino, res
}

// idles checks only that a wait lasts until its deadline: this system does not report a thread's processor time.
func (m system) idles(wait func(), span time.Duration) string {
	began := m.now()
	if wait(); m.now()-began < int64(span) {
		return fmt.Sprintf("a Wait of %v was over in %v", span, time.Duration(m.now()-began))
	}
	return ""
}

func (system) socketName(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	return dir + "/s"
}

func (system) open(name string, flags int, mode uint32) int32 {
	how := sys.OpenHow{Flags: uint64(flags | sys.OCloexec), Mode: uint64(mode)}
	return sys.Openat2(sys.AtFdcwd, append([]byte(name), 0), &how)
}

func (system) symlink(to, name string) int32 { return resultOf(os.Symlink(to, name)) }
func (system) fifo(string) int32             { return -sys.ENOSYS }
func (system) remove(name string) int32      { return resultOf(os.Remove(name)) }

func (system) mode(name string) (mode uint32, res int32) {
	var st sys.Statx
	res = sys.Statxat(sys.AtFdcwd, append([]byte(name), 0), 0, sys.StatxBasic, &st)
	return uint32(st.Mode), res
}

func (system) leads(name string) (to string, res int32) {
	to, err := os.Readlink(name)
	return to, resultOf(err)
}

func (system) names(name string) (all []string, res int32) {
	entries, err := os.ReadDir(name)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all, resultOf(err)
}

func (system) content(fd int32) (text string, res int32) {
	b := make([]byte, 1<<16)
	n := sys.ReadAt(fd, b, 0)
	return string(b[:max(n, 0)]), min(n, 0)
}

func (system) found(fd int32) bool { return sys.ReadAtNow(fd, make([]byte, 1), 1) != -sys.EAGAIN }

// resultOf converts an error of package os to a result.
func resultOf(err error) int32 {
	var e posix.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return posix.Result(e)
	}
	return -sys.EIO
}

// loopback is a free port at the one loopback address that every system has.
var loopback = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)

// newSystem calls t.TempDir first, so that the test's folder is removed last, when nothing in it is open any more: only
// Unix can remove it before.
func newSystem(t *testing.T) machine {
	t.TempDir()
	return system{}
}
