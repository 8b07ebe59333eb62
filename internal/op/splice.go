package op

import "ringo/internal/sys"

// Splices move bytes between a socket and a pipe without a copy; two of them, with a pipe between, are a proxy. Under
// every driver they are plain calls after readiness: io_uring would keep a worker thread in a splice for as long as
// the socket is idle.
//
// Other is the number of the pipe's end, which the caller keeps open until the op has ended. The op waits for the
// socket only, so the caller must make sure that the pipe has room, or bytes.

// SpliceIn moves bytes from FD, a socket, into a pipe that has room. 0 is the end of the stream; -ENOSPC means that
// the pipe is full.
func attemptSpliceIn(o *Op) int32 {
	res := sys.Splice(o.FD.Sys(), o.Other, int(o.Limit))
	if res == -sys.EAGAIN && sys.Poll(o.Other, sys.PollOut) == 0 {
		return -sys.ENOSPC // readiness of the socket would not end that
	}
	return res
}

// SpliceOut moves bytes from a pipe that holds some to FD, a socket. 0 means that the pipe is empty.
func attemptSpliceOut(o *Op) int32 {
	res := sys.Splice(o.Other, o.FD.Sys(), int(o.Limit))
	if res == -sys.EAGAIN && sys.Poll(o.Other, sys.PollIn) == 0 {
		return 0
	}
	return res
}

// Sendfile sends up to Limit bytes of the file with the number Other, from Off on, on FD, a socket; a negative Off
// means the file's position. 0 is the file's end. It waits for room in the socket by readiness, but for the file's
// disk in the call: for a file that is not in memory use Offload.
func attemptSendfile(o *Op) int32 {
	return sys.Sendfile(o.FD.Sys(), o.Other, o.Off, int(o.Limit))
}
