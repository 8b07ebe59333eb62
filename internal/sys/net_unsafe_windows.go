//go:build windows

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"ringo/internal/posix"
)

// sendMax bounds the bytes of one send: if there is room for one byte, Windows takes everything that it is given, and
// copies it.
const sendMax = 256 << 10

// base returns the address of p's bytes, valid also for an empty p.
func base(p []byte) *byte {
	if len(p) == 0 {
		return &zero
	}
	return &p[0]
}

var zero byte

// clampLen limits counts to an int32 result.
func clampLen(p []byte) int { return min(len(p), 0x7ffff000) }

// flagsOf converts a call's flags to Windows'. The others have no meaning here: no call waits, and none raises a
// signal.
func flagsOf(flags uint32) (own uint32) {
	if flags&MsgPeek != 0 {
		own |= windows.MSG_PEEK
	}
	if flags&msgOOB != 0 {
		own |= windows.MSG_OOB
	}
	return own
}

const msgOOB = 1

// Recv is recv(2), which does not wait.
func Recv(fd int32, p []byte, flags uint32) int32 {
	o, res := asSocket(fd)
	if res < 0 {
		return res
	}
	defer o.done()
	if flags&MsgErrqueue != 0 {
		return -EAGAIN // no socket has such a queue
	}
	return o.recv(p, flags)
}

func (o *open) recv(p []byte, flags uint32) int32 {
	if o.mem != nil {
		if len(p) == 0 && !o.mem.in.messages {
			return 0
		}
		n, _ := o.mem.in.read([][]byte{p}, flags&MsgPeek != 0)
		return n
	}
	datagrams := o.socket.kind == SockDgram
	if datagrams {
		if res := o.bindAny(); res < 0 { // a socket without a name can't receive
			return res
		}
	} else if len(p) == 0 {
		return o.readable()
	}
	for {
		r, _, errno := syscall.SyscallN(procRecv.Addr(), uintptr(o.handle), uintptr(unsafe.Pointer(base(p))),
			uintptr(clampLen(p)), uintptr(flagsOf(flags)))
		switch {
		case int32(r) >= 0:
			return int32(r)
		case datagrams && errno == windows.WSAEMSGSIZE: // the rest of the datagram is lost
			return int32(len(p))
		case !o.aboutAnother(errno):
			return o.recvError(errno)
		}
	}
}

// aboutAnother reports whether a receive failed because of a datagram that was sent earlier, and may be repeated.
func (o *open) aboutAnother(errno syscall.Errno) bool {
	return o.socket.kind == SockDgram && (errno == windows.WSAENETRESET ||
		errno == windows.WSAECONNRESET && !o.socket.connected.Load())
}

// readable returns the result of a receive without room.
func (o *open) readable() int32 {
	if poll(o, PollIn) == 0 {
		return -EAGAIN
	}
	return 0
}

// recvError returns the result of a failed receive.
func (o *open) recvError(errno syscall.Errno) int32 {
	s := o.socket
	switch errno {
	case windows.WSAEWOULDBLOCK:
		if s.noMore.Load() {
			return 0
		}
	case windows.WSAESHUTDOWN:
		return 0
	case windows.WSAECONNRESET, windows.WSAECONNABORTED, windows.WSAENETRESET:
		if s.kind == SockDgram {
			return -ECONNREFUSED
		}
		if s.reset.Swap(true) {
			return 0 // Linux reports a reset once, Windows each time
		}
		return -ECONNRESET
	case windows.WSAEINVAL: // the socket has no name yet, or listens
		if s.kind == SockStream {
			return -ENOTCONN
		}
	case windows.WSAENOTCONN:
		if s.connecting.Load() && !s.listens.Load() {
			return -EAGAIN
		}
	}
	return posix.Result(errno)
}

// Send is send(2), which does not wait.
func Send(fd int32, p []byte, flags uint32) int32 {
	o, res := asSocket(fd)
	if res < 0 {
		return res
	}
	defer o.done()
	return o.send(p, flags)
}

func (o *open) send(p []byte, flags uint32) int32 {
	if o.mem != nil {
		return o.mem.out.write([][]byte{p}, false)
	}
	n := len(p)
	if o.socket.kind == SockStream {
		n = min(n, sendMax)
	}
	r, _, errno := syscall.SyscallN(procSend.Addr(), uintptr(o.handle), uintptr(unsafe.Pointer(base(p))), uintptr(n),
		uintptr(flagsOf(flags)))
	if int32(r) >= 0 {
		return int32(r)
	}
	return o.sendError(errno)
}

// sendError returns the result of a failed send.
func (o *open) sendError(errno syscall.Errno) int32 {
	s := o.socket
	switch errno {
	case windows.WSAENOTCONN:
		switch {
		case s.kind == SockDgram:
			return -EDESTADDRREQ
		case s.connecting.Load():
			return -EAGAIN
		}
		return -EPIPE
	case windows.WSAESHUTDOWN:
		return -EPIPE
	case windows.WSAECONNRESET, windows.WSAECONNABORTED:
		if s.kind == SockDgram {
			return -ECONNREFUSED
		}
		if s.reset.Swap(true) {
			return -EPIPE // Linux reports a reset once, Windows each time
		}
		return -ECONNRESET
	}
	return posix.Result(errno)
}

// SendTo is sendto(2), which does not wait.
func SendTo(fd int32, p []byte, flags uint32, sa *Sockaddr) int32 {
	o, res := asSocket(fd)
	if res < 0 {
		return res
	}
	defer o.done()
	if o.socket.kind == SockStream || o.mem != nil {
		return o.send(p, flags)
	}
	if sa.Family() != int(o.socket.domain) {
		return -EAFNOSUPPORT
	}
	to := sa.swapped()
	aloud(&to)
	r, _, errno := syscall.SyscallN(procSendto.Addr(), uintptr(o.handle), uintptr(unsafe.Pointer(base(p))),
		uintptr(len(p)), uintptr(flagsOf(flags)), uintptr(unsafe.Pointer(&to.raw)), uintptr(to.len))
	if int32(r) < 0 {
		return o.sendError(errno)
	}
	o.socket.bound.Store(true)
	return int32(r)
}
