package uring

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// A Filter is a program of classic BPF that decides which entries of one op may be submitted. It reads, from offset 0
// on: the user data (8 bytes), the op, the entry's flags, and how many bytes of arguments follow (1 byte each), 5 bytes
// of zero; and at 16 the op's arguments: for SOCKET family, type and protocol (4 bytes each), for OPENAT and OPENAT2
// flags, mode and resolve (8 each). If it returns 0, the kernel refuses the entry, which ends with EACCES.
type Filter struct {
	Op      Op
	Payload uint8 // bytes of arguments that the program expects; see FilterSizeError
	Program []FilterStep

	DenyRest bool // refuse ops that have no filter
	Strict   bool // also fail if Payload is less than the kernel's number
}

// A FilterStep is an instruction of classic BPF, struct sock_filter; see bpf(4) of the BSDs, and
// Documentation/networking/filter.rst of Linux.
type FilterStep struct {
	Code   uint16
	JT, JF uint8
	K      uint32
}

var _ [8]byte = [unsafe.Sizeof(FilterStep{})]byte{}

// A FilterSizeError reports that a filter expects more bytes of arguments of its op than the kernel has, or, with
// Strict, another number of them.
type FilterSizeError struct {
	Op            Op
	Payload, Have uint8
	Err           error // EMSGSIZE
}

func (e *FilterSizeError) Error() string {
	return fmt.Sprintf("uring: filter of %v for %d bytes: the kernel has %d: %v", e.Op, e.Payload, e.Have, e.Err)
}

// Unwrap returns the errno.
func (e *FilterSizeError) Unwrap() error { return e.Err }

// RegisterFilter adds a filter to the ring, permanently. If an op has several filters, all must allow the entry. It
// fails with a *FilterSizeError if the kernel has fewer bytes of arguments for the op than Payload, or, with Strict,
// another number of them. The kernel copies the program.
//
// Only the owner may call it. Since Linux 7.0. See io_uring_register_bpf_filter(3).
func (r *Ring) RegisterFilter(f *Filter) error {
	return f.register(func(step string, arg unsafe.Pointer) error {
		_, err := r.register(step, abi.IORING_REGISTER_BPF_FILTER, arg, 1)
		return err
	})
}

// RegisterTaskFilter adds a filter to each ring that the calling thread and its children will make, permanently. So
// that it restricts no other goroutines, lock the goroutine to its thread and let the thread end with it.
//
// Any goroutine may call it. Since Linux 7.0. See io_uring_register_bpf_filter_task(3).
func RegisterTaskFilter(f *Filter) error { return registerTaskFilter(nil, f) }

func registerTaskFilter(k sys.Uring, f *Filter) error {
	return f.register(func(step string, arg unsafe.Pointer) error {
		_, err := registerBlind(k, step, abi.IORING_REGISTER_BPF_FILTER, arg, 1)
		return err
	})
}

func (f *Filter) register(call func(step string, arg unsafe.Pointer) error) error {
	reg := &abi.Io_uring_bpf{Cmd_type: abi.IO_URING_BPF_CMD_FILTER}
	reg.Filter = abi.Io_uring_bpf_filter{Opcode: uint32(f.Op), Filter_len: uint32(len(f.Program)),
		Pdu_size: f.Payload, Filter_ptr: ptr(unsafe.Pointer(unsafe.SliceData(f.Program)))}
	if f.DenyRest {
		reg.Filter.Flags |= abi.IO_URING_BPF_FILTER_DENY_REST
	}
	if f.Strict {
		reg.Filter.Flags |= abi.IO_URING_BPF_FILTER_SZ_STRICT
	}
	err := call(fmt.Sprintf("io_uring_register(BPF_FILTER, %v, %d steps)", f.Op, len(f.Program)), unsafe.Pointer(reg))
	runtime.KeepAlive(f.Program)
	if errors.Is(err, posix.EMSGSIZE) {
		return &FilterSizeError{Op: f.Op, Payload: f.Payload, Have: reg.Filter.Pdu_size, Err: posix.EMSGSIZE}
	}
	return err
}

// RegisterTaskRestrictions is Ring.RegisterRestrictions for each ring that the calling thread and its children will
// make, permanently. So that it restricts no other goroutines, lock the goroutine to its thread and let the thread end
// with it.
//
// Any goroutine may call it. Since Linux 7.0. See io_uring_register(2), IORING_REGISTER_RESTRICTIONS.
func RegisterTaskRestrictions(allowed []Restriction) error {
	return registerTaskRestrictions(nil, allowed)
}

func registerTaskRestrictions(k sys.Uring, allowed []Restriction) error {
	list, err := restrictions(allowed)
	if err != nil {
		return err
	}
	const head = int(unsafe.Sizeof(abi.Io_uring_task_restriction{}) / unsafe.Sizeof(abi.Io_uring_restriction{}))
	// The header has the size of one restriction, and precedes the list.
	all := make([]abi.Io_uring_restriction, head+len(list))
	(*abi.Io_uring_task_restriction)(unsafe.Pointer(&all[0])).Nr_res = uint16(len(list))
	copy(all[head:], list)
	_, err = registerBlind(k, fmt.Sprintf("io_uring_register(RESTRICTIONS of the task, %d)", len(list)),
		abi.IORING_REGISTER_RESTRICTIONS, unsafe.Pointer(&all[0]), 1)
	return err
}
