package uring

import (
	"unsafe"

	"ringo/internal/abi"
)

// # Serve sockets: make, name and end them
//
// A sockaddr is in the kernel's format, such as syscall.RawSockaddrInet4.

// PrepSocket fills in a socket(2) (Linux 5.19). The result is the descriptor, unless SetDirect puts the socket into the
// table of files. See io_uring_prep_socket(3).
func (e *SQE) PrepSocket(domain, typ, protocol int) {
	e.prep(OpSocket, domain, 0, uint32(protocol), uint64(typ), 0)
}

// PrepBind fills in a bind(2) (Linux 6.11) to the sockaddr sa of salen bytes, which the kernel copies when it consumes
// the entry. See io_uring_prep_bind(3).
func (e *SQE) PrepBind(fd int, sa unsafe.Pointer, salen uint32) {
	e.prep(OpBind, fd, ptr(sa), 0, uint64(salen), 0)
}

// PrepListen fills in a listen(2) (Linux 6.11). See io_uring_prep_listen(3).
func (e *SQE) PrepListen(fd, backlog int) {
	e.prep(OpListen, fd, 0, uint32(backlog), 0, 0)
}

// PrepAccept fills in an accept4(2) (Linux 5.5). The CQE's result is the new descriptor, unless SetDirect puts the
// socket into the table of files. flags are SOCK_CLOEXEC and SOCK_NONBLOCK. It waits even if the listener has
// O_NONBLOCK. See io_uring_prep_accept(3).
func (e *SQE) PrepAccept(fd int, flags uint32) {
	e.prep(OpAccept, fd, 0, 0, 0, flags)
}

// PrepAcceptAddr is PrepAccept that also writes the peer's address to sa, a sockaddr with room for *salen bytes, and
// its length to salen. Both belong to the kernel until the CQE. (Linux 5.5)
func (e *SQE) PrepAcceptAddr(fd int, sa unsafe.Pointer, salen *uint32, flags uint32) {
	e.prep(OpAccept, fd, ptr(sa), 0, ptr(unsafe.Pointer(salen)), flags)
}

// PrepAcceptMultishot fills in a repeated accept, which makes a CQE for every connection, for as long as the CQEs have
// CQEMore set (Linux 5.19). It returns no address; call getpeername(2) for that. See io_uring_prep_multishot_accept(3).
func (e *SQE) PrepAcceptMultishot(fd int, flags uint32) {
	e.prep(OpAccept, fd, 0, 0, 0, flags)
	e.IOPrio = abi.IORING_ACCEPT_MULTISHOT
}

// SetDontWait makes an accept, prepared before, fail with EAGAIN instead of waiting (Linux 6.10).
func (e *SQE) SetDontWait() { e.IOPrio |= abi.IORING_ACCEPT_DONTWAIT }

// SetPollFirst makes an accept (Linux 6.10), receive or send (Linux 5.19), prepared before, wait for readiness without
// trying first. That is cheaper if CQESockNonempty was not set last time.
func (e *SQE) SetPollFirst() {
	if e.Op == OpAccept {
		e.IOPrio |= abi.IORING_ACCEPT_POLL_FIRST
		return
	}
	e.IOPrio |= abi.IORING_RECVSEND_POLL_FIRST
}

// PrepConnect fills in a connect(2) (Linux 5.5) to the sockaddr sa of salen bytes, which the kernel copies when it
// consumes the entry. See io_uring_prep_connect(3).
func (e *SQE) PrepConnect(fd int, sa unsafe.Pointer, salen uint32) {
	e.prep(OpConnect, fd, ptr(sa), 0, uint64(salen), 0)
}

// PrepShutdown fills in a shutdown(2) (Linux 5.11); how is SHUT_RD, SHUT_WR or SHUT_RDWR. The kernel runs it on a
// worker thread, so the plain system call is cheaper unless the shutdown must follow other entries. See
// io_uring_prep_shutdown(3).
func (e *SQE) PrepShutdown(fd, how int) {
	e.prep(OpShutdown, fd, 0, uint32(how), 0, 0)
}
