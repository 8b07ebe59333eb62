package uring

import (
	"fmt"
	"runtime"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/mask"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Nothing in this file needs a ring.

// registerBlind makes a register call without a ring, on k, or if that is nil on the kernel as RINGO_MASK limits it.
func registerBlind(k sys.Uring, step string, op uint32, arg unsafe.Pointer, n uint32) (int, error) {
	if k == nil {
		m, err := mask.Env()
		if err != nil {
			return 0, err
		}
		k = m.Kernel(nil)
	}
	for {
		res, errno := register(k, -1, op, arg, n)
		switch errno {
		case 0:
			return res, nil
		case posix.EINTR:
		default:
			return 0, setupError(step, errno)
		}
	}
}

// SendMsgRing puts a CQE with this user data and result into the ring with descriptor fd, and wakes its owner, as
// PrepMsgRing does, but the sender needs no ring. EBADF and EBADFD: fd is not a ring, or a ring that is not enabled;
// EOVERFLOW: its CQ is full, and the kernel has no memory to keep the message until there is room; then that ring
// counts the message as lost (Ring.Lost).
//
// Any goroutine may call it. It does not wait. Since Linux 6.13. See io_uring_register_sync_msg(3).
func SendMsgRing(fd int, res int32, userData uint64) error {
	return sendMsgRing(nil, fd, res, userData, 0, false)
}

// SendMsgRingFlags is like SendMsgRing, with flags for the CQE. EINVAL: flags that have a meaning for the kernel.
//
// Any goroutine may call it. It does not wait. Since Linux 6.13. See io_uring_register_sync_msg(3).
func SendMsgRingFlags(fd int, res int32, userData uint64, flags uint32) error {
	return sendMsgRing(nil, fd, res, userData, flags, true)
}

func sendMsgRing(k sys.Uring, fd int, res int32, userData uint64, flags uint32, pass bool) error {
	const step = "io_uring_register(SEND_MSG_RING)"
	if err := asFD(step, &fd); err != nil {
		return err
	}
	e := SQE{Op: OpMsgRing, FD: int32(fd), Off: userData, Len: uint32(res)}
	if pass {
		e.OpFlags, e.FileIndex = abi.IORING_MSG_RING_FLAGS_PASS, flags
	}
	_, err := registerBlind(k, step, abi.IORING_REGISTER_SEND_MSG_RING,
		unsafe.Pointer(&e), 1)
	return err
}

// Support is what a kernel supports, as reported by Query. A sandbox may still block some of it: Probe tries
// everything.
type Support struct {
	Ops         int // opcodes: 0 to Ops-1
	RegisterOps int // register calls: 0 to RegisterOps-1
	Features    Features
	SetupFlags  SetupFlags
	EnterFlags  uint64
	SQEFlags    SQEFlags
	Queries     int // number of kinds of queries
}

// Query asks the kernel what it supports of io_uring. It works even where no ring can be opened.
//
// Any goroutine may call it. Since Linux 6.18. See io_uring_register_query(3).
func Query() (Support, error) { return query(nil) }

func query(k sys.Uring) (Support, error) {
	var q abi.Io_uring_query_opcode
	err := ask(k, abi.IO_URING_QUERY_OPCODES, unsafe.Pointer(&q), unsafe.Sizeof(q))
	return Support{Ops: int(q.Nr_request_opcodes), RegisterOps: int(q.Nr_register_opcodes),
		Features: Features(q.Feature_flags), SetupFlags: SetupFlags(q.Ring_setup_flags), EnterFlags: q.Enter_flags,
		SQEFlags: SQEFlags(q.Sqe_flags), Queries: int(q.Nr_query_opcodes)}, err
}

// ZCRXSupport is what a kernel supports of zero-copy receive.
type ZCRXSupport struct {
	RegisterFlags, AreaFlags uint64
	Controls                 int // number of kinds of control calls
	Features                 uint32
	HeaderSize, HeaderAlign  int // of the refill ring
}

// QueryZCRX returns what the kernel supports of zero-copy receive. EINVAL: an older kernel.
//
// Any goroutine may call it. Since Linux 6.19. See io_uring_register_query(3).
func QueryZCRX() (ZCRXSupport, error) { return queryZCRX(nil) }

func queryZCRX(k sys.Uring) (ZCRXSupport, error) {
	var q abi.Io_uring_query_zcrx
	err := ask(k, abi.IO_URING_QUERY_ZCRX, unsafe.Pointer(&q), unsafe.Sizeof(q))
	return ZCRXSupport{RegisterFlags: q.Register_flags, AreaFlags: q.Area_flags, Controls: int(q.Nr_ctrl_opcodes),
		Features: q.Features, HeaderSize: int(q.Rq_hdr_size), HeaderAlign: int(q.Rq_hdr_alignment)}, err
}

// QueryRings returns how many bytes of Config.Memory the control words of both rings need, and their alignment. EINVAL:
// the kernel is older; then they need 64 bytes.
//
// Any goroutine may call it. Since Linux 6.19. See io_uring_register_query(3).
func QueryRings() (size, align int, err error) { return queryRings(nil) }

func queryRings(k sys.Uring) (size, align int, err error) {
	var q abi.Io_uring_query_scq
	err = ask(k, abi.IO_URING_QUERY_SCQ, unsafe.Pointer(&q), unsafe.Sizeof(q))
	return int(q.Hdr_size), int(q.Hdr_alignment), err
}

// ask makes one query. The kernel fills in as many bytes of the answer as it knows; the rest stays zero.
func ask(k sys.Uring, what uint32, answer unsafe.Pointer, size uintptr) error {
	step := fmt.Sprintf("io_uring_register(QUERY, %d)", what)
	h := abi.Io_uring_query_hdr{Query_data: ptr(answer), Query_op: what, Size: uint32(size)}
	_, err := registerBlind(k, step, abi.IORING_REGISTER_QUERY, unsafe.Pointer(&h), 0)
	runtime.KeepAlive(answer)
	if err == nil && h.Result < 0 {
		err = setupError(step, posix.Errno(-h.Result))
	}
	return err
}
