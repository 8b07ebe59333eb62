package kernel

import (
	"math"

	"ringo/internal/race"
	"ringo/internal/sys"
)

// Host is the kernel that the process runs on, by the calls of package sys: system calls on Linux, and on other
// systems what does the same there. What a system does not have fails with ENOSYS.
type Host struct{}

var _ Kernel = Host{}

// again makes a call until no signal ends it.
func again(call func() int32) int32 {
	for {
		if res := call(); res != -sys.EINTR {
			return res
		}
	}
}

// Close is close(2), made once.
func (Host) Close(fd int32) int32 {
	if race.Enabled {
		race.WriteLike()
	}
	return sys.Close(fd)
}

// CloseLingering is close(2) on a thread that takes no signal meanwhile.
func (h Host) CloseLingering(fd int32) (res int32) {
	sys.Undisturbed(func() { res = h.Close(fd) })
	return res
}

// Dup is fcntl(2) with F_DUPFD_CLOEXEC.
func (Host) Dup(fd int32) int32 {
	return again(func() int32 { return sys.Dup(fd) })
}

// Getfl is fcntl(2) with F_GETFL.
func (Host) Getfl(fd int32) int32 {
	return again(func() int32 { return sys.Fcntl(fd, sys.FGetfl, 0) })
}

// Polls asks by epoll_ctl(2), of a set for that.
func (Host) Polls(fd int32) int32 {
	return again(func() int32 { return sys.Polls(fd) })
}

// Setfl is fcntl(2) with F_SETFL.
func (Host) Setfl(fd int32, flags int32) int32 {
	return again(func() int32 { return sys.Fcntl(fd, sys.FSetfl, int(flags)) })
}

// Pipe is pipe2(2), with F_SETPIPE_SZ.
func (Host) Pipe(size int) (r, w, res int32) {
	res = again(func() int32 {
		r, w, res = sys.Pipe()
		return res
	})
	if res >= 0 && size > 0 {
		again(func() int32 { return sys.SetPipeSize(w, min(size, 1<<30)) }) // if that is refused, the size stays
	}
	return r, w, res
}

// Resident is cachestat(2).
func (Host) Resident(fd int32, off, n int64) int32 {
	return again(func() int32 { return sys.Resident(fd, off, n) })
}

// Socket is socket(2).
func (Host) Socket(family, kind, protocol int) int32 {
	return again(func() int32 { return sys.Socket(family, kind|sys.SockNonblock, protocol) })
}

// Socketpair is socketpair(2).
func (Host) Socketpair(kind int) (a, b, res int32) {
	res = again(func() int32 {
		a, b, res = sys.Socketpair(kind | sys.SockNonblock)
		return res
	})
	return a, b, res
}

// Bind is bind(2).
func (Host) Bind(fd int32, to *sys.Sockaddr) int32 {
	return again(func() int32 { return sys.Bind(fd, to) })
}

// Connect is connect(2).
func (Host) Connect(fd int32, to *sys.Sockaddr) int32 {
	if race.Enabled {
		race.WriteLike()
	}
	return again(func() int32 { return sys.Connect(fd, to) })
}

// Listen is listen(2).
func (Host) Listen(fd int32, backlog int) int32 {
	return again(func() int32 { return sys.Listen(fd, backlog) })
}

// Shutdown is shutdown(2).
func (Host) Shutdown(fd int32, how int) int32 {
	if race.Enabled {
		race.WriteLike()
	}
	return again(func() int32 { return sys.Shutdown(fd, how) })
}

// Peek is recv(2) with MSG_PEEK and MSG_DONTWAIT.
func (Host) Peek(fd int32, p []byte) int32 {
	return again(func() int32 { return sys.Recv(fd, p, sys.MsgPeek) })
}

// Getsockname is getsockname(2).
func (Host) Getsockname(fd int32, sa *sys.Sockaddr) int32 {
	return again(func() int32 { return sys.Getsockname(fd, sa) })
}

// Getpeername is getpeername(2).
func (Host) Getpeername(fd int32, sa *sys.Sockaddr) int32 {
	return again(func() int32 { return sys.Getpeername(fd, sa) })
}

// Getsockopt is getsockopt(2).
func (Host) Getsockopt(fd int32, level, name int) (value, res int32) {
	again(func() int32 {
		value, res = sys.GetsockoptInt(fd, level, name)
		return res
	})
	return value, res
}

// Setsockopt is setsockopt(2).
func (Host) Setsockopt(fd int32, level, name, value int) int32 {
	if int(int32(value)) != value {
		return -sys.EINVAL
	}
	return again(func() int32 { return sys.SetsockoptInt(fd, level, name, value) })
}

// GetsockoptBytes is getsockopt(2).
func (Host) GetsockoptBytes(fd int32, level, name int, p []byte) int32 {
	return again(func() int32 { return sys.Getsockopt(fd, level, name, p) })
}

// SetsockoptBytes is setsockopt(2).
func (Host) SetsockoptBytes(fd int32, level, name int, p []byte) int32 {
	return again(func() int32 { return sys.Setsockopt(fd, level, name, p) })
}

// SetsockoptFilter is setsockopt(2) with a program of classic BPF.
func (Host) SetsockoptFilter(fd int32, level, name int, program []sys.Filter) int32 {
	return again(func() int32 { return sys.SetsockoptFilter(fd, level, name, program) })
}

// SetLinger is setsockopt(2) with SO_LINGER.
func (Host) SetLinger(fd int32, seconds int) int32 {
	if seconds > math.MaxInt32 {
		return -sys.EINVAL
	}
	return again(func() int32 { return sys.SetLinger(fd, seconds >= 0, max(seconds, 0)) })
}

// Inherit keeps a descriptor that this program was started with from those that it starts. The result is -EBADF if it
// was not started with it: one that is close-on-exec was opened here, as that of the poller of Go's runtime.
func Inherit(fd int32) int32 {
	flags := again(func() int32 { return sys.Fcntl(fd, sys.FGetfd, 0) })
	switch {
	case flags < 0:
		return flags
	case flags&sys.FDCloexec != 0:
		return -sys.EBADF
	}
	return again(func() int32 { return sys.Fcntl(fd, sys.FSetfd, int(flags|sys.FDCloexec)) })
}
