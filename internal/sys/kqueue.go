package sys

// Kqueue is a kqueue, or what stands for one in tests. One thread at a time makes calls of it.
type Kqueue interface {
	// Kevent is kevent(2): it makes changes, and then waits for events up to ns nanoseconds, for ever if negative. The
	// result is the number of events. No room for events is no wait, and then the first change that fails is the
	// result, and none after it is made. Otherwise it is an event with EvError, and so is each change with EvReceipt;
	// if there are such, there are no others. With EINTR the changes have been made.
	Kevent(changes, events []Kevent, ns int64) int32
	// Ends reports whether the end of what comes on a pipe or FIFO is told.
	Ends(fd int32) bool
	Traits() KqueueTraits
	Close()
}

// KqueueTraits is what some systems' kqueues have.
type KqueueTraits struct {
	Receipts bool // EvReceipt
	Urgent   bool // KqUrgent
}

// Kevent is struct kevent, a change or an event, in what all systems have of it.
type Kevent struct {
	Fd     int32
	Filter KqFilter
	Flags  uint16
	Error  int32 // with EvError: what came of a change, as a result
	Mark   uint32
	Data   int64 // bytes that can be read or written, connections that can be accepted
}

// KqFilter is what is looked at.
type KqFilter uint8

const (
	KqRead KqFilter = iota
	KqWrite
	KqUrgent // data out of line: EVFILT_EXCEPT with NOTE_OOB
	KqOther  // an event that nothing here asks for
)

// Flags of changes and events, the same numbers on every system.
const (
	EvAdd     = 0x1
	EvDelete  = 0x2
	EvClear   = 0x20 // an event is told once, until there is another
	EvReceipt = 0x40
	EvError   = 0x4000
	EvEOF     = 0x8000
)
