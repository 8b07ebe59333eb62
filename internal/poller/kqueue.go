package poller

import (
	"fmt"
	"math"
	"os"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// kqueue is kqueue(2), of Darwin and the BSDs. A descriptor has filters, one for each direction, that report with
// EV_CLEAR: once each time that something comes. Add puts them in, and they stay.
//
// # Changes
//
// Changes are made at once and not with the next wait, because Add has to report whether a descriptor can be watched.
// And if the wait's list removed a descriptor that is about to be closed, its number would be closed or reused by
// then: each such wait would return an error.
//
// # Marks
//
// An event that was fetched may be of a descriptor that has been closed and whose number was reused. Each Add gives
// its filters a mark, which comes back with their events; events with another mark are dropped. NetBSD returns events
// without a mark (go#42515): those count for whatever has the number, which at worst costs a futile call.
//
// # The end
//
// EV_EOF means that no more will come in the filter's direction, behind Data bytes that are still there. It is
// reported as readiness, with PollRdhup if the peer has caused it. For a socket it is not PollHup, because the
// process's own shutdown looks the same, and it is never PollErr: the call that is then tried returns the error, as of
// a connection that was refused. Each filter of a socket reports its end. Pipes are different: on some systems only
// the filter for reading reports that no reader is left. So the end of a pipe is readiness of both directions, and
// PollHup if the filter for reading reports it.
type kqueue struct {
	q       sys.Kqueue
	traits  sys.KqueueTraits
	sides   []side // indexed by descriptor
	mark    uint32 // the last mark that was given
	round   uint32 // the number of this Wait
	pending []sys.Kevent
	fetched [filtersMax * eventsMax]sys.Kevent

	changes  [filtersMax]sys.Kevent
	receipts [filtersMax]sys.Kevent
}

// side is what is known of a descriptor.
type side struct {
	key      uint64
	interest uint32
	mark     uint32 // of its filters; 0: the descriptor is not in the set
	filters  uint8  // the filters that are in, a bit each by KqFilter
	socket   bool
	at       int16  // the index of its event in this Wait
	round    uint32 // the Wait in which it has an event
}

// filtersMax is the number of filters that a descriptor may have, whose events become one Event.
const filtersMax = 3

// waitMax is the longest time, in nanoseconds, that a kevent is asked to wait. Some systems refuse more (see
// netpoll_kqueue.go in Go's runtime).
const waitMax = 1e6 * 1e9

// OpenKqueue opens a kqueue, which is edge-triggered. The error is an *os.SyscallError.
func OpenKqueue([]string) (Poller, error) {
	q, res := sys.OpenKqueue(filtersMax, filtersMax*eventsMax)
	if res < 0 {
		return nil, os.NewSyscallError("kqueue", posix.Of(res))
	}
	return KqueueOn(q)
}

// KqueueOn makes a poller of a kqueue, which Close closes. It tests that the kqueue reports edges.
func KqueueOn(q sys.Kqueue) (Poller, error) {
	k := &kqueue{q: q, traits: q.Traits()}
	if err := k.selfTest(); err != nil {
		q.Close()
		return nil, err
	}
	return k, nil
}

func (k *kqueue) Name() string        { return "kqueue" }
func (k *kqueue) EdgeTriggered() bool { return true }
func (k *kqueue) Bound() int32        { return math.MaxInt32 }

func (k *kqueue) Features() []string {
	list := []string{"edge-triggered"}
	if k.traits.Receipts {
		list = append(list, "receipts")
	}
	if k.traits.Urgent {
		list = append(list, "urgent data")
	}
	return list
}

func (k *kqueue) Add(fd int32, interest uint32, key uint64) int32 {
	kind, res := k.kind(fd)
	if res < 0 {
		return res
	}
	k.room(fd)
	if k.sides[fd].mark != 0 {
		return -sys.EEXIST
	}
	return k.watch(fd, kind, interest, key)
}

func (k *kqueue) Modify(fd int32, interest uint32, key uint64) int32 {
	if !k.has(fd) {
		return -sys.ENOENT
	}
	kind, res := k.kind(fd) // the number may have been reused
	if res < 0 {
		return res
	}
	return k.watch(fd, kind, interest, key)
}

// Remove removes the filters. It is no error if they are gone already, because the descriptor was closed.
func (k *kqueue) Remove(fd int32) int32 {
	if !k.has(fd) {
		return -sys.ENOENT
	}
	s := &k.sides[fd]
	k.change(fd, 0, s.filters)
	*s = side{}
	return 0
}

func (k *kqueue) has(fd int32) bool { return uint(fd) < uint(len(k.sides)) && k.sides[fd].mark != 0 }

func (k *kqueue) room(fd int32) {
	if n := int(fd) + 1 - len(k.sides); n > 0 {
		k.sides = append(k.sides, make([]side, max(n, len(k.sides), 64))...)
	}
}

// kind returns the file type of fd. It returns -EPERM for a descriptor that is always ready, which some kernels accept
// and others fail on (go#19093), and for a FIFO whose end would not be reported.
func (k *kqueue) kind(fd int32) (kind, res int32) {
	switch kind = sys.FileType(fd); {
	case kind < 0:
		return 0, kind
	case kind == sys.SIfreg, kind == sys.SIfdir, kind == sys.SIfblk, kind == sys.SIfifo && !k.q.Ends(fd):
		return 0, -sys.EPERM
	}
	return kind, 0
}

// filtersOf returns the filters for an interest.
func (k *kqueue) filtersOf(interest uint32) (filters uint8) {
	if interest&(sys.PollIn|sys.PollRdhup) != 0 || interest&sys.PollPri != 0 && !k.traits.Urgent {
		filters |= 1 << sys.KqRead
	}
	if interest&sys.PollOut != 0 {
		filters |= 1 << sys.KqWrite
	}
	if interest&sys.PollPri != 0 && k.traits.Urgent {
		filters |= 1 << sys.KqUrgent
	}
	return filters
}

// watch puts in the filters for an interest. A filter that is in already reports again what is ready.
func (k *kqueue) watch(fd, kind int32, interest uint32, key uint64) int32 {
	s := &k.sides[fd]
	k.mark = max(k.mark+1, 1)
	want := k.filtersOf(interest)
	old := s.filters
	*s = side{key: key, interest: interest, mark: k.mark, filters: want, socket: kind == sys.SIfsock}
	for i, res := range k.change(fd, want, old&^want) {
		filter := sys.KqFilter(i)
		switch {
		case res >= 0:
		case filter == sys.KqWrite && deadPipe(kind, res):
			s.filters &^= 1 << filter
			k.pending = append(k.pending, sys.Kevent{Fd: fd, Filter: filter, Flags: sys.EvEOF, Mark: s.mark})
		case filter == sys.KqUrgent:
			s.filters &^= 1 << filter // this sort of descriptor does not have it
		default:
			k.change(fd, 0, want)
			*s = side{}
			return refused(res)
		}
	}
	return 0
}

// deadPipe reports whether a filter for writing was refused because no reader is left. A write would fail with that,
// so the descriptor counts as ready. NetBSD says EBADF, which can't be literally true, as the descriptor was just
// examined.
func deadPipe(kind, res int32) bool {
	return res == -sys.EPIPE || res == -sys.EBADF && kind == sys.SIfifo
}

// refused returns Add's result for the errno with which a filter was refused. Devices without readiness are refused in
// many ways: /dev/null and /dev/tty with EINVAL on Darwin (libuv's src/unix/stream.c), others with ENODEV or
// EOPNOTSUPP, and in a sandbox with a system's own number (ENOTCAPABLE).
func refused(res int32) int32 {
	switch res {
	case -sys.EBADF, -sys.ENOMEM, -sys.ENOBUFS, -sys.EMFILE, -sys.ENFILE, -sys.ENOSPC:
		return res
	}
	return -sys.EPERM
}

// change puts filters in and takes others out. It returns the results of putting in; the results of taking out don't
// matter, because those filters may be gone.
func (k *kqueue) change(fd int32, in, out uint8) (results [filtersMax]int32) {
	n := 0
	for f := range sys.KqFilter(filtersMax) {
		flags := uint16(sys.EvAdd | sys.EvClear)
		switch {
		case in&(1<<f) != 0:
		case out&(1<<f) != 0:
			flags = sys.EvDelete
		default:
			continue
		}
		if k.traits.Receipts {
			flags |= sys.EvReceipt
		}
		k.changes[n] = sys.Kevent{Fd: fd, Filter: f, Flags: flags, Mark: k.mark}
		n++
	}
	switch {
	case n == 0:
	case k.traits.Receipts:
		k.changeAll(k.changes[:n], &results)
	default:
		k.changeEach(k.changes[:n], &results)
	}
	for f := range results {
		if in&(1<<f) == 0 {
			results[f] = 0
		}
	}
	return results
}

// changeAll makes changes by one call, which returns a result for each. After a signal it makes them again, because
// the results are lost.
func (k *kqueue) changeAll(changes []sys.Kevent, results *[filtersMax]int32) {
	n := int32(-sys.EINTR)
	for n == -sys.EINTR {
		n = k.q.Kevent(changes, k.receipts[:len(changes)], 0)
	}
	for i := range changes {
		results[changes[i].Filter] = min(n, 0)
	}
	for i := range max(n, 0) {
		if e := &k.receipts[i]; e.Flags&sys.EvError != 0 && e.Filter < filtersMax {
			results[e.Filter] = e.Error
		}
	}
}

// changeEach makes changes without receipts: all by one call, and if one fails, at which the call stops, one by one.
func (k *kqueue) changeEach(changes []sys.Kevent, results *[filtersMax]int32) {
	if k.makeChanges(changes) >= 0 {
		return
	}
	for i := range changes {
		results[changes[i].Filter] = k.makeChanges(changes[i : i+1])
	}
}

// makeChanges makes changes without room for events, so that none is fetched. EINTR comes only after they are made.
func (k *kqueue) makeChanges(changes []sys.Kevent) int32 {
	res := k.q.Kevent(changes, nil, 0)
	if res == -sys.EINTR {
		return 0
	}
	return res
}

// Wait fetches until nothing more is ready, or there is no more room. Events of filters come in any order: even if
// they fill the room for all filters of so many descriptors, they may be of fewer descriptors, and more may be ready.
func (k *kqueue) Wait(timeoutNS int64, events []Event) int32 {
	n, more := 0, true
	k.round++
	for timeout := timeoutNS; ; timeout = 0 {
		if len(k.pending) == 0 {
			room := k.fetched[:min(filtersMax*len(events), len(k.fetched))]
			got := k.fetch(timeout, room)
			if got <= 0 && n == 0 && timeout == timeoutNS {
				return got
			}
			k.pending, more = room[:max(got, 0)], int(got) == len(room)
		}
		if n = k.report(events, n); len(k.pending) > 0 || !more {
			break
		}
	}
	if n == 0 && timeoutNS != 0 {
		return -sys.EINTR // nothing of interest came, and the timeout has not passed
	}
	return int32(n)
}

// fetch calls kevent; 0 means that the time has passed. Darwin may return ETIMEDOUT although it has not (go#59679). A
// fetch that does not wait is repeated after EINTR.
func (k *kqueue) fetch(timeoutNS int64, events []sys.Kevent) int32 {
	for {
		n := k.q.Kevent(nil, events, min(timeoutNS, waitMax))
		if n == -sys.ETIMEDOUT || n == 0 && timeoutNS > waitMax {
			n = -sys.EINTR
		}
		if n != -sys.EINTR || timeoutNS != 0 {
			return n
		}
	}
}

// report makes Events of what was fetched, behind the first n: one for each descriptor, as far as there is room.
func (k *kqueue) report(events []Event, n int) int {
	for len(k.pending) > 0 {
		e := &k.pending[0]
		s, ready := k.news(e)
		switch {
		case ready == 0:
		case s.round == k.round:
			events[s.at].Ready |= ready
		case n == len(events):
			return n
		default:
			s.round, s.at = k.round, int16(n)
			events[n] = Event{Key: s.key, Ready: ready}
			n++
		}
		k.pending = k.pending[1:]
	}
	return n
}

// news returns the side of an event's descriptor, and what the event means as a poll mask; 0 for nothing of interest.
func (k *kqueue) news(e *sys.Kevent) (s *side, ready uint32) {
	if !k.has(e.Fd) {
		return nil, 0
	}
	s = &k.sides[e.Fd]
	if e.Mark != 0 && e.Mark != s.mark {
		return nil, 0
	}
	end := e.Flags&sys.EvEOF != 0
	switch e.Filter {
	case sys.KqRead:
		ready = sys.PollIn
		if end {
			ready |= sys.PollRdhup
		}
		if s.interest&sys.PollPri != 0 && s.socket && !k.traits.Urgent {
			ready |= uint32(max(sys.Poll(e.Fd, sys.PollPri), 0)) & sys.PollPri
		}
	case sys.KqWrite:
		ready = sys.PollOut
	case sys.KqUrgent:
		ready = sys.PollPri
	}
	if end && !s.socket {
		ready |= sys.PollIn | sys.PollOut
		if e.Filter == sys.KqRead {
			ready |= sys.PollHup
		}
	}
	return s, ready & (s.interest | sys.PollHup)
}

func (k *kqueue) Close() {
	if k.q == nil {
		panic(fmt.Sprintf("poller: kqueue closed twice (%d marks given)", k.mark))
	}
	k.q.Close()
	k.q = nil
}

// selfTest checks that this kqueue does what the code here relies on: it reports news once, and again when more comes.
func (k *kqueue) selfTest() error {
	w, res := sys.NewWaker()
	if res < 0 {
		return os.NewSyscallError(sys.WakerCall, posix.Of(res))
	}
	defer w.Close()
	if res := k.Add(w.In, sys.PollIn, 1); res < 0 {
		return os.NewSyscallError("kevent", posix.Of(res))
	}
	defer k.Remove(w.In)
	for range 2 {
		w.Signal()
		switch n := k.look(); {
		case n < 0:
			return os.NewSyscallError("kevent", posix.Of(n))
		case n == 0:
			return os.NewSyscallError("self-test of kqueue, which tells nothing of a pipe that can be read", posix.EIO)
		}
		looks := 0
		for k.look() > 0 {
			if looks++; looks > looksMax {
				return os.NewSyscallError("self-test of kqueue, which tells all the time what it has told", posix.EIO)
			}
		}
	}
	return nil
}

// looksMax bounds repeated reports without news in the self-test: an edge may come without a cause.
const looksMax = 16

// look is a Wait that does not wait.
func (k *kqueue) look() int32 {
	var events [4]Event
	return k.Wait(0, events[:])
}
