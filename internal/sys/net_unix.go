//go:build darwin || dragonfly || freebsd || netbsd || openbsd || (linux && portable)

package sys

import (
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"ringo/internal/posix"
)

// The calls of the Unix systems other than Linux, by golang.org/x/sys/unix, with Linux's meaning: flags, options,
// addresses and results are Linux's, and are translated here. A build for Linux with the tag "portable" uses them in
// place of its own, so that they can be tested there.

// failed returns the result for an error.
func failed(err error) int32 { return posix.Result(errnoOf(err)) }

func errnoOf(err error) posix.Errno {
	if e, ok := err.(syscall.Errno); ok {
		return e
	}
	return posix.EIO
}

// done returns the result of a call that returns only an error.
func done(err error) int32 {
	if err != nil {
		return failed(err)
	}
	return 0
}

// count returns the result of a call that returns a number.
func count(n int, err error) int32 {
	if err != nil {
		return failed(err)
	}
	return int32(n)
}

// descriptor makes a new descriptor close-on-exec, and non-blocking if asked. The caller holds syscall.ForkLock, since
// the descriptor is open before it is close-on-exec.
func descriptor(fd int, err error, nonblock bool) int32 {
	if err != nil {
		return failed(err)
	}
	unix.CloseOnExec(fd)
	if nonblock {
		if err := unix.SetNonblock(fd, true); err != nil {
			unix.Close(fd)
			return failed(err)
		}
	}
	return int32(fd)
}

// Socket is socket(2), close-on-exec; typ may have SockNonblock.
func Socket(domain, typ, proto int) int32 {
	family, ok := nativeFamily(domain)
	switch {
	case !ok:
		return -EAFNOSUPPORT
	case typ&sockKinds == SockSeqpacket && howLong == 0:
		return -EPROTONOSUPPORT // messages whose length can't be found out would be truncated
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(family, typ&sockKinds, proto)
	return descriptor(fd, err, typ&SockNonblock != 0)
}

// sockKinds selects the bits of a socket's type that are not flags.
const sockKinds = 0xf

// Socketpair is socketpair(2) of Unix sockets, close-on-exec.
func Socketpair(typ int) (a, b, res int32) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if typ&sockKinds == SockSeqpacket && howLong == 0 {
		return 0, 0, -EPROTONOSUPPORT
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, typ&sockKinds, 0)
	if err != nil {
		return 0, 0, failed(err)
	}
	return pair(ends[0], ends[1], typ&SockNonblock != 0)
}

// pair makes descriptors of two ends, or closes both. The caller holds syscall.ForkLock.
func pair(one, other int, nonblock bool) (a, b, res int32) {
	a, b = descriptor(one, nil, nonblock), descriptor(other, nil, nonblock)
	if a >= 0 && b >= 0 {
		return a, b, 0
	}
	for _, end := range [...]int32{a, b} {
		if end >= 0 {
			unix.Close(int(end))
		}
	}
	return 0, 0, min(a, b)
}

// Pipe is pipe(2): both ends are non-blocking and close-on-exec.
func Pipe() (r, w, res int32) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	var ends [2]int
	if err := unix.Pipe(ends[:]); err != nil {
		return 0, 0, failed(err)
	}
	return pair(ends[0], ends[1], true)
}

// SetPipeSize exists on Linux only.
func SetPipeSize(fd int32, n int) int32 { return -ENOSYS }

// Bind is bind(2).
func Bind(fd int32, sa *Sockaddr) int32 {
	if name, ok := sa.Unix(); ok && name == "" && !namesWithoutFiles {
		return posix.Lack(EOPNOTSUPP) // the kernel does not choose names here
	}
	to, res := sa.native()
	if res < 0 {
		return res
	}
	return done(unix.Bind(int(fd), to))
}

// Listen is listen(2).
func Listen(fd int32, backlog int) int32 { return done(unix.Listen(int(fd), backlog)) }

// Accept is accept(2); the new descriptor is non-blocking and close-on-exec. The listener must be non-blocking.
func Accept(fd int32) int32 {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	got, _, err := unix.Accept(int(fd))
	return descriptor(got, err, true)
}

// Connect is connect(2) on a non-blocking socket. An AF_UNSPEC address dissolves a connection.
func Connect(fd int32, sa *Sockaddr) int32 {
	if sa.Family() == AFUnspec {
		return done(disconnect(int(fd)))
	}
	to, res := sa.peer()
	if res < 0 {
		return res
	}
	if res = done(unix.Connect(int(fd), to)); res == -EINTR {
		return -EINPROGRESS // the connect goes on, and can't be repeated
	}
	return res
}

// Recv is recv(2) with MSG_DONTWAIT added.
func Recv(fd int32, p []byte, flags uint32) int32 {
	if flags&MsgErrqueue != 0 {
		return -EAGAIN // no socket has such a queue
	}
	n, _, err := unix.Recvfrom(int(fd), p[:clampLen(p)], nativeMsg(flags)|unix.MSG_DONTWAIT)
	return count(n, err)
}

// toSend is the flags of all sends.
const toSend = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL

// Send is send(2) with MSG_DONTWAIT and MSG_NOSIGNAL added.
func Send(fd int32, p []byte, flags uint32) int32 {
	return torn(Sent(count(unix.SendmsgN(int(fd), p[:clampLen(p)], nil, nil, nativeMsg(flags)|toSend))))
}

// torn returns the result of a send on a connection. Darwin returns EPROTOTYPE while a connection is torn down, or
// behind some network filters always (libuv#482, #3413): nothing more can be sent.
func torn(res int32) int32 {
	if res == -EPROTOTYPE {
		return -ECONNRESET
	}
	return res
}

// SendTo is sendto(2) with MSG_DONTWAIT and MSG_NOSIGNAL added.
func SendTo(fd int32, p []byte, flags uint32, sa *Sockaddr) int32 {
	to, res := sa.peer()
	if res < 0 {
		return res
	}
	return count(unix.SendmsgN(int(fd), p[:clampLen(p)], nil, to, nativeMsg(flags)|toSend))
}

// Sendmsg is sendmsg(2) with MSG_DONTWAIT and MSG_NOSIGNAL added. -EOPNOTSUPP: the system has no such control message,
// or can't send any with an empty datagram.
func Sendmsg(fd int32, msg *Msghdr, flags uint32) int32 {
	to, res := msg.to()
	if res < 0 {
		return res
	}
	control, res := nativeControl(msg.control())
	if res < 0 {
		return res
	}
	bufs := msg.buffers()
	if len(control) > 0 && len(bufs) == 0 { // golang.org/x/sys would send a byte with them
		switch stream, res := isStream(fd); {
		case res < 0:
			return res
		case stream:
			return 0
		case !bareControl:
			return -EOPNOTSUPP
		}
	}
	res = Sent(count(unix.SendmsgBuffers(int(fd), bufs, control, to, nativeMsg(flags)|toSend)))
	if to != nil {
		return res
	}
	return torn(res)
}

// isStream reports whether a socket carries a stream of bytes, not messages.
func isStream(fd int32) (is bool, res int32) {
	kind, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TYPE)
	return kind == unix.SOCK_STREAM, done(err)
}

// Recvmsg is recvmsg(2) with MSG_DONTWAIT added. Received descriptors are close-on-exec.
func Recvmsg(fd int32, msg *Msghdr, flags uint32) int32 {
	if flags&MsgErrqueue != 0 {
		return -EAGAIN
	}
	room, bufs := msg.control(), msg.buffers()
	var control []byte
	if len(room) > 0 {
		if len(bufs) == 0 { // golang.org/x/sys would receive a byte, and throw it away
			if stream, res := isStream(fd); stream || res < 0 {
				msg.Namelen, msg.Controllen, msg.Flags = 0, 0, 0
				return res
			}
		}
		mem := controlRooms.Get().(*[controlRoom]byte)
		defer controlRooms.Put(mem)
		if control = mem[:]; len(room)+controlSlack > len(control) {
			control = make([]byte, len(room)+controlSlack)
		}
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
	}
	n, nc, got, from, err := unix.RecvmsgBuffers(int(fd), bufs, control, nativeMsg(flags)|unix.MSG_DONTWAIT)
	if err != nil {
		return failed(err)
	}
	msg.Flags = linuxMsg(got)
	if n > 0 && len(bufs) == 0 {
		n, msg.Flags = 0, msg.Flags|MsgTrunc
	}
	if msg.Name != nil {
		msg.Namelen = 0
		if from != nil {
			var sa Sockaddr
			sa.setNative(from)
			msg.setName(&sa)
		}
	}
	if room != nil {
		written, cut := linuxControl(room, control[:nc])
		msg.Controllen = uintptr(written)
		if cut {
			msg.Flags |= MsgCtrunc
		}
	}
	return int32(n)
}

// Recvmmsg receives the messages of the window one by one.
func Recvmmsg(fd int32, b *Batch, flags uint32) int32 {
	b.arm(true)
	for i := b.from; i < b.to; i++ {
		res := Recvmsg(fd, &b.msgs[i].msghdr, flags)
		if res < 0 {
			if i == b.from {
				return res
			}
			b.took(i - b.from)
			return int32(i - b.from)
		}
		b.msgs[i].len = uint32(res)
	}
	b.took(b.to - b.from)
	return int32(b.to - b.from)
}

// Sendmmsg sends the messages of the window one by one.
func Sendmmsg(fd int32, b *Batch, flags uint32) int32 {
	b.arm(false)
	for i := b.from; i < b.to; i++ {
		res := Sendmsg(fd, &b.msgs[i].msghdr, flags)
		if res < 0 {
			if i == b.from {
				return res
			}
			return int32(i - b.from)
		}
		b.msgs[i].len = uint32(res)
	}
	return int32(b.to - b.from)
}

// Shutdown is shutdown(2).
func Shutdown(fd int32, how int) int32 { return done(unix.Shutdown(int(fd), how)) }

// Getsockname is getsockname(2).
func Getsockname(fd int32, sa *Sockaddr) int32 { return name(sa)(unix.Getsockname(int(fd))) }

// Getpeername is getpeername(2).
func Getpeername(fd int32, sa *Sockaddr) int32 { return name(sa)(unix.Getpeername(int(fd))) }

// name returns a function that stores an address in sa.
func name(sa *Sockaddr) func(unix.Sockaddr, error) int32 {
	return func(got unix.Sockaddr, err error) int32 {
		if err != nil {
			return failed(err)
		}
		sa.setNative(got)
		return 0
	}
}

// clampLen limits counts to an int32 result.
func clampLen(p []byte) int { return min(len(p), 0x7ffff000) }

// Flags of messages whose numbers differ from Linux's.
var msgFlags = [...]struct {
	linux  uint32
	native int
}{{MsgPeek, unix.MSG_PEEK}, {MsgTrunc, unix.MSG_TRUNC}, {MsgCtrunc, unix.MSG_CTRUNC}, {MsgWaitall, unix.MSG_WAITALL},
	{msgOOB, unix.MSG_OOB}, {msgEOR, unix.MSG_EOR}}

const (
	msgOOB = 0x1
	msgEOR = 0x80
)

// nativeMsg converts a call's flags to the system's. Flags that only make a call cheaper are dropped if the system
// lacks them.
func nativeMsg(flags uint32) (native int) {
	for _, f := range msgFlags {
		if flags&f.linux != 0 && f.linux != MsgTrunc && f.linux != MsgCtrunc {
			native |= f.native
		}
	}
	if flags&MsgTrunc != 0 {
		native |= howLong
	}
	return native
}

// linuxMsg converts the flags of a received message to Linux's.
func linuxMsg(native int) (flags int32) {
	for _, f := range msgFlags {
		if native&f.native != 0 {
			flags |= int32(f.linux)
		}
	}
	return flags
}

// Dup duplicates fd, close-on-exec.
func Dup(fd int32) int32 {
	got, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	return count(got, err)
}

// Fcntl is fcntl(2) with a number, for the commands that have a name here.
func Fcntl(fd int32, cmd, arg int) int32 {
	switch cmd {
	case FGetfd:
		return count(unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0))
	case FSetfd:
		return count(unix.FcntlInt(uintptr(fd), unix.F_SETFD, arg))
	case FGetfl:
		return count(unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0))
	case FSetfl:
		return count(unix.FcntlInt(uintptr(fd), unix.F_SETFL, arg))
	}
	return -EINVAL
}

// Close is close(2).
func Close(fd int32) int32 { return closed(unix.Close(int(fd))) }

// closed returns the result of a close. EINTR is a success and never repeated: the descriptor is closed. So it is with
// ECONNRESET, which FreeBSD returns for a peer that has not read everything.
func closed(err error) int32 {
	switch err {
	case nil, unix.EINTR, unix.ECONNRESET:
		return 0
	default:
		return failed(err)
	}
}

// Splice exists on Linux only; callers copy when it is refused.
func Splice(in, out int32, n int) int32 { return -EINVAL }

// Sendfile reads a piece of the file and sends it, as sendfile(2) does; bytes that the socket does not take are not
// counted.
func Sendfile(out, in int32, off int64, n int) int32 {
	piece := sendfilePieces.Get().(*[sendfilePiece]byte)
	defer sendfilePieces.Put(piece)
	at, moves := off, off < 0
	if moves {
		var res int32
		if at, res = SeekIn(in, 0, SeekCur); res < 0 {
			return -EINVAL // not a file
		}
	}
	got := ReadAt(in, piece[:min(max(n, 0), len(piece))], at)
	if got <= 0 {
		return got
	}
	sent := Send(out, piece[:got], 0)
	if moves && sent > 0 {
		SeekIn(in, at+int64(sent), 0)
	}
	return sent
}

const sendfilePiece = 64 << 10

var sendfilePieces = sync.Pool{New: func() any { return new([sendfilePiece]byte) }}

// PidFD exists on Linux only.
func PidFD(pid int) int32 { return -ENOSYS }

// Gettid returns 0: the thread's id is unknown here.
func Gettid() int32 { return 0 }
