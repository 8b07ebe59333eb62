package op

import (
	"ringo/internal/sys"
	"ringo/uring"
)

// Nop does nothing and completes with 0.
func prepNop(_ *Op, e *uring.SQE) { e.PrepNop() }

func attemptNop(*Op) int32 { return 0 }

// Call makes Ext.Call, which may wait, so a worker calls it. Call itself leaves its result where the owner finds it;
// -ECANCELED means that it was not called.
func attemptCall(o *Op) int32 {
	o.Ext.Call()
	return 0
}

// Poll waits until FD is ready for Events. The result is the mask of what it is ready for, always with errors,
// hang-ups and the peer's end. A Multishot one completes at every edge, and sometimes without one.
func prepPoll(o *Op, e *uring.SQE) {
	if o.Flags&Multishot != 0 {
		e.PrepPollMultishot(int(o.FD.Sys()), uint32(o.Events))
		return
	}
	e.PrepPollAdd(int(o.FD.Sys()), uint32(o.Events))
}

func attemptPoll(o *Op) int32 { return pollNow(o, uint32(o.Events)|sys.PollRdhup) }

// Room waits until FD has room to write, or will have none again: errors and hang-ups end it. The peer's end does not,
// unlike with Poll, which ends at once for a writer whose peer has shut down its side and does not read. The result is
// as Poll's.
func attemptRoom(o *Op) int32 { return pollNow(o, sys.PollOut) }

// pollNow returns what FD is ready for.
func pollNow(o *Op, events uint32) int32 {
	switch res := sys.Poll(o.FD.Sys(), events); {
	case res == 0:
		return -sys.EAGAIN
	case res > 0 && res&sys.PollNval != 0:
		return -sys.EBADF
	default:
		return res
	}
}

// Timeout ends after Ext.Time with -ETIME.
func prepTimeout(o *Op, e *uring.SQE) { e.PrepTimeout(&o.Ext.Time, 0, 0) }

// Read and Write move Buf from or to FD at Off; a negative Off means the file's position, the only one that pipes
// have. As plain calls they wait for nothing but a file's disk, even if the descriptor is in blocking mode. The
// descriptors that a program is started with are, and changing their mode would change it for all processes that share
// them. As an entry, too, a Write of more than there is room for ends with a short count. Where the kernel can't be
// told not to wait on such a file (pipes before Linux 6.4, FIFOs before 6.10) it goes on as room appears, and returns
// its count when it is cancelled.
func prepRead(o *Op, e *uring.SQE) { e.PrepRead(int(o.FD.Sys()), o.Buf, o.Off) }

func attemptRead(o *Op) int32 {
	switch o.Mode {
	case ModeFile:
		return sys.ReadAt(o.FD.Sys(), o.Buf, o.Off)
	case ModeNow:
		return sys.ReadNow(o.FD.Sys(), o.Buf)
	}
	if sys.Blocks(o.FD.Sys()) {
		return transferNow(o, o.Buf)
	}
	return sys.Read(o.FD.Sys(), o.Buf)
}

func prepWrite(o *Op, e *uring.SQE) {
	e.PrepWrite(int(o.FD.Sys()), o.Buf[o.Done:], o.Rest())
}

func attemptWrite(o *Op) int32 {
	if o.Mode == ModeFile {
		return sys.WriteAt(o.FD.Sys(), o.Buf[o.Done:], o.Rest())
	}
	if sys.Blocks(o.FD.Sys()) {
		return transferNow(o, o.Buf[o.Done:])
	}
	return sys.Write(o.FD.Sys(), o.Buf[o.Done:])
}

// Rest returns the offset of the part of Buf that is left.
func (o *Op) Rest() int64 {
	if o.Off < 0 {
		return o.Off
	}
	return o.Off + int64(o.Done)
}
