package sched

import (
	"ringo/internal/kernel"
	"ringo/internal/rt/gmark"
)

// Seat is a thread: as the runtime knows it, or where that can't be told as the kernel does.
type Seat struct {
	Thread gmark.Thread // 0: it can't be told
	tid    int32
}

// CurrentSeat is the thread that the caller has locked.
func CurrentSeat() Seat {
	if gmark.ThreadsKnown() {
		return Seat{Thread: gmark.CurrentThread()}
	}
	return Seat{tid: kernel.ThreadID()}
}

// IsCurrent reports whether the caller runs on the thread. On the zero Seat nobody does.
func (s *Seat) IsCurrent() bool {
	if s.tid != 0 {
		return kernel.ThreadID() == s.tid
	}
	return s.Thread != 0 && gmark.CurrentThread() == s.Thread
}
