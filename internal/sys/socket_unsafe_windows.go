//go:build windows

package sys

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"ringo/internal/posix"
)

// socket is the state of a socket that Windows does not report, or not in time. Its numbers are Linux's.
type socket struct {
	domain, kind, protocol int32
	listens                atomic.Bool
	bound                  atomic.Bool // it has a name; a socket without one can't be asked for it, nor receive
	connected              atomic.Bool // of datagram sockets
	noMore                 atomic.Bool // its reading side is shut down
	written                atomic.Bool // its writing side is shut down
	connecting             atomic.Bool // a connect is under way
	lingers                atomic.Bool // its close waits
	reset                  atomic.Bool // the peer's reset was reported
	reuse                  atomic.Bool // SO_REUSEADDR was set
	shares                 atomic.Bool // SO_REUSEPORT was set
	sharedAt               address     // where others find it, see shared
	probes                 probes
}

var ws2 = windows.NewLazySystemDLL("ws2_32.dll")

var (
	procAccept      = ws2.NewProc("accept")
	procBind        = ws2.NewProc("bind")
	procConnect     = ws2.NewProc("connect")
	procListen      = ws2.NewProc("listen")
	procShutdown    = ws2.NewProc("shutdown")
	procRecv        = ws2.NewProc("recv")
	procSend        = ws2.NewProc("send")
	procSendto      = ws2.NewProc("sendto")
	procRecvfrom    = ws2.NewProc("recvfrom")
	procGetsockname = ws2.NewProc("getsockname")
	procGetpeername = ws2.NewProc("getpeername")
	procIoctlsocket = ws2.NewProc("ioctlsocket")
)

// startup initializes Windows' sockets, once.
var startup = sync.OnceValue(func() int32 {
	var data windows.WSAData
	return failed(windows.WSAStartup(0x202, &data))
})

// socketError is SOCKET_ERROR, and INVALID_SOCKET.
const socketError = ^uintptr(0)

// socketResult turns what a call on sockets returned into a result.
func socketResult(r, _ uintptr, errno syscall.Errno) int32 {
	if int32(r) == -1 {
		return posix.Result(errno)
	}
	return int32(r)
}

// asSocket is use for a descriptor that has to be a socket. If it is not, res is the error.
func asSocket(fd int32) (*open, int32) {
	o := use(fd)
	if o == nil {
		return nil, -EBADF
	}
	if o.socket == nil {
		o.done()
		return nil, -ENOTSOCK
	}
	return o, 0
}

// Socket is socket(2). The socket never waits, whatever its type says, and programs that this one starts don't inherit
// it.
func Socket(domain, typ, proto int) int32 {
	if res := startup(); res < 0 {
		return res
	}
	family, ok := familyOf[domain]
	if !ok {
		return -EAFNOSUPPORT
	}
	kind := typ &^ (SockNonblock | SockCloexec)
	if domain == AFUnix && kind != SockStream {
		return -ESOCKTNOSUPPORT
	}
	h, err := windows.WSASocket(int32(family), int32(kind), int32(proto), nil, 0, windows.WSA_FLAG_OVERLAPPED|
		windows.WSA_FLAG_NO_HANDLE_INHERIT)
	if err != nil {
		return resultOf(err)
	}
	if proto == 0 && domain != AFUnix {
		proto = map[int]int{SockStream: ProtoTCP, SockDgram: ProtoUDP}[kind]
	}
	s := &socket{domain: int32(domain), kind: int32(kind), protocol: int32(proto)}
	o, res := newSocket(h, s, typ&SockNonblock != 0)
	if res < 0 {
		return res
	}
	return add(o)
}

// familyOf maps Linux's address families to Windows'.
var familyOf = map[int]uint16{AFUnspec: windows.AF_UNSPEC, AFUnix: windows.AF_UNIX, AFInet: windows.AF_INET,
	AFInet6: windows.AF_INET6}

// newSocket prepares a socket for its number.
func newSocket(h windows.Handle, s *socket, nonblock bool) (*open, int32) {
	o := &open{handle: h, kind: isSocket, socket: s}
	o.flags.Store(ORdwr)
	if nonblock {
		o.flags.Store(ORdwr | ONonblock)
	}
	if res := setUnblocked(h, true); res < 0 {
		windows.Closesocket(h)
		return nil, res
	}
	if s.kind == SockDgram {
		reportUnreachable(h, false)
	}
	return o, 0
}

// setUnblocked sets or clears the non-blocking mode of a socket.
func setUnblocked(h windows.Handle, unblocked bool) int32 {
	const fionbio = 0x8004667e
	on := uint32(truth(unblocked))
	return socketResult(syscall.SyscallN(procIoctlsocket.Addr(), uintptr(h), fionbio, uintptr(unsafe.Pointer(&on))))
}

// reportUnreachable says whether receives report that a datagram that was sent earlier did not arrive: if on, they
// fail whatever peer it was for, see https://go.dev/issue/5834. Systems without this setting, such as Wine, never
// report it.
func reportUnreachable(h windows.Handle, on bool) {
	var flag, got uint32
	if on {
		flag = 1
	}
	for _, code := range []uint32{windows.SIO_UDP_CONNRESET, windows.SIO_UDP_NETRESET} {
		windows.WSAIoctl(h, code, (*byte)(unsafe.Pointer(&flag)), 4, nil, 0, &got, nil, 0)
	}
}

// swapped returns an address for Windows, which has Linux's layouts but other numbers of families.
func (sa *Sockaddr) swapped() (to Sockaddr) {
	to = *sa
	binary.NativeEndian.PutUint16(to.bytes()[:], familyOf[sa.Family()])
	return to
}

// took converts an address of Windows, of n bytes, to Linux's.
func (sa *Sockaddr) took(n int32) {
	sa.len = uint32(max(min(n, storageSize), 0))
	family := uint16(AFUnspec)
	switch sa.Family() {
	case windows.AF_INET:
		family = AFInet
	case windows.AF_INET6:
		family = AFInet6
	case windows.AF_UNIX:
		family = AFUnix
		if name, _ := sa.Unix(); true {
			sa.SetUnix(name)
		}
	}
	binary.NativeEndian.PutUint16(sa.bytes()[:], family)
}

// Bind is bind(2).
func Bind(fd int32, sa *Sockaddr) int32 {
	o, res := asSocket(fd)
	if res < 0 {
		return res
	}
	defer o.done()
	if o.join(fd, sa) {
		return 0
	}
	return o.bind(sa)
}

func (o *open) bind(sa *Sockaddr) int32 {
	switch {
	case o.mem != nil:
		return -EINVAL
	case sa.Family() != int(o.socket.domain):
		return -EAFNOSUPPORT
	case sa.Family() == AFUnix && sa.Len() <= familySize+1, sa.isAbstract():
		return posix.Lack(EOPNOTSUPP) // Windows chooses no names, and has no abstract ones
	}
	to := sa.swapped()
	res := socketResult(syscall.SyscallN(procBind.Addr(), uintptr(o.handle), uintptr(unsafe.Pointer(&to.raw)),
		uintptr(to.len)))
	if res == -EACCES && sa.Family() != AFUnix {
		res = -EADDRINUSE // another socket has the address for itself
	}
	if res == 0 {
		o.socket.bound.Store(true)
		o.share()
	}
	return res
}

// bindAny gives a socket a name of the kernel's choice, where Linux would do that itself.
func (o *open) bindAny() int32 {
	if o.socket.domain == AFUnix || o.socket.bound.Load() {
		return 0
	}
	var any Sockaddr
	binary.NativeEndian.PutUint16(any.bytes()[:], uint16(o.socket.domain))
	any.len = inetSize
	if o.socket.domain == AFInet6 {
		any.len = inet6Size
	}
	return o.bind(&any)
}

// Listen is listen(2).
func Listen(fd int32, backlog int) int32 {
	o, res := asSocket(fd)
	if res < 0 {
		return res
	}
	defer o.done()
	if o.socket.kind != SockStream {
		return -EOPNOTSUPP
	}
	if o.mem != nil {
		return -EINVAL
	}
	if res := o.bindAny(); res < 0 {
		return res
	}
	res = socketResult(syscall.SyscallN(procListen.Addr(), uintptr(o.handle), uintptr(backlog)))
	if res == 0 {
		o.socket.listens.Store(true)
	}
	return res
}

// Accept is accept4(2); the new descriptor is non-blocking and CLOEXEC.
func Accept(fd int32) int32 {
	o, res := asSocket(fd)
	if res < 0 {
		return res
	}
	defer o.done()
	if !o.socket.listens.Load() || o.socket.noMore.Load() {
		if o.socket.kind != SockStream {
			return -EOPNOTSUPP
		}
		return -EINVAL
	}
	n := reserve() // before a connection is accepted that could be lost
	if n < 0 {
		return n
	}
	r, _, errno := syscall.SyscallN(procAccept.Addr(), uintptr(o.handle), 0, 0)
	if r == socketError {
		unreserve(n)
		if res = posix.Result(errno); res == -ECONNRESET {
			res = -ECONNABORTED // Linux's error for a peer that has gone again
		}
		return res
	}
	h := windows.Handle(r)
	windows.SetHandleInformation(h, windows.HANDLE_FLAG_INHERIT, 0)
	s := &socket{domain: o.socket.domain, kind: o.socket.kind, protocol: o.socket.protocol}
	s.bound.Store(true)
	s.probes.like(&o.socket.probes)
	made, res := newSocket(h, s, true)
	if res < 0 {
		unreserve(n)
		return res
	}
	made.refs.Store(1)
	place(n).Store(made)
	return n
}

// Connect is connect(2), which does not wait.
func Connect(fd int32, sa *Sockaddr) int32 {
	o, res := asSocket(fd)
	if res < 0 {
		return res
	}
	defer o.done()
	s := o.socket
	if o.mem != nil {
		return -EISCONN
	}
	to := sa.swapped()
	if sa.Family() == AFUnspec { // a zero address of its own family dissolves a connection
		if s.kind != SockDgram {
			return o.abort()
		}
		binary.NativeEndian.PutUint16(to.bytes()[:], familyOf[int(s.domain)])
		if to.len = inetSize; s.domain == AFInet6 {
			to.len = inet6Size
		}
	} else if sa.Family() != int(s.domain) {
		return -EAFNOSUPPORT
	} else if sa.isAbstract() {
		return posix.Lack(EOPNOTSUPP)
	}
	if s.kind == SockDgram {
		reportUnreachable(o.handle, sa.Family() != AFUnspec)
	} else {
		aloud(&to)
	}
	r, _, errno := syscall.SyscallN(procConnect.Addr(), uintptr(o.handle), uintptr(unsafe.Pointer(&to.raw)),
		uintptr(to.len))
	if int32(r) == 0 {
		s.bound.Store(true)
		s.connected.Store(sa.Family() != AFUnspec)
		return 0
	}
	switch errno {
	case windows.WSAEWOULDBLOCK, windows.WSAEINPROGRESS:
		s.bound.Store(true)
		s.connecting.Store(true)
		return -EINPROGRESS
	case windows.WSAEINVAL:
		if s.connecting.Load() {
			return -EALREADY
		}
	}
	return posix.Result(errno)
}

// aloud replaces the unspecified address by the loopback address, which Linux does itself.
func aloud(to *Sockaddr) {
	b := to.bytes()
	switch binary.NativeEndian.Uint16(b[:]) {
	case windows.AF_INET:
		if [4]byte(b[offAddr4:]) == ([4]byte{}) {
			copy(b[offAddr4:], []byte{127, 0, 0, 1})
		}
	case windows.AF_INET6:
		if [16]byte(b[offAddr6:]) == ([16]byte{}) {
			b[offAddr6+15] = 1
		}
	}
}

// abort resets a connection. The socket can't be used afterwards: only closing it resets, which is left to its
// descriptors.
func (o *open) abort() int32 {
	linger := windows.Linger{Onoff: 1}
	windows.Setsockopt(o.handle, windows.SOL_SOCKET, windows.SO_LINGER, (*byte)(unsafe.Pointer(&linger)), 4)
	return socketResult(syscall.SyscallN(procShutdown.Addr(), uintptr(o.handle), windows.SHUT_RDWR))
}

// Shutdown is shutdown(2). Windows resets a connection when bytes arrive for a side that is shut. So the reading side
// is shut in this package only: bytes that have come are read, and then the end.
func Shutdown(fd int32, how int) int32 {
	o, res := asSocket(fd)
	if res < 0 {
		return res
	}
	defer o.done()
	if o.mem != nil {
		return o.mem.shut(how)
	}
	if how < windows.SHUT_RD || how > windows.SHUT_RDWR {
		return -EINVAL
	}
	var sa Sockaddr
	if o.socket.listens.Load() {
		if !o.socket.shares.Load() { // otherwise others share the socket
			o.socket.noMore.Store(how != windows.SHUT_WR)
		}
		return 0
	}
	if res := o.name(procGetpeername, &sa); res < 0 {
		return -ENOTCONN
	}
	if how != windows.SHUT_WR {
		o.socket.noMore.Store(true)
	}
	if how == windows.SHUT_RD {
		return 0
	}
	o.socket.written.Store(true)
	return socketResult(syscall.SyscallN(procShutdown.Addr(), uintptr(o.handle), windows.SHUT_WR))
}

// Getsockname is getsockname(2).
func Getsockname(fd int32, sa *Sockaddr) int32 {
	o, res := asSocket(fd)
	if res < 0 {
		return res
	}
	defer o.done()
	res = o.name(procGetsockname, sa)
	if res == -EINVAL { // the socket has no name yet
		*sa = Sockaddr{len: familySize}
		switch o.socket.domain {
		case AFInet:
			sa.len = inetSize
		case AFInet6:
			sa.len = inet6Size
		}
		binary.NativeEndian.PutUint16(sa.bytes()[:], uint16(o.socket.domain))
		return 0
	}
	return res
}

// Getpeername is getpeername(2).
func Getpeername(fd int32, sa *Sockaddr) int32 {
	o, res := asSocket(fd)
	if res < 0 {
		return res
	}
	defer o.done()
	return o.name(procGetpeername, sa)
}

func (o *open) name(proc *windows.LazyProc, sa *Sockaddr) int32 {
	n := int32(storageSize)
	*sa = Sockaddr{}
	if o.mem != nil {
		binary.NativeEndian.PutUint16(sa.bytes()[:], AFUnix)
		sa.len = familySize
		return 0
	}
	res := socketResult(syscall.SyscallN(proc.Addr(), uintptr(o.handle), uintptr(unsafe.Pointer(&sa.raw)),
		uintptr(unsafe.Pointer(&n))))
	if res < 0 {
		return res
	}
	sa.took(n)
	return 0
}
