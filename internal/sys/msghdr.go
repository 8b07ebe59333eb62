package sys

// Iovec is struct iovec of the Linux ABI.
type Iovec struct {
	Base *byte
	Len  uintptr
}

// Msghdr is struct msghdr of the Linux ABI, see recvmsg(2). Everything that it points to belongs to the caller and
// must live until the op's last completion.
type Msghdr struct {
	Name       *byte
	Namelen    uint32
	Iov        *Iovec
	Iovlen     uintptr
	Control    *byte
	Controllen uintptr
	Flags      int32
}

// Arm fills in everything except the vector, for one call: the kernel overwrites lengths and flags.
func (m *Msghdr) Arm(addr *Sockaddr, named bool, control []byte, receive bool) {
	m.Name, m.Namelen, m.Control, m.Controllen, m.Flags = nil, 0, nil, 0, 0
	if named {
		m.Name, m.Namelen = addr.Base(), addr.len
		if receive {
			m.Namelen = SockaddrSize
		}
	}
	if len(control) > 0 {
		m.Control, m.Controllen = &control[0], uintptr(len(control))
	}
}

// OutFlags returns the MSG_ flags of a message that was received, without MSG_CMSG_CLOEXEC: that is a flag of the
// call, which the kernel returns too.
func (m *Msghdr) OutFlags() uint32 { return uint32(m.Flags) &^ MsgCmsgCloexec }

// Sent returns the result of a send that may start the connection (TCP_FASTOPEN_CONNECT). If the connection has
// started, but took no bytes along, that is -EAGAIN.
func Sent(res int32) int32 {
	if res == -EINPROGRESS {
		return -EAGAIN
	}
	return res
}
