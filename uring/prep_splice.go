package uring

// # Splice and tee
//
// These ops run on a worker thread of the kernel. The result is the number of bytes, which may be short; a short count
// breaks a link.

// PrepSplice fills in a splice(2) of n bytes from one descriptor to another, one of which must be a pipe (Linux 5.7).
// The offset of a pipe must be -1; for a file -1 means its own position. flags are SPLICE_F_ flags, and SpliceInFixed
// for a source in the table of files; for a destination there use SQEFixedFile. See io_uring_prep_splice(3).
func (e *SQE) PrepSplice(from int, fromOff int64, to int, toOff int64, n, flags uint32) {
	e.prep(OpSplice, to, uint64(fromOff), n, uint64(toOff), flags)
	e.FileIndex = uint32(from)
}

// PrepTee fills in a tee(2) of n bytes from one pipe to another (Linux 5.8), with flags as for PrepSplice. See
// io_uring_prep_tee(3).
func (e *SQE) PrepTee(from, to int, n, flags uint32) {
	e.prep(OpTee, to, 0, n, 0, flags)
	e.FileIndex = uint32(from)
}
