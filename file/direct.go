package file

import (
	"fmt"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// DirectAlign returns the alignment in bytes that Direct needs: of addresses, and of offsets and lengths. It asks the
// kernel (since Linux 6.1); if unknown it returns 4096 for both, which is always enough. 0 means that this file can't
// be opened with Direct. It may wait; a task parks.
func (f *File) DirectAlign() (mem, off int) {
	if f.begin("stat") != nil {
		return 0, 0
	}
	defer f.refs.release()
	st, err := statAt(f.n, "", sys.AtEmptyPath)
	if err != nil || st.Mask&sys.StatxDioalign == 0 {
		return directAlignMax, directAlignMax
	}
	return int(st.DioMemAlign), int(st.DioOffsetAlign)
}

// directAlignMax is enough for all disks.
const directAlignMax = 4096

// An AlignError is the error of an unaligned transfer with Direct. It matches EINVAL (errors.Is).
type AlignError struct {
	Mem, Off int // the alignment required of the address, and of offset and length
	Err      error
}

// Error says which alignment is required.
func (e *AlignError) Error() string {
	return fmt.Sprintf("%v (open with Direct: memory at a multiple of %d, offset and length multiples of %d)", e.Err,
		e.Mem, e.Off)
}

// Unwrap returns the errno.
func (e *AlignError) Unwrap() error { return e.Err }

// aligned explains the EINVAL of a transfer with Direct.
func (f *File) aligned(err error) error {
	if facts(f.known.Load())&bypassCache == 0 || !isErrno(err, posix.Of(-sys.EINVAL)) {
		return err
	}
	mem, off := f.DirectAlign()
	return &AlignError{Mem: mem, Off: off, Err: err}
}
