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

// RegisterBuffers pins memory for reads, writes and zero-copy sends with fixed buffers; BufIndex of the SQE selects
// one. The ring keeps the slices alive until UnregisterBuffers or Close. A buffer without bytes is an empty place
// (Linux 5.13). ENOMEM: RLIMIT_MEMLOCK, which counts these buffers on every kernel. EBUSY: there are buffers already.
// EFAULT: the memory is mapped from a file, or can't be written.
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

// RegisterBuffersSparse is RegisterBuffers for n empty places, which UpdateBuffers and CloneBuffers fill.
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

// RegisterBuffersTagged is RegisterBuffers with a tag for each place. Once a buffer has been removed and the last
// request with it has ended, the ring gets a CQE with the tag as user data; with tag 0 it gets none.
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

// UpdateBuffers changes places of the table from off on, and returns how many it has changed. tags are the tags of the
// new buffers, see RegisterBuffersTagged, or nil for none. An empty buffer empties its place. The ring keeps the new
// buffers alive, and no longer the old ones: the kernel owns those until their tags have arrived, or the last request
// with them has ended. ENXIO: there is no table.
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

// UnregisterBuffers waits until no request uses the buffers, and unpins them. ENXIO: there are none.
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

// A BufferRange selects the buffers that CloneBuffers takes from the other ring, and the places where it puts them. The
// zero value means all of them.
type BufferRange struct {
	From, To int  // the first place, in the other ring and in this one
	N        int  // how many; 0: all from From on
	Replace  bool // replace buffers at To; otherwise existing ones are an error
}

// CloneBuffers gives this ring the registered buffers of another; they are pinned once for both. They stay pinned until
// both have unregistered them, and this ring keeps them alive, too. The other ring's owner may use it meanwhile. The
// kernel owns replaced buffers until the last request with them has ended. EBUSY: there are buffers already, and
// Replace is not set. ENXIO: the other ring has none. EOVERFLOW and EINVAL: it has fewer than which asks for. For
// another thread's ring, EEXIST: it has SINGLE_ISSUER, and newer kernels refuse that; EBADF: it has no descriptor, see
// CloseFD.
//
// Only the owner may call it. Since Linux 6.12 for all buffers at once; ranges and Replace since 6.13. See
// io_uring_clone_buffers(3).
func (r *Ring) CloneBuffers(from *Ring, which BufferRange) error {
	step := fmt.Sprintf("io_uring_register(CLONE_BUFFERS, %+v)", which)
	if err := fit32(step, which.From, which.To, which.N); err != nil {
		return err
	}
	lockTables(r, from)
	defer unlockTables(r, from)
	reg := abi.Io_uring_clone_buffers{Src_fd: uint32(from.FD()), Src_off: uint32(which.From), Dst_off: uint32(which.To),
		Nr: uint32(which.N)}
	if which.N == 0 && which.From > 0 { // to the kernel 0 means the total number, regardless of From
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

// lockTables locks the tables of both rings, always in the same order.
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

// pin keeps the buffers alive that have been put into these places of the table, and drops those that were there. If
// the table was not made by a method of this package, but by Register, say, pin makes the list as long as these places
// need.
func (r *Ring) pin(off int, list []iovec) {
	if end := off + len(list); end > len(r.pinned) {
		r.pinned = append(r.pinned, make([]iovec, end-len(r.pinned))...)
	}
	copy(r.pinned[off:], list)
}

// fit32 checks indices and counts before they are cut to the kernel's 32 bits.
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
