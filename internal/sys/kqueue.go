package sys

// Kqueue is a kqueue, or what replaces one in tests. Only one thread at a time calls it.
type Kqueue interface {
	// Kevent is kevent(2): it makes changes, and then waits for events up to ns nanoseconds, for ever if negative. The
	// result is the number of events. Without room for events it does not wait; then the result is that of the first
	// change that fails, and no later change is made. Otherwise a failed change is an event with EvError, and so is
	// each change with EvReceipt; if there are such events, there are no others. With EINTR the changes have been
	// made.
	Kevent(changes, events []Kevent, ns int64) int32
	// Ends reports whether the kqueue reports the end of what comes on a pipe or FIFO.
	Ends(fd int32) bool
	Traits() KqueueTraits
	Close()
}

// KqueueTraits says what a system's kqueues support.
type KqueueTraits struct {
	Receipts bool // EvReceipt
	Urgent   bool // KqUrgent
}

// Kevent is struct kevent, a change or an event, with the fields that all systems have.
type Kevent struct {
	Fd     int32
	Filter KqFilter
	Flags  uint16
	Error  int32 // with EvError: the result of a change
	Mark   uint32
	Data   int64 // bytes that can be read or written, connections that can be accepted
}

// KqFilter says what an event is about.
type KqFilter uint8

const (
	KqRead KqFilter = iota
	KqWrite
	KqUrgent // out-of-band data: EVFILT_EXCEPT with NOTE_OOB
	KqOther  // an event that no code here asks for
)

// Flags of changes and events, the same numbers on every system.
const (
	EvAdd     = 0x1
	EvDelete  = 0x2
	EvClear   = 0x20 // an event is reported once, until there is another
	EvReceipt = 0x40
	EvError   = 0x4000
	EvEOF     = 0x8000
)
