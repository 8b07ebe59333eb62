package poller

import (
	"fmt"
	"math"
	"os"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// kqueue is kqueue(2), of Darwin and the BSDs: what is looked at of a descriptor are filters, one for each direction,
// that are told with EV_CLEAR, once for each time that something comes. They are put in when a descriptor is added,
// and stay.
//
// # Changes
//
// A change is made at once and not with the next wait, since Add has to say whether a descriptor can be watched. To
// take out by the wait's list what is about to be closed would name numbers that are closed by then, or are somebody
// else's: each such wait would come back with an error.
//
// # Marks
//
// An event that was fetched may be of a descriptor that is closed by now, and whose number is taken again. Each Add
// gives its filters a mark, which comes back with their events; one of another mark is thrown away. NetBSD gives events
// without a mark (go#42515): those are of whoever has the number, which costs a try at most.
//
// # The end
//
// EV_EOF means that there is no more to come in the filter's direction, behind Data bytes that are still there: it is
// readiness, with PollRdhup where it is of the peer's making, and nothing more. It is not PollHup of a socket, since
// one's own shutdown looks the same, and no PollErr: the call that is tried then gives the error, as of a connection
// that was refused. A socket has it told by each of its filters. Pipes have not: that no reader is left is told to who
// would read on some systems, so it is readiness of both directions there, and PollHup to who reads.
type kqueue struct {
	q       sys.Kqueue
	traits  sys.KqueueTraits
	sides   []side // by descriptor
	mark    uint32 // the last that was given
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
	mark     uint32 // of its filters, 0: it is not in the set
	filters  uint8  // that are there, bits by KqFilter
	socket   bool
	at       int16  // its event in this Wait
	round    uint32 // the Wait that has an event of it
}

// filtersMax is how many filters a descriptor has, and events, of which one Event is made.
const filtersMax = 3

// waitMax is the longest that a kevent is asked to wait. Some systems refuse more (see netpoll_kqueue.go in Go's
// runtime).
const waitMax = 1e6 * 1e9

// OpenKqueue opens a kqueue, which is edge-triggered. The error is an *os.SyscallError.
func OpenKqueue([]string) (Poller, error) {
	q, res := sys.OpenKqueue(filtersMax, filtersMax*eventsMax)
	if res < 0 {
		return nil, os.NewSyscallError("kqueue", posix.Of(res))
	}
	return KqueueOn(q)
}

// KqueueOn makes a poller of a kqueue, which it closes in the end. It tries whether edges are told.
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
	kind, res := k.kind(fd) // the number may be of another file by now
	if res < 0 {
		return res
	}
	return k.watch(fd, kind, interest, key)
}

// Remove takes the filters out. That they are gone already, as of a descriptor that was closed, is no error.
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

// kind is what fd is. -EPERM: something that is always ready, which some kernels take and others fall over (go#19093),
// or of which the end would not be told.
func (k *kqueue) kind(fd int32) (kind, res int32) {
	switch kind = sys.FileType(fd); {
	case kind < 0:
		return 0, kind
	case kind == sys.SIfreg, kind == sys.SIfdir, kind == sys.SIfblk, kind == sys.SIfifo && !k.q.Ends(fd):
		return 0, -sys.EPERM
	}
	return kind, 0
}

// filtersOf are the filters that tell of an interest.
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

// watch puts in the filters of an interest. Of one that is there already what is ready is told again.
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
			s.filters &^= 1 << filter // not of this sort of descriptor
		default:
			k.change(fd, 0, want)
			*s = side{}
			return refused(res)
		}
	}
	return 0
}

// deadPipe reports whether a filter for writing was refused because no reader is left. A write says so, too, so it is
// ready. NetBSD says EBADF, which it can't be, as the descriptor was looked at before.
func deadPipe(kind, res int32) bool {
	return res == -sys.EPIPE || res == -sys.EBADF && kind == sys.SIfifo
}

// refused is the result of Add for what a filter was refused with. Devices that have no readiness are refused in many
// ways: /dev/null and /dev/tty with EINVAL on Darwin (libuv's src/unix/stream.c), others with ENODEV or EOPNOTSUPP, and
// with a number that only the system has in a sandbox (ENOTCAPABLE).
func refused(res int32) int32 {
	switch res {
	case -sys.EBADF, -sys.ENOMEM, -sys.ENOBUFS, -sys.EMFILE, -sys.ENFILE, -sys.ENOSPC:
		return res
	}
	return -sys.EPERM
}

// change puts filters in and takes others out, and gives for each what came of putting it in. What came of taking it
// out is of no interest: it may be gone.
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

// changeAll makes changes by one call, which says of each what came of it. After a signal they are made once more, as
// what it would have said is not known.
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

// changeEach makes changes where there are no receipts: all of them by one call, which stops at the first that fails,
// and then one by one.
func (k *kqueue) changeEach(changes []sys.Kevent, results *[filtersMax]int32) {
	if k.makeChanges(changes) >= 0 {
		return
	}
	for i := range changes {
		results[changes[i].Filter] = k.makeChanges(changes[i : i+1])
	}
}

// makeChanges makes changes without room for events, so that none is fetched. A signal comes when they are made.
func (k *kqueue) makeChanges(changes []sys.Kevent) int32 {
	res := k.q.Kevent(changes, nil, 0)
	if res == -sys.EINTR {
		return 0
	}
	return res
}

// Wait fetches until there is no more, or no room. Filters come in any order: as many as all those of so many
// descriptors may be of fewer, behind which more is ready.
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
		return -sys.EINTR // nothing of interest, and not the time that was asked for
	}
	return int32(n)
}

// fetch is kevent, whose time is over when it gives 0. Darwin may say that it is, with ETIMEDOUT, when it isn't
// (go#59679). A look that does not wait is made again.
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

// news is what an event says to who watches its descriptor.
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

// selfTest looks whether this kqueue does what everything here relies on: that what comes is told once, and again when
// more comes.
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

// looksMax is how often what it has told may be told once more, for nothing: an edge may come of anything.
const looksMax = 16

// look is a Wait that does not wait.
func (k *kqueue) look() int32 {
	var events [4]Event
	return k.Wait(0, events[:])
}
