//go:build linux

package kernel

import (
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/sys"
	"ringo/internal/test/seccomptest"
)

// interrupted runs call on a thread of its own on which the first times calls of a system
// call end with EINTR, and returns its result and how many there were.
func interrupted(t *testing.T, number uint32, times int, call func() int32) (res int32, calls int) {
	t.Helper()
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // which ends the thread
		stop, err := seccomptest.Interrupt(number, times)
		if err == nil {
			res = call()
			calls = stop()
		}
		failed <- err
	}()
	if err := <-failed; err != nil {
		t.Skipf("no supervisor of system calls here (Linux 5.5): %v", err)
	}
	return res, calls
}

func socket(t *testing.T, kind int) int32 {
	t.Helper()
	s := Host{}.Socket(sys.AFInet, kind, 0)
	if s < 0 {
		t.Fatalf("Socket = %d", s)
	}
	t.Cleanup(func() { unix.Close(int(s)) })
	return s
}

// A call that a signal has interrupted has done nothing, and is made again.
func TestInterruptedCallsAreMadeAgain(t *testing.T) {
	var k Kernel = Host{}
	stream, dgram := socket(t, sys.SockStream), socket(t, sys.SockDgram)
	a, b, res := sys.Socketpair(sys.SockStream | sys.SockNonblock)
	if res < 0 {
		t.Fatalf("Socketpair = %d", res)
	}
	t.Cleanup(func() { unix.Close(int(a)); unix.Close(int(b)) })
	at, sa := new(sys.Sockaddr), new(sys.Sockaddr)
	at.Set(netip.MustParseAddrPort("127.0.0.1:0"))
	made := func(fd int32) int32 {
		if fd >= 0 {
			unix.Close(int(fd))
		}
		return min(fd, 0)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	file := int32(f.Fd())
	noSuch := func(res int32, may ...int32) int32 {
		if slices.Contains(may, -res) {
			return 0
		}
		return res
	}
	lseek, lock := uint32(unix.SYS_LSEEK), uint32(unix.SYS_FCNTL)
	if runtime.GOARCH == "386" {
		lseek, lock = 140, 221 // _llseek and fcntl64
	}
	for _, c := range []struct {
		name   string
		number uint32
		call   func() int32
	}{
		{"socket", unix.SYS_SOCKET, func() int32 { return made(k.Socket(sys.AFInet, sys.SockStream, 0)) }},
		{"bind", unix.SYS_BIND, func() int32 { return k.Bind(stream, at) }},
		{"listen", unix.SYS_LISTEN, func() int32 { return k.Listen(stream, 1) }},
		{"getsockname", unix.SYS_GETSOCKNAME, func() int32 { return k.Getsockname(stream, sa) }},
		{"connect", unix.SYS_CONNECT, func() int32 { return k.Connect(dgram, sa) }},
		{"getpeername", unix.SYS_GETPEERNAME, func() int32 { return k.Getpeername(dgram, sa) }},
		{"setsockopt", unix.SYS_SETSOCKOPT, func() int32 {
			return k.Setsockopt(stream, sys.SolSocket, unix.SO_KEEPALIVE, 1)
		}},
		{"setsockopt of bytes", unix.SYS_SETSOCKOPT, func() int32 {
			return k.SetsockoptBytes(stream, sys.SolSocket, unix.SO_KEEPALIVE, []byte{1, 0, 0, 0})
		}},
		{"setsockopt of SO_LINGER", unix.SYS_SETSOCKOPT, func() int32 { return k.SetLinger(stream, -1) }},
		{"getsockopt", unix.SYS_GETSOCKOPT, func() int32 {
			value, res := k.Getsockopt(stream, sys.SolSocket, sys.SoType)
			if res == 0 && value != sys.SockStream {
				t.Errorf("SO_TYPE is %d, want %d", value, sys.SockStream)
			}
			return res
		}},
		{"getsockopt of bytes", unix.SYS_GETSOCKOPT, func() int32 {
			return k.GetsockoptBytes(stream, sys.SolSocket, sys.SoType, make([]byte, 4)) - 4
		}},
		{"fcntl, F_DUPFD_CLOEXEC", unix.SYS_FCNTL, func() int32 { return made(k.Dup(a)) }},
		{"fcntl, F_GETFL", unix.SYS_FCNTL, func() int32 { return min(k.Getfl(a), 0) }},
		{"fcntl, F_SETFL", unix.SYS_FCNTL, func() int32 { return k.Setfl(a, sys.ONonblock) }},
		{"fcntl, F_SETFD", unix.SYS_FCNTL, func() int32 {
			passed, err := unix.Dup(int(a))
			if err != nil {
				t.Error(err)
			}
			defer unix.Close(passed)
			return Inherit(int32(passed))
		}},
		{"socketpair", unix.SYS_SOCKETPAIR, func() int32 {
			a, b, res := k.Socketpair(sys.SockStream)
			if res == 0 {
				made(a)
				made(b)
			}
			return res
		}},
		{"pipe2", unix.SYS_PIPE2, func() int32 {
			r, w, res := k.Pipe(0)
			if res == 0 {
				made(r)
				made(w)
			}
			return res
		}},
		{"fgetxattr", unix.SYS_FGETXATTR, func() int32 {
			return noSuch(k.Fgetxattr(file, []byte("user.none\x00"), nil), sys.ENODATA, sys.EOPNOTSUPP)
		}},
		{"fsetxattr", unix.SYS_FSETXATTR, func() int32 {
			return noSuch(k.Fsetxattr(file, []byte("user.none\x00"), nil, unix.XATTR_REPLACE),
				sys.ENODATA, sys.EOPNOTSUPP)
		}},
		{"getdents64", unix.SYS_GETDENTS64, func() int32 {
			return noSuch(k.Getdents(file, make([]byte, 9)), sys.ENOTDIR)
		}},
		{"fchdir", unix.SYS_FCHDIR, func() int32 { return noSuch(k.Fchdir(file), sys.ENOTDIR) }},
		{"fchmod", unix.SYS_FCHMOD, func() int32 { return k.Fchmod(file, 0o600) }},
		{"lseek", lseek, func() int32 { _, res := k.Lseek(file, 0, 0); return res }},
		{"fcntl, F_OFD_SETLK", lock, func() int32 { return k.Lock(file, sys.FWrlck, 0, 0) }},
		{"openat", unix.SYS_OPENAT, func() int32 {
			return made(k.Openat2(sys.AtFdcwd, []byte(".\x00"), &sys.OpenHow{Flags: sys.OCloexec}))
		}},
		{"statx", unix.SYS_STATX, func() int32 {
			return k.Statx(file, nil, sys.AtEmptyPath, sys.StatxBasic, new(sys.Statx))
		}},
		{"shutdown", unix.SYS_SHUTDOWN, func() int32 { return k.Shutdown(a, unix.SHUT_WR) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if res, calls := interrupted(t, c.number, 2, c.call); res != 0 || calls < 3 {
				t.Errorf("interrupted twice: %d after %d calls, want 0 after 3 or more", res, calls)
			}
		})
	}
	if n, err := unix.Read(int(b), make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("after the shutdown the peer reads %d, %v, want the end", n, err)
	}
}

// Close is made once: the number is somebody else's by then.
func TestInterruptedCloseIsNotMadeAgain(t *testing.T) {
	s := Host{}.Socket(sys.AFInet, sys.SockStream, 0)
	res, calls := interrupted(t, unix.SYS_CLOSE, 1, func() int32 { return Host{}.Close(s) })
	unix.Close(int(s)) // the supervisor did not
	if res != 0 || calls != 1 {
		t.Errorf("interrupted once: %d after %d calls, want 0 after 1", res, calls)
	}
}
