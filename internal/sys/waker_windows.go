//go:build windows

package sys

import (
	"net/netip"
	"runtime"
)

// WakerCall is the call that makes a Waker.
const WakerCall = "socket"

// WakerFills says that a Waker makes no more edges until it is unsignalled.
const WakerFills = true

// NewWaker makes a Waker of a datagram socket that is connected to itself, so that no other program can send to it. If
// a datagram is lost because there is no room, the socket is readable already.
func NewWaker() (Waker, int32) {
	fd := Socket(AFInet, SockDgram|SockNonblock, 0)
	if fd < 0 {
		return Waker{}, fd
	}
	var own Sockaddr
	own.Set(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0))
	res := Bind(fd, &own)
	if res == 0 {
		res = Getsockname(fd, &own)
	}
	if res == 0 {
		res = Connect(fd, &own)
	}
	if res < 0 {
		Close(fd)
		return Waker{}, res
	}
	return Waker{In: fd, out: fd}, 0
}

// Signal makes In readable, if it is not, by an empty datagram. The send may find no room or no memory, and in Wine it
// may fail while another thread sends: then it is repeated, unless In is readable by now.
func (w Waker) Signal() {
	for Send(w.out, nil, 0) < 0 && Poll(w.In, PollIn) == 0 {
		runtime.Gosched()
	}
}

// Unsignal takes the signal back: In is not readable then.
func (w Waker) Unsignal() {
	for Recv(w.In, nil, 0) >= 0 {
	}
}

// Close closes the descriptors.
func (w Waker) Close() { Close(w.In) }
