package sys

// Iovec is struct iovec of the Linux ABI.
type Iovec struct {
	Base *byte
	Len  uintptr
}

// Msghdr is struct msghdr of the Linux ABI, see recvmsg(2). All that it points
// to stays the caller's and must live until the op's last completion.
type Msghdr struct {
	Name       *byte
	Namelen    uint32
	Iov        *Iovec
	Iovlen     uintptr
	Control    *byte
	Controllen uintptr
	Flags      int32
}
