//go:build windows

package sys

import (
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// vectors is memory for vectors in Windows' layout.
var vectors = sync.Pool{New: func() any { return new([]windows.WSABuf) }}

// vector returns the vector of a message in Windows' layout. That of a stream is cut at limit bytes.
func (m *Msghdr) vector(into []windows.WSABuf, limit uintptr) []windows.WSABuf {
	for _, v := range unsafe.Slice(m.Iov, m.Iovlen) {
		n := min(v.Len, limit)
		limit -= n
		if n > 0 {
			into = append(into, windows.WSABuf{Len: uint32(n), Buf: v.Base})
		}
	}
	if len(into) == 0 {
		into = append(into, windows.WSABuf{Buf: &zero})
	}
	return into
}

// Sendmsg is sendmsg(2), which does not wait. There are no control messages on this system.
func Sendmsg(fd int32, msg *Msghdr, flags uint32) int32 {
	o, res := asSocket(fd)
	if res < 0 {
		return res
	}
	defer o.done()
	return o.sendmsg(msg, flags)
}

func (o *open) sendmsg(msg *Msghdr, flags uint32) int32 {
	if msg.Controllen > 0 {
		return -EOPNOTSUPP
	}
	if o.mem != nil {
		return o.mem.out.write(msg.slices(), false)
	}
	limit := uintptr(sendMax)
	if o.socket.kind != SockStream {
		limit = 1 << 30
	}
	var to *windows.RawSockaddrAny
	var own Sockaddr
	if msg.Name != nil && msg.Namelen > 0 && o.socket.kind != SockStream {
		own.SetBytes(unsafe.Slice(msg.Name, msg.Namelen))
		if own.Family() != int(o.socket.domain) {
			return -EAFNOSUPPORT
		}
		own = own.swapped()
		aloud(&own)
		to = (*windows.RawSockaddrAny)(unsafe.Pointer(&own.raw))
	}
	memory := vectors.Get().(*[]windows.WSABuf)
	bufs := msg.vector((*memory)[:0], limit)
	var sent uint32
	err := windows.WSASendTo(o.handle, &bufs[0], uint32(len(bufs)), &sent, flagsOf(flags), to, int32(own.len), nil, nil)
	release(memory, bufs)
	if err != nil {
		return o.sendError(err.(syscall.Errno))
	}
	if o.socket.kind == SockDgram {
		o.socket.bound.Store(true)
	}
	return int32(sent)
}

// release returns the memory of a vector, and forgets what it named.
func release(memory *[]windows.WSABuf, bufs []windows.WSABuf) {
	clear(bufs)
	*memory = bufs
	vectors.Put(memory)
}

// Recvmsg is recvmsg(2), without waiting. For a datagram that was cut, Windows does not report the full length: the
// room counts as its length.
func Recvmsg(fd int32, msg *Msghdr, flags uint32) int32 {
	o, res := asSocket(fd)
	if res < 0 {
		return res
	}
	defer o.done()
	if flags&MsgErrqueue != 0 {
		return -EAGAIN
	}
	return o.recvmsg(msg, flags)
}

func (o *open) recvmsg(msg *Msghdr, flags uint32) int32 {
	if o.mem != nil {
		return o.mem.recvmsg(msg, flags)
	}
	if o.socket.kind == SockDgram {
		if res := o.bindAny(); res < 0 { // a socket without a name can't receive
			return res
		}
	}
	memory := vectors.Get().(*[]windows.WSABuf)
	bufs := msg.vector((*memory)[:0], 1<<30)
	if o.socket.kind == SockStream && bufs[0].Len == 0 {
		release(memory, bufs)
		return o.readable()
	}
	room := uint32(0)
	for _, b := range bufs {
		room += b.Len
	}
	n, errno := o.recvFrom(msg, bufs, flagsOf(flags))
	release(memory, bufs)
	msg.Controllen, msg.Flags = 0, 0
	switch {
	case errno == windows.WSAEMSGSIZE:
		msg.Flags = MsgTrunc
		n = room
	case errno != 0:
		return o.recvError(errno)
	}
	return int32(n)
}

// recvFrom makes the call, and repeats it if the error is about a datagram that was sent earlier.
func (o *open) recvFrom(msg *Msghdr, bufs []windows.WSABuf, flags uint32) (n uint32, errno syscall.Errno) {
	var sa Sockaddr
	for {
		size, own := int32(storageSize), flags
		var err error
		if o.socket.kind == SockStream { // a receive on a connection returns no address
			size = 0
			err = windows.WSARecv(o.handle, &bufs[0], uint32(len(bufs)), &n, &own, nil, nil)
		} else {
			err = windows.WSARecvFrom(o.handle, &bufs[0], uint32(len(bufs)), &n, &own,
				(*windows.RawSockaddrAny)(unsafe.Pointer(&sa.raw)), &size, nil, nil)
		}
		errno, _ = err.(syscall.Errno)
		if o.aboutAnother(errno) {
			continue
		}
		if (errno == 0 || errno == windows.WSAEMSGSIZE) && msg.Name != nil {
			sa.took(size)
			copy(unsafe.Slice(msg.Name, msg.Namelen), sa.Bytes())
			msg.Namelen = sa.len
		}
		return n, errno
	}
}

// Recvmmsg receives the window's messages one by one. It returns how many came, or the negated errno if the first
// failed.
func Recvmmsg(fd int32, b *Batch, flags uint32) int32 {
	b.arm(true)
	n := b.each(func(m *mmsghdr) int32 { return Recvmsg(fd, &m.msghdr, flags) })
	b.took(int(max(n, 0)))
	return n
}

// Sendmmsg sends the window's messages one by one. It returns how many were sent, or the negated errno if the first
// failed.
func Sendmmsg(fd int32, b *Batch, flags uint32) int32 {
	b.arm(false)
	return b.each(func(m *mmsghdr) int32 { return Sendmsg(fd, &m.msghdr, flags) })
}

// each makes a call for each message of the window, up to the first that fails.
func (b *Batch) each(call func(m *mmsghdr) int32) int32 {
	for i := b.from; i < b.to; i++ {
		res := call(&b.msgs[i])
		switch {
		case res >= 0:
			b.msgs[i].len = uint32(res)
		case i == b.from:
			return res
		default:
			return int32(i - b.from)
		}
	}
	return int32(b.to - b.from)
}
