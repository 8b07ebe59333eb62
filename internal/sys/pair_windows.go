//go:build windows

package sys

import (
	"net/netip"
	"time"
)

// WakerCall is the call that makes a Waker.
const WakerCall = "loopback socket"

// NewWaker makes one of a socket of datagrams that is connected to itself, so that no other program can send to it. A
// datagram that is lost for want of room is lost to what has been woken already.
func NewWaker() (Waker, int32) {
	fd, res := loopback(SockDgram)
	if res < 0 {
		return Waker{}, res
	}
	var own Sockaddr
	if res = Getsockname(fd, &own); res == 0 {
		res = Connect(fd, &own)
	}
	if res < 0 {
		Close(fd)
		return Waker{}, res
	}
	return Waker{In: fd, out: fd}, 0
}

// Signal makes it readable, if it is not.
func (w Waker) Signal() { Send(w.out, []byte{1}, 0) }

// Unsignal makes it readable no longer.
func (w Waker) Unsignal() {
	var p [1]byte
	for Recv(w.In, p[:], 0) >= 0 {
	}
}

// Close frees it.
func (w Waker) Close() { Close(w.In) }

// loopback makes a socket that is bound to a free port of 127.0.0.1.
func loopback(kind int) (fd, res int32) {
	fd = Socket(AFInet, kind|SockNonblock, 0)
	if fd < 0 {
		return fd, fd
	}
	var any Sockaddr
	any.Set(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0))
	if res = Bind(fd, &any); res < 0 {
		Close(fd)
		return -1, res
	}
	return fd, 0
}

// Socketpair makes two sockets that are connected to each other: of TCP, for there are no pairs of others.
func Socketpair(typ int) (a, b, res int32) {
	if typ&^(SockNonblock|SockCloexec) != SockStream {
		return -1, -1, -EOPNOTSUPP
	}
	ln, res := loopback(SockStream)
	if res < 0 {
		return -1, -1, res
	}
	defer Close(ln)
	var at Sockaddr
	if res = Listen(ln, 8); res == 0 {
		res = Getsockname(ln, &at)
	}
	if res < 0 {
		return -1, -1, res
	}
	if a, res = loopback(SockStream); res < 0 {
		return -1, -1, res
	}
	if b, res = meet(a, ln, &at); res < 0 {
		Close(a)
		return -1, -1, res
	}
	if typ&SockNonblock == 0 {
		Fcntl(a, FSetfl, 0)
		Fcntl(b, FSetfl, 0)
	}
	SetsockoptInt(a, ProtoTCP, 1, 1)
	SetsockoptInt(b, ProtoTCP, 1, 1)
	return a, b, 0
}

// meetMax bounds how long the two ends of a pair take to find each other.
const meetMax = 10 * time.Second

// meet connects a to a listener and accepts it there. Whoever else connects is sent away.
func meet(a, ln int32, at *Sockaddr) (b, res int32) {
	if res = Connect(a, at); res < 0 && res != -EINPROGRESS {
		return -1, res
	}
	var own, peer Sockaddr
	if res = Getsockname(a, &own); res < 0 {
		return -1, res
	}
	for until := time.Now().Add(meetMax); time.Now().Before(until); {
		fds := [...]PollFd{{Fd: ln, Events: PollIn}}
		Ppoll(fds[:], int64(meetMax))
		b = Accept(ln)
		if b == -EAGAIN {
			continue
		}
		if b < 0 {
			return -1, b
		}
		if Getpeername(b, &peer) == 0 && peer.AddrPort() == own.AddrPort() {
			fds[0] = PollFd{Fd: a, Events: PollOut}
			Ppoll(fds[:], int64(meetMax))
			return b, 0
		}
		Close(b)
	}
	return -1, -ETIMEDOUT
}

// Pipe makes a pipe whose ends are non-blocking: a connection of which each side uses one direction.
func Pipe() (r, w, res int32) {
	r, w, res = Socketpair(SockStream | SockNonblock)
	if res < 0 {
		return r, w, res
	}
	for _, fd := range []int32{r, w} {
		o := use(fd)
		o.socket.pipe = true
		flags := uint32(ONonblock)
		if fd == w {
			flags |= OWronly
		}
		o.flags.Store(flags)
		o.done()
	}
	return r, w, 0
}
