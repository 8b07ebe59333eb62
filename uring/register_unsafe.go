package uring

import (
	"fmt"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
)

// Register makes a register call that has no method here, because it is newer than this package. arg and n mean what
// io_uring_register(2) says for op. The memory that arg points to, and all memory that this refers to, must be on the
// Go heap or outside of Go's memory and stay reachable during the call, or for as long as the kernel keeps it. Register
// returns the call's result; errors are *SetupError. A call that waits may end with EINTR.
//
// Only the owner may call it. Since Linux 5.1. See io_uring_register(2).
func (r *Ring) Register(op RegisterOp, arg unsafe.Pointer, n uint32) (int, error) {
	res, errno := r.sysRegister(uint32(op), arg, n)
	if errno != 0 {
		return 0, setupError(fmt.Sprintf("io_uring_register(%v)", op), errno)
	}
	return res, nil
}

// register makes the call, repeats it after a signal, and wraps an error.
func (r *Ring) register(step string, op uint32, arg unsafe.Pointer, n int) (int, error) {
	for {
		res, errno := r.sysRegister(op, arg, uint32(n))
		switch errno {
		case 0:
			return res, nil
		case posix.EINTR: // Linux 6.1 waits until nothing uses what is unregistered, and Go's signals interrupt it
		default:
			return 0, setupError(step, errno)
		}
	}
}

// ProbeOps returns the opcodes that the kernel has (Linux 5.6; EINVAL before). That it has an opcode does not mean that
// it has all of the opcode's flags.
//
// Only the owner may call it. See io_uring_register(2), IORING_REGISTER_PROBE.
func (r *Ring) ProbeOps() (OpSet, error) {
	var ops OpSet
	var buf struct { // must be zero
		head abi.Io_uring_probe
		ops  [256]abi.Io_uring_probe_op
	}
	if _, err := r.register("io_uring_register(PROBE)", abi.IORING_REGISTER_PROBE, unsafe.Pointer(&buf),
		len(buf.ops)); err != nil {
		return ops, err
	}
	for _, o := range buf.ops[:buf.head.Ops_len] {
		if o.Flags&abi.IO_URING_OP_SUPPORTED != 0 {
			ops = ops.With(Op(o.Op))
		}
	}
	return ops, nil
}
