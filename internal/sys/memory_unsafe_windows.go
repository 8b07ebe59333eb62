//go:build windows

package sys

import (
	"encoding/binary"
	"unsafe"
)

// readMemory reads from an end, without waiting.
func (e *end) readMemory(p []byte) int32 {
	switch {
	case e.counter != nil && len(p) < 8:
		return -EINVAL
	case e.counter != nil:
		n := e.counter.take()
		if n == 0 {
			return -EAGAIN
		}
		binary.NativeEndian.PutUint64(p, n)
		return 8
	case e.in == nil:
		return -EBADF
	case len(p) == 0 && !e.in.messages:
		return 0
	}
	n, _ := e.in.read([][]byte{p}, false)
	return n
}

// writeMemory writes to an end.
func (e *end) writeMemory(p []byte) int32 {
	switch {
	case e.counter != nil && len(p) < 8:
		return -EINVAL
	case e.counter != nil:
		if res := e.counter.add(binary.NativeEndian.Uint64(p)); res < 0 {
			return res
		}
		return 8
	case e.out == nil:
		return -EBADF
	}
	return e.out.write([][]byte{p}, e.pipe)
}

// Signal adds one to an eventfd.
func Signal(fd int32) int32 {
	if res := Write(fd, binary.NativeEndian.AppendUint64(nil, 1)); res < 0 && res != -EAGAIN {
		return res
	}
	return 0
}

// Unsignal resets an eventfd's counter by reading it.
func Unsignal(fd int32) int32 {
	var p [8]byte
	if res := Read(fd, p[:]); res < 0 && res != -EAGAIN {
		return res
	}
	return 0
}

// slices returns the vector of a message as slices.
func (m *Msghdr) slices() (vec [][]byte) {
	for _, v := range unsafe.Slice(m.Iov, m.Iovlen) {
		vec = append(vec, unsafe.Slice(v.Base, v.Len))
	}
	return vec
}

// recvmsg is recvmsg(2) on a socket of a pair, which has no name.
func (e *end) recvmsg(m *Msghdr, flags uint32) int32 {
	n, cut := e.in.read(m.slices(), flags&MsgPeek != 0)
	m.Controllen, m.Flags = 0, 0
	if m.Name != nil {
		m.Namelen = 0
	}
	if cut {
		m.Flags = MsgTrunc
	}
	return n
}
