package uring

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// RegisterBuffers pins memory for reads, writes and zero-copy sends with fixed buffers: BufIndex of the SQE says which.
// The ring keeps the slices alive until UnregisterBuffers or Close. A buffer without bytes is an empty place (Linux
// 5.13). ENOMEM: RLIMIT_MEMLOCK, which counts these on every kernel. EBUSY: there are buffers already. EFAULT: memory
// that is mapped from a file, or cannot be written.
//
// Only the owner may call it. Since Linux 5.1. See io_uring_register(2), IORING_REGISTER_BUFFERS.
func (r *Ring) RegisterBuffers(bufs [][]byte) error {
	iov := iovecs(bufs)
	r.tableLock.Lock()
	defer r.tableLock.Unlock()
	_, err := r.register(fmt.Sprintf("io_uring_register(BUFFERS, %d)", len(bufs)), abi.IORING_REGISTER_BUFFERS,
		unsafe.Pointer(unsafe.SliceData(iov)), len(iov))
	if err == nil {
		r.pinned = iov
	}
	return err
}

// RegisterBuffersSparse is RegisterBuffers for n empty places, to be filled by UpdateBuffers and CloneBuffers.
//
// Only the owner may call it. Since Linux 5.19. See io_uring_register_buffers_sparse(3) and io_uring_register(2),
// IORING_REGISTER_BUFFERS2.
func (r *Ring) RegisterBuffersSparse(n int) error {
	step := fmt.Sprintf("io_uring_register(BUFFERS2, %d sparse)", n)
	if err := fit32(step, n); err != nil {
		return err
	}
	reg := abi.Io_uring_rsrc_register{Nr: uint32(n), Flags: abi.IORING_RSRC_REGISTER_SPARSE}
	r.tableLock.Lock()
	defer r.tableLock.Unlock()
	_, err := r.register(step, abi.IORING_REGISTER_BUFFERS2, unsafe.Pointer(&reg), int(unsafe.Sizeof(reg)))
	if err == nil {
		r.pinned = make([]iovec, n)
	}
	return err
}

// RegisterBuffersTagged is RegisterBuffers with a tag for each place. When a buffer is removed and the last request
// with it has ended, the ring gets a CQE with the tag as user data; 0 means none.
//
// Only the owner may call it. Since Linux 5.13. See io_uring_register_buffers_tags(3) and io_uring_register(2),
// IORING_REGISTER_BUFFERS2.
func (r *Ring) RegisterBuffersTagged(bufs [][]byte, tags []uint64) error {
	step := fmt.Sprintf("io_uring_register(BUFFERS2, %d)", len(bufs))
	if err := sameLength(step, len(bufs), len(tags)); err != nil {
		return err
	}
	iov := iovecs(bufs)
	reg := abi.Io_uring_rsrc_register{Nr: uint32(len(iov)), Data: ptr(unsafe.Pointer(unsafe.SliceData(iov))),
		Tags: ptr(unsafe.Pointer(unsafe.SliceData(tags)))}
	r.tableLock.Lock()
	defer r.tableLock.Unlock()
	_, err := r.register(step, abi.IORING_REGISTER_BUFFERS2, unsafe.Pointer(&reg), int(unsafe.Sizeof(reg)))
	if err == nil {
		r.pinned = iov
	}
	runtime.KeepAlive(tags)
	return err
}

// UpdateBuffers changes places of the table from off on, with the tags of the new buffers, see RegisterBuffersTagged,
// or nil for none; it returns how many. An empty buffer empties its place. The ring keeps the new ones alive, and no
// longer the old ones: the kernel owns these until their tags have arrived, or the last request with them has ended.
// ENXIO: there is no table.
//
// Only the owner may call it. Since Linux 5.13. See io_uring_register_buffers_update_tag(3) and io_uring_register(2),
// IORING_REGISTER_BUFFERS_UPDATE.
func (r *Ring) UpdateBuffers(off int, bufs [][]byte, tags []uint64) (int, error) {
	step := fmt.Sprintf("io_uring_register(BUFFERS_UPDATE, %d at %d)", len(bufs), off)
	if err := fit32(step, off, len(bufs)); err != nil {
		return 0, err
	}
	if tags != nil {
		if err := sameLength(step, len(bufs), len(tags)); err != nil {
			return 0, err
		}
	}
	iov := iovecs(bufs)
	up := abi.Io_uring_rsrc_update2{Offset: uint32(off), Data: ptr(unsafe.Pointer(unsafe.SliceData(iov))),
		Tags: ptr(unsafe.Pointer(unsafe.SliceData(tags))), Nr: uint32(len(iov))}
	r.tableLock.Lock()
	defer r.tableLock.Unlock()
	n, err := r.register(step, abi.IORING_REGISTER_BUFFERS_UPDATE, unsafe.Pointer(&up), int(unsafe.Sizeof(up)))
	if err == nil {
		r.pin(off, iov[:n])
	}
	runtime.KeepAlive(iov)
	runtime.KeepAlive(tags)
	return n, err
}

// UnregisterBuffers waits until no request uses the buffers and unpins them. ENXIO: there are none.
//
// Only the owner may call it. Since Linux 5.1. See io_uring_register(2), IORING_UNREGISTER_BUFFERS.
func (r *Ring) UnregisterBuffers() error {
	r.tableLock.Lock()
	defer r.tableLock.Unlock()
	_, err := r.register("io_uring_unregister(BUFFERS)", abi.IORING_UNREGISTER_BUFFERS, nil, 0)
	if err == nil {
		r.pinned = nil
	}
	return err
}

// A BufferRange says which of another ring's buffers CloneBuffers takes, and where it puts them. The zero value means
// all of them.
type BufferRange struct {
	From, To int  // the first place, there and here
	N        int  // how many; 0: all from From on
	Replace  bool // replace buffers at To; otherwise existing ones are an error
}

// CloneBuffers gives this ring the registered buffers of another, pinned once for both. They stay pinned until both
// have unregistered them, and this ring keeps them alive, too. The other ring's owner may use it meanwhile. The kernel
// owns replaced buffers until the last request with them has ended. EBUSY: there are buffers already, and Replace is
// not set. ENXIO: the other ring has none. EOVERFLOW and EINVAL: it has fewer. For another thread's ring, EEXIST: it
// has SINGLE_ISSUER, which newer kernels refuse; EBADF: it has no descriptor, see CloseFD.
//
// Only the owner may call it. Since Linux 6.12, all at once, ranges and Replace 6.13. See io_uring_clone_buffers(3).
func (r *Ring) CloneBuffers(from *Ring, which BufferRange) error {
	step := fmt.Sprintf("io_uring_register(CLONE_BUFFERS, %+v)", which)
	if err := fit32(step, which.From, which.To, which.N); err != nil {
		return err
	}
	lockTables(r, from)
	defer unlockTables(r, from)
	reg := abi.Io_uring_clone_buffers{Src_fd: uint32(from.FD()), Src_off: uint32(which.From), Dst_off: uint32(which.To),
		Nr: uint32(which.N)}
	if which.N == 0 && which.From > 0 { // the kernel's 0 is as many as there are in all
		reg.Nr = uint32(max(0, len(from.pinned)-which.From))
	}
	if from.FD() < 0 {
		if from.owner != sys.UringThread() || from.closed {
			return &SetupError{Step: step, Err: posix.EBADF,
				Hint: "from a ring that is closed, or without a descriptor and another thread's"}
		}
		reg.Src_fd, reg.Flags = uint32(from.enterFD), abi.IORING_REGISTER_SRC_REGISTERED
	}
	if which.Replace {
		reg.Flags |= abi.IORING_REGISTER_DST_REPLACE
	}
	_, err := r.register(step, abi.IORING_REGISTER_CLONE_BUFFERS, unsafe.Pointer(&reg), 1)
	if err == nil {
		list := from.pinned[min(which.From, len(from.pinned)):]
		if which.N > 0 {
			list = list[:min(which.N, len(list))]
		}
		r.pin(which.To, slices.Clone(list))
	}
	return err
}

// lockTables locks the tables of both rings, in an order that is the same for all.
func lockTables(a, b *Ring) {
	if uintptr(unsafe.Pointer(a)) > uintptr(unsafe.Pointer(b)) {
		a, b = b, a
	}
	a.tableLock.Lock()
	if a != b {
		b.tableLock.Lock()
	}
}

func unlockTables(a, b *Ring) {
	a.tableLock.Unlock()
	if a != b {
		b.tableLock.Unlock()
	}
}

// pin keeps what has come to these places of the table alive, and lets go of what was there. A table that others have
// made, Register say, is known from these places on.
func (r *Ring) pin(off int, list []iovec) {
	if end := off + len(list); end > len(r.pinned) {
		r.pinned = append(r.pinned, make([]iovec, end-len(r.pinned))...)
	}
	copy(r.pinned[off:], list)
}

// fit32 checks numbers of places before they are cut to the kernel's 32 bits.
func fit32(step string, numbers ...int) error {
	for _, n := range numbers {
		if n < 0 || n > math.MaxInt32 {
			return fmt.Errorf("uring: %s: want numbers from 0 to %d: %w", step, math.MaxInt32, posix.EINVAL)
		}
	}
	return nil
}

// iovec is struct iovec.
type iovec struct {
	base *byte
	len  uintptr
}

func iovecs(bufs [][]byte) []iovec {
	iov := make([]iovec, len(bufs))
	for i, b := range bufs {
		if len(b) > 0 {
			iov[i] = iovec{unsafe.SliceData(b), uintptr(len(b))}
		}
	}
	return iov
}
