package sched

import (
	"ringo/internal/kernel"
	"ringo/internal/rt/gmark"
)

// Seat identifies a thread: as the runtime knows it, or if that is unknown by the kernel's id.
type Seat struct {
	Thread gmark.Thread // 0: unknown
	tid    int32
}

// CurrentSeat returns the thread that the caller has locked.
func CurrentSeat() Seat {
	if gmark.ThreadsKnown() {
		return Seat{Thread: gmark.CurrentThread()}
	}
	return Seat{tid: kernel.ThreadID()}
}

// IsCurrent reports whether the caller runs on the thread. For the zero Seat it returns false.
func (s *Seat) IsCurrent() bool {
	if s.tid != 0 {
		return kernel.ThreadID() == s.tid
	}
	return s.Thread != 0 && gmark.CurrentThread() == s.Thread
}
