package uring

import (
	"fmt"
	"runtime"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
)

// FileSkip, in place of a descriptor, makes an update leave that place of the table unchanged (Linux 5.12).
const FileSkip = abi.IORING_REGISTER_FILES_SKIP

// RegisterFiles gives the ring a table of files, to be used with SQEFixedFile. fds are their descriptors, -1 for an
// empty place. The ring keeps the files open. ENFILE and EMFILE: more than RLIMIT_NOFILE; EBUSY: there is a table
// already; EBADF: an invalid descriptor, or that of an io_uring.
//
// Only the owner may call it. Since Linux 5.1, empty places 5.5. See io_uring_register(2), IORING_REGISTER_FILES.
func (r *Ring) RegisterFiles(fds []int) error {
	step := fmt.Sprintf("io_uring_register(FILES, %d)", len(fds))
	list, err := int32s(step, fds)
	if err != nil {
		return err
	}
	_, err = r.register(step, abi.IORING_REGISTER_FILES,
		unsafe.Pointer(unsafe.SliceData(list)), len(list))
	return err
}

// RegisterFilesSparse is RegisterFiles for a table of n empty places, which are filled by updates and by requests with
// SetDirect.
//
// Only the owner may call it. Since Linux 5.19. See io_uring_register_files_sparse(3) and io_uring_register(2),
// IORING_REGISTER_FILES2.
func (r *Ring) RegisterFilesSparse(n int) error {
	step := fmt.Sprintf("io_uring_register(FILES2, %d sparse)", n)
	if err := fit32(step, n); err != nil {
		return err
	}
	reg := abi.Io_uring_rsrc_register{Nr: uint32(n), Flags: abi.IORING_RSRC_REGISTER_SPARSE}
	_, err := r.register(step, abi.IORING_REGISTER_FILES2,
		unsafe.Pointer(&reg), int(unsafe.Sizeof(reg)))
	return err
}

// RegisterFilesTagged is RegisterFiles with a tag for each place. Once a file has been removed and the last request
// with it has ended, the ring gets a CQE with the tag as user data; with tag 0 it gets none.
//
// Only the owner may call it. Since Linux 5.13. See io_uring_register_files_tags(3) and io_uring_register(2),
// IORING_REGISTER_FILES2.
func (r *Ring) RegisterFilesTagged(fds []int, tags []uint64) error {
	step := fmt.Sprintf("io_uring_register(FILES2, %d)", len(fds))
	if err := sameLength(step, len(fds), len(tags)); err != nil {
		return err
	}
	list, err := int32s(step, fds)
	if err != nil {
		return err
	}
	reg := abi.Io_uring_rsrc_register{Nr: uint32(len(fds)), Data: ptr(unsafe.Pointer(unsafe.SliceData(list))),
		Tags: ptr(unsafe.Pointer(unsafe.SliceData(tags)))}
	_, err = r.register(step, abi.IORING_REGISTER_FILES2, unsafe.Pointer(&reg), int(unsafe.Sizeof(reg)))
	runtime.KeepAlive(list)
	runtime.KeepAlive(tags)
	return err
}

// UpdateFiles changes places of the table from off on, and returns how many it has changed. -1 empties a place,
// FileSkip leaves it unchanged; requests that use the old file keep it. ENXIO: there is no table; EINVAL: the places
// are not all in it.
//
// Only the owner may call it. Since Linux 5.5. See io_uring_register(2), IORING_REGISTER_FILES_UPDATE.
func (r *Ring) UpdateFiles(off int, fds []int) (int, error) {
	step := fmt.Sprintf("io_uring_register(FILES_UPDATE, %d at %d)", len(fds), off)
	list, err := int32s(step, fds, off)
	if err != nil {
		return 0, err
	}
	up := abi.Io_uring_rsrc_update{Offset: uint32(off), Data: ptr(unsafe.Pointer(unsafe.SliceData(list)))}
	n, err := r.register(step, abi.IORING_REGISTER_FILES_UPDATE, unsafe.Pointer(&up), len(list))
	runtime.KeepAlive(list)
	return n, err
}

// UpdateFilesTagged is like UpdateFiles, with the tags of the new files, see RegisterFilesTagged. The ring gets CQEs
// with the old files' tags. EINVAL: a tag for an empty place.
//
// Only the owner may call it. Since Linux 5.13. See io_uring_register_files_update_tag(3) and io_uring_register(2),
// IORING_REGISTER_FILES_UPDATE2.
func (r *Ring) UpdateFilesTagged(off int, fds []int, tags []uint64) (int, error) {
	step := fmt.Sprintf("io_uring_register(FILES_UPDATE2, %d at %d)", len(fds), off)
	if err := sameLength(step, len(fds), len(tags)); err != nil {
		return 0, err
	}
	list, err := int32s(step, fds, off)
	if err != nil {
		return 0, err
	}
	up := abi.Io_uring_rsrc_update2{Offset: uint32(off), Data: ptr(unsafe.Pointer(unsafe.SliceData(list))),
		Tags: ptr(unsafe.Pointer(unsafe.SliceData(tags))), Nr: uint32(len(fds))}
	n, err := r.register(step, abi.IORING_REGISTER_FILES_UPDATE2, unsafe.Pointer(&up), int(unsafe.Sizeof(up)))
	runtime.KeepAlive(list)
	runtime.KeepAlive(tags)
	return n, err
}

// UnregisterFiles removes the table. ENXIO: there is none.
//
// Only the owner may call it. Since Linux 5.1. See io_uring_register(2), IORING_UNREGISTER_FILES.
func (r *Ring) UnregisterFiles() error {
	_, err := r.register("io_uring_unregister(FILES)", abi.IORING_UNREGISTER_FILES, nil, 0)
	return err
}

// RegisterFileAllocRange limits the places that the kernel picks (DirectAlloc) to n from off on; the other places are
// for requests that name one. EINVAL: the range is not in the table.
//
// Only the owner may call it. Since Linux 6.0. See io_uring_register_file_alloc_range(3).
func (r *Ring) RegisterFileAllocRange(off, n int) error {
	step := fmt.Sprintf("io_uring_register(FILE_ALLOC_RANGE, %d at %d)", n, off)
	if err := fit32(step, off, n); err != nil {
		return err
	}
	reg := abi.Io_uring_file_index_range{Off: uint32(off), Len: uint32(n)}
	_, err := r.register(step, abi.IORING_REGISTER_FILE_ALLOC_RANGE, unsafe.Pointer(&reg), 0)
	return err
}

// sameLength checks that there are as many tags as files or buffers.
func sameLength(step string, things, tags int) error {
	if things != tags {
		return fmt.Errorf("uring: %s: %d tags", step, tags)
	}
	return nil
}

// int32s converts descriptors to the kernel's 32 bits. off is the first place they go to, if any, which must fit as
// well.
func int32s(step string, fds []int, off ...int) ([]int32, error) {
	list := make([]int32, len(fds))
	for i, fd := range fds {
		if err := asFD(step, &fds[i]); err != nil {
			return nil, err
		}
		list[i] = int32(fd)
	}
	return list, fit32(step, off...)
}

// asFD checks a descriptor, if there is one, before it is cut to 32 bits: cut, it could be another descriptor.
func asFD(step string, fd *int) error {
	if fd != nil && int(int32(*fd)) != *fd {
		return fmt.Errorf("uring: %s: descriptor %d: %w", step, *fd, posix.EBADF)
	}
	return nil
}
