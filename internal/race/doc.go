// Package race tells the race detector about memory accesses and ordering that go through the kernel where the detector
// can't see them.
//
// The detector learns from package syscall that a write on one side of a socket happens before the read on the other:
// in builds with -race, each of its writes releases one hidden variable, and each of its reads acquires it. Raw system
// calls and rings do neither. So the detector would report a correct program whose goroutines are ordered by their
// traffic alone, such as a client of package net on one side and a loop on the other. Nor does it see that the kernel
// writes into a slice that was passed to it.
//
// So each place that moves data calls, in this order:
//
//	send-like: ReadRange(p), WriteLike(), the system call or the submission
//	recv-like: the system call or the completion, ReadLike(), WriteRange(p[:n])
//
// ReadLike and WriteLike use package syscall's own variable, and not one of ours, so that a loop is also ordered with
// net, os and everything else that uses package syscall. The variable is not exported, but two calls reach it and do
// nothing else: an empty write to no descriptor releases it, and an empty read that succeeds acquires it (syscall.Write
// and syscall.Read in go/src/syscall/syscall_unix.go).
//
// Without -race all of this is empty and is compiled away.
package race
