//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/posix"
)

// HaveKqueue says whether this OS has kqueues at all.
const HaveKqueue = true

// kqueue is the system's. The garbage collector looks for no pointers in its lists: an event's mark lies where x/sys
// has a pointer.
type kqueue struct {
	fd              int
	changes, events []unix.Kevent_t
	limit           unix.Timespec
}

// OpenKqueue is kqueue(2), close-on-exec, for so many changes and events in a call.
func OpenKqueue(changes, events int) (Kqueue, int32) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd := openQueue()
	if fd < 0 {
		return nil, fd
	}
	return &kqueue{fd: int(fd), changes: eventList(changes), events: eventList(events)}, 0
}

func openQueue() int32 {
	fd, err := unix.Kqueue()
	return descriptor(fd, err, false)
}

func eventList(n int) []unix.Kevent_t {
	const words = (unsafe.Sizeof(unix.Kevent_t{}) + 7) / 8
	mem := make([]uint64, words*uintptr(n))
	return unsafe.Slice((*unix.Kevent_t)(unsafe.Pointer(unsafe.SliceData(mem))), n)
}

// Kevent makes no more changes and returns no more events than the lists have room for.
func (q *kqueue) Kevent(changes, events []Kevent, ns int64) int32 {
	for i := range changes {
		putChange(&q.changes[i], &changes[i])
	}
	limit := &q.limit
	if ns < 0 {
		limit = nil
	} else {
		*limit = unix.NsecToTimespec(ns)
	}
	n, err := unix.Kevent(q.fd, q.changes[:len(changes)], q.events[:min(len(events), len(q.events))], limit)
	if err != nil {
		return failed(err)
	}
	for i := range n {
		takeEvent(&events[i], &q.events[i])
	}
	return int32(n)
}

func putChange(to *unix.Kevent_t, e *Kevent) {
	filter, note := unix.EVFILT_READ, 0
	switch e.Filter {
	case KqWrite:
		filter = unix.EVFILT_WRITE
	case KqUrgent:
		filter, note = filterExcept, noteOOB
	}
	unix.SetKevent(to, int(e.Fd), filter, int(e.Flags))
	to.Fflags, to.Data = uint32(note), 0
	*markOf(to) = uintptr(e.Mark)
}

func takeEvent(e *Kevent, from *unix.Kevent_t) {
	*e = Kevent{Fd: int32(from.Ident), Filter: KqOther, Flags: uint16(from.Flags), Mark: uint32(*markOf(from)),
		Data: int64(from.Data)}
	switch filter := int(from.Filter); {
	case filter == unix.EVFILT_READ:
		e.Filter = KqRead
	case filter == unix.EVFILT_WRITE:
		e.Filter = KqWrite
	case filter == filterExcept && from.Fflags&noteOOB != 0:
		e.Filter = KqUrgent
	}
	if e.Flags&EvError != 0 && from.Data != 0 {
		e.Error = posix.Result(posix.Errno(from.Data))
	}
}

// markOf returns the place of an event's mark: the word that the kernel returns unchanged.
func markOf(e *unix.Kevent_t) *uintptr { return (*uintptr)(unsafe.Pointer(&e.Udata)) }

func (q *kqueue) Traits() KqueueTraits {
	return KqueueTraits{Receipts: haveReceipt, Urgent: noteOOB != 0}
}

func (q *kqueue) Ends(fd int32) bool { return tellsEnd(fd) }

func (q *kqueue) Close() { unix.Close(q.fd) }

// The flags are the same numbers everywhere, or this does not compile.
var _ = [1]struct{}{}[(unix.EV_ADD^EvAdd)|(unix.EV_DELETE^EvDelete)|(unix.EV_CLEAR^EvClear)|(unix.EV_ERROR^EvError)|
	(unix.EV_EOF^EvEOF)]
