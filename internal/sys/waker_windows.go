//go:build windows

package sys

import (
	"net/netip"
	"runtime"
)

// WakerCall is the call that makes a Waker.
const WakerCall = "socket"

// WakerFills says that a Waker has to be taken back to be signalled again.
const WakerFills = true

// NewWaker makes one of a socket of datagrams that is connected to itself, so that no other program can send to it. A
// datagram that is lost for want of room is lost to what has been woken already.
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

// Signal makes it readable, if it is not, by an empty datagram. A send may find no room or no memory, in Wine also
// where another thread sends at the same time: then it is made again, unless there is something by now.
func (w Waker) Signal() {
	for Send(w.out, nil, 0) < 0 && Poll(w.In, PollIn) == 0 {
		runtime.Gosched()
	}
}

// Unsignal makes it readable no longer.
func (w Waker) Unsignal() {
	for Recv(w.In, nil, 0) >= 0 {
	}
}

// Close frees it.
func (w Waker) Close() { Close(w.In) }
