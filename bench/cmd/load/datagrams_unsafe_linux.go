//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// datagramsMax is how many datagrams a call takes at most.
const datagramsMax = 64

// message is struct mmsghdr.
type message struct {
	header unix.Msghdr
	length uint32
}

// datagrams is the memory for recvmmsg(2) and sendmmsg(2). Go's heap does not move: the headers point to the vectors,
// and these to the buffers or, while a call sends, to the pattern.
type datagrams struct {
	in, out               []message
	inVectors, outVectors []unix.Iovec
	buffers               [][]byte
}

func newDatagrams(n, size int) *datagrams {
	d := &datagrams{
		in: make([]message, n), inVectors: make([]unix.Iovec, n), buffers: make([][]byte, n),
		out: make([]message, n), outVectors: make([]unix.Iovec, n),
	}
	for i := range n {
		d.buffers[i] = make([]byte, size+1) // one byte more, to notice a datagram that is too long
		d.inVectors[i].Base = &d.buffers[i][0]
		d.inVectors[i].SetLen(len(d.buffers[i]))
		d.in[i].header.Iov, d.in[i].header.Iovlen = &d.inVectors[i], 1
		d.out[i].header.Iov, d.out[i].header.Iovlen = &d.outVectors[i], 1
	}
	return d
}

func mmsg(call uintptr, fd int, m []message, flags uintptr) (int, unix.Errno) {
	p := uintptr(unsafe.Pointer(unsafe.SliceData(m)))
	n, _, errno := unix.RawSyscall6(call, uintptr(fd), p, uintptr(len(m)), flags, 0, 0)
	return int(n), errno
}

// receiveDatagrams receives and checks what has come, like receive.
func (e *engine) receiveDatagrams(i int, c *conn) error {
	d := e.datagrams
	for range callsMax {
		n, errno := mmsg(unix.SYS_RECVMMSG, c.fd, d.in, unix.MSG_DONTWAIT)
		if errno == unix.EAGAIN {
			return nil
		}
		if errno != 0 {
			return os.NewSyscallError("recvmmsg", errno)
		}
		for k := range n {
			got := d.buffers[k][:d.in[k].length]
			if uint64(len(got)) != e.size {
				return fmt.Errorf("a datagram of %d bytes or more, want %d", len(got), e.size)
			}
			if err := e.take(i, c, got); err != nil {
				return err
			}
		}
		if n < len(d.in) {
			return nil
		}
	}
	e.giveWay(i, c)
	return nil
}

// errFull means that the system's buffers are too small for -depth and -size.
var errFull = errors.New("the socket has no room for another datagram")

func (e *engine) sendDatagrams(c *conn) error {
	d := e.datagrams
	for c.sent < c.limit {
		n := int(min((c.limit-c.sent)/e.size, uint64(len(d.out))))
		for k := range n {
			w := e.exchange.window(c.id, c.sent+uint64(k)*e.size, int(e.size))
			d.outVectors[k].Base = &w[0]
			d.outVectors[k].SetLen(len(w))
		}
		n, errno := mmsg(unix.SYS_SENDMMSG, c.fd, d.out[:n], unix.MSG_DONTWAIT)
		if errno == unix.EAGAIN {
			return errFull
		}
		if errno != 0 {
			return os.NewSyscallError("sendmmsg", errno)
		}
		c.sent += uint64(n) * e.size
	}
	return nil
}
