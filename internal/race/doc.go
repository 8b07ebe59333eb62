// Package race tells the race detector about memory traffic and ordering that
// goes through the kernel by ways it can't see.
//
// The detector learns that a write on one side of a socket happens before the
// read on the other because package syscall says so: each of its reads acquires
// and each of its writes releases one hidden variable, in builds with -race. Raw
// system calls and rings say nothing. A program whose goroutines are ordered by
// their traffic alone, a std client on one side and a loop on the other, would be
// reported although it is right. Nor does the detector see that the kernel wrote
// into a slice that was lent to it.
//
// So each place that moves data calls, in this order:
//
//	send-like: ReadRange(p), WriteLike(), the system call or the submission
//	recv-like: the system call or the completion, ReadLike(), WriteRange(p[:n])
//
// The pair joins package syscall's own variable and not one of ours, so that a
// loop is also ordered with net, os and everything else that uses it. The
// variable can't be named from outside; calls that do nothing but pass through it
// can: an empty write to no descriptor releases, and an empty read that succeeds
// acquires (syscall.Write and syscall.Read in go/src/syscall/syscall_unix.go).
//
// Without -race all of this is empty and is compiled away.
package race
