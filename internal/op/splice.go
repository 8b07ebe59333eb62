package op

import "ringo/internal/sys"

// Splices move bytes between a socket and a pipe without a copy; two of them, with a
// pipe between, are a proxy. They are plain calls after readiness under every driver:
// a splice of the ring is a worker thread for as long as the socket is idle.
//
// Other is the number of the pipe's end, which the caller
// keeps open till the op has ended. It waits for the socket only, so the caller sees
// to it that the pipe is not what there is to wait for.

// SpliceIn moves bytes from FD, a socket, into a pipe that has room. 0 is the end of
// the stream; -ENOSPC says that the pipe is full.
func attemptSpliceIn(o *Op) int32 {
	res := sys.Splice(o.FD.Sys(), o.Other, int(o.Limit))
	if res == -sys.EAGAIN && sys.Poll(o.Other, sys.PollOut) == 0 {
		return -sys.ENOSPC // no readiness of the socket would end that
	}
	return res
}

// SpliceOut moves bytes from a pipe that holds some to FD, a socket. 0 says that the
// pipe is empty.
func attemptSpliceOut(o *Op) int32 {
	res := sys.Splice(o.Other, o.FD.Sys(), int(o.Limit))
	if res == -sys.EAGAIN && sys.Poll(o.Other, sys.PollIn) == 0 {
		return 0
	}
	return res
}

// Sendfile sends up to Limit bytes of the file with the number Other, from Off on, on
// FD, a socket; a negative Off is the file's position. 0 is the file's end. It waits
// for the socket's room by readiness, but for the file's disk in the call: a file
// that is not in memory is for Offload.
func attemptSendfile(o *Op) int32 {
	return sys.Sendfile(o.FD.Sys(), o.Other, o.Off, int(o.Limit))
}
