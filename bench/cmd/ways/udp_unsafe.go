//go:build linux

package main

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchMax is how many datagrams a recvmmsg or sendmmsg takes here.
const batchMax = 64

// mmsghdr is struct mmsghdr.
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

// A batch is memory for so many datagrams.
type batch struct {
	messages [batchMax]mmsghdr
	vectors  [batchMax]unix.Iovec
	names    [batchMax]unix.RawSockaddrInet4
	buffers  [batchMax][]byte
}

func newBatch(size int, named bool) *batch {
	b := new(batch)
	for i := range b.messages {
		b.buffers[i] = make([]byte, size)
		b.vectors[i].Base = &b.buffers[i][0]
		b.vectors[i].SetLen(size)
		h := &b.messages[i].header
		h.Iov, h.Iovlen = &b.vectors[i], 1
		if named {
			h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
			h.Namelen = unix.SizeofSockaddrInet4
		}
	}
	return b
}

func (b *batch) call(nr uintptr, fd, n int, flags uintptr) (int, error) {
	k, _, errno := unix.RawSyscall6(nr, uintptr(fd), uintptr(unsafe.Pointer(&b.messages)), uintptr(n), flags, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(k), nil
}

func (b *batch) receive(fd int, flags uintptr) (int, error) {
	n, err := b.call(unix.SYS_RECVMMSG, fd, batchMax, flags)
	for i := range n {
		b.messages[i].header.Namelen = unix.SizeofSockaddrInet4
	}
	return n, err
}

// udpSocket is a socket on a port of loopback.
func udpSocket() (fd, port int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, 0, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, 0, err
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		return 0, 0, err
	}
	return fd, at.(*unix.SockaddrInet4).Port, nil
}

// bindAll gives the job its sockets, and starts the peer.
func (j *job) bindAll() (fds []int, err error) {
	for range j.cell.sockets {
		fd, port, err := udpSocket()
		if err != nil {
			return nil, err
		}
		fds, j.ports = append(fds, fd), append(j.ports, port)
	}
	return fds, j.startPeer()
}

// sendTurns sends datagrams to each port, and the next ones after a byte on stdin.
func sendTurns(c cell, ports []int) error {
	b := newBatch(c.size, false)
	fds, err := connectAll(unix.SOCK_DGRAM, ports)
	if err != nil {
		return err
	}
	var one [1]byte
	for {
		for _, fd := range fds {
			for sent := 0; sent < c.depth; {
				n, err := b.call(unix.SYS_SENDMMSG, fd, min(c.depth-sent, batchMax), 0)
				if err != nil {
					return os.NewSyscallError("sendmmsg", err)
				}
				sent += n
			}
		}
		if n, err := unix.Read(0, one[:]); n != 1 || err != nil {
			return err
		}
	}
}

// drain reads what comes on descriptor 3, and says on stdout when a turn's bytes have.
func drain(c cell, _ []int) error {
	b := make([]byte, 64<<10)
	for got := 0; ; {
		n, err := unix.Read(3, b)
		if err != nil {
			return os.NewSyscallError("read", err)
		}
		for got += n; got >= c.size*c.depth; got -= c.size * c.depth {
			if _, err := unix.Write(1, b[:1]); err != nil {
				return os.NewSyscallError("write", err)
			}
		}
	}
}
