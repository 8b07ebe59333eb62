package poller

import (
	"math/bits"
	"os"
	"slices"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// selector is select(2): three sets of bits, indexed by descriptor, that the kernel walks at each Wait and returns its
// answer in.
//
// It tells less than a poll mask: readable may mean data, the stream's end or an error. So a poll(2) that doesn't wait
// asks for the masks of descriptors that are ready. If that call is forbidden, readable becomes PollIn and writable
// PollOut, and the op finds out the rest when it is tried.
//
// A half-close or a hang-up shows as readable only. Watching for one of them, but not for data, would therefore report
// data again and again. Such descriptors are muted: they are asked for their mask every now and then instead.
type selector struct {
	in, out, except sys.FDSet // what ops wait for
	got             [3]sys.FDSet
	watched         sys.FDSet // all that are in the set
	interest        [sys.FDSetSize]uint32
	keys            [sys.FDSetSize]uint64
	muted           sys.FDSet
	mutes           int

	n     int32 // one more than the highest descriptor in the set
	next  int32 // where gather starts, so that no descriptor is always last
	ready []sys.PollFd
	masks bool // poll(2) may be called
}

// unmutePause is how long, in nanoseconds, a hang-up may go unnoticed on a descriptor that has unread data which no op
// waits for.
const unmutePause = 10e6

// OpenSelect opens a set that select(2) watches, which is level-triggered. The time that its Wait takes is
// proportional to the highest descriptor in the set, and descriptors must be below FD_SETSIZE. without names features
// not to use: "ppoll". The error is an *os.SyscallError.
func OpenSelect(without []string) (Poller, error) {
	if res := sys.SelectNow(0, nil, nil, nil); res < 0 {
		return nil, os.NewSyscallError("pselect6", posix.Of(res))
	}
	return &selector{
		masks: !slices.Contains(without, "ppoll") && sys.PpollNow(nil) == 0,
		ready: make([]sys.PollFd, 0, sys.FDSetSize),
	}, nil
}

func (s *selector) Name() string        { return "select" }
func (s *selector) EdgeTriggered() bool { return false }
func (s *selector) Bound() int32        { return sys.FDSetSize }

func (s *selector) Features() []string {
	if s.masks {
		return []string{"level-triggered", "ppoll"}
	}
	return []string{"level-triggered"}
}

func (s *selector) Add(fd int32, interest uint32, key uint64) int32 {
	switch {
	case fd >= sys.FDSetSize && sys.IsOpen(fd):
		return -sys.EMFILE
	case fd < 0 || fd >= sys.FDSetSize:
		return -sys.EBADF
	case s.watched.Has(fd):
		return -sys.EEXIST
	}
	s.watched.Set(fd)
	s.n = max(s.n, fd+1)
	s.watch(fd, interest, key)
	return 0
}

func (s *selector) Modify(fd int32, interest uint32, key uint64) int32 {
	if !s.has(fd) {
		return -sys.ENOENT
	}
	s.forget(fd)
	s.watch(fd, interest, key)
	return 0
}

func (s *selector) Remove(fd int32) int32 {
	if !s.has(fd) {
		return -sys.ENOENT
	}
	s.forget(fd)
	s.watched.Clear(fd)
	for s.n > 0 && !s.watched.Has(s.n-1) {
		s.n--
	}
	return 0
}

func (s *selector) has(fd int32) bool { return uint32(fd) < sys.FDSetSize && s.watched.Has(fd) }

// readable is the masks that show as readable; hungUp is those among them that are not data.
const (
	readable = sys.PollIn | hungUp
	hungUp   = sys.PollRdhup | sys.PollHup
)

func (s *selector) watch(fd int32, interest uint32, key uint64) {
	if interest |= sys.PollErr; interest&sys.PollIn == 0 && interest&readable != 0 {
		interest |= Why // otherwise data would look like what is waited for
	}
	s.interest[fd], s.keys[fd] = interest, key
	if interest&sys.PollIn != 0 || interest&readable != 0 && s.masks {
		s.in.Set(fd)
	}
	if interest&sys.PollOut != 0 {
		s.out.Set(fd)
	}
	if interest&sys.PollPri != 0 {
		s.except.Set(fd)
	}
}

func (s *selector) forget(fd int32) {
	s.in.Clear(fd)
	s.out.Clear(fd)
	s.except.Clear(fd)
	s.unmute(fd)
}

func (s *selector) mute(fd int32) {
	s.in.Clear(fd)
	s.muted.Set(fd)
	s.mutes++
}

func (s *selector) unmute(fd int32) {
	if s.muted.Has(fd) {
		s.muted.Clear(fd)
		s.mutes--
	}
}

func (s *selector) Wait(timeoutNS int64, events []Event) int32 {
	cut := s.mutes > 0 && (timeoutNS < 0 || timeoutNS > unmutePause)
	if cut {
		timeoutNS = unmutePause
	}
	s.got = [3]sys.FDSet{s.in, s.out, s.except}
	var n int32
	if timeoutNS == 0 {
		n = sys.SelectNow(int(s.n), &s.got[0], &s.got[1], &s.got[2])
	} else {
		n = sys.Select(int(s.n), &s.got[0], &s.got[1], &s.got[2], timeoutNS)
	}
	switch {
	case n == -sys.EBADF:
		return s.closed(events)
	case n < 0 || n == 0 && s.mutes == 0:
		return n
	}
	over := !cut && (n == 0 || timeoutNS == 0)
	s.gather()
	if n = s.report(events); n == 0 && !over {
		return -sys.EINTR
	}
	return n
}

// gather lists what is ready or muted, from next on, with masks: those of the sets, or if an interest has Why, those
// of a ppoll.
func (s *selector) gather() {
	const size = bits.UintSize
	s.ready = s.ready[:0]
	words := (int(s.n) + size - 1) / size
	if s.next >= s.n {
		s.next = 0
	}
	first, before := int(s.next)/size, uint(1)<<(s.next%size)-1
	why := uint32(0)
	for i := range words + 1 { // the first word comes again last, for the bits before next
		w := (first + i) % words
		left := s.got[0][w] | s.got[1][w] | s.got[2][w] | s.muted[w]
		if i == 0 {
			left &^= before
		} else if i == words {
			left &= before
		}
		for ; left != 0; left &= left - 1 {
			fd := int32(w*size + bits.TrailingZeros(left))
			why |= s.interest[fd]
			s.ready = append(s.ready,
				sys.PollFd{Fd: fd, Events: int16(s.interest[fd] | sys.PollIn), Revents: s.guess(fd)})
		}
	}
	if s.masks && why&Why != 0 {
		sys.PpollNow(s.ready)
	}
}

// guess returns a mask of what the sets say of a descriptor.
func (s *selector) guess(fd int32) (mask int16) {
	for i, bit := range [...]int16{sys.PollIn, sys.PollOut, sys.PollPri} {
		if s.got[i].Has(fd) {
			mask |= bit
		}
	}
	return mask
}

// report puts what was gathered into events. Descriptors that find no room are still ready at the next Wait, and come
// first then.
func (s *selector) report(events []Event) int32 {
	n := 0
	for _, p := range s.ready {
		got := uint32(uint16(p.Revents))
		data := got&sys.PollIn != 0
		if s.muted.Has(p.Fd) && !data {
			s.unmute(p.Fd)
			s.in.Set(p.Fd)
		}
		if got &= s.interest[p.Fd] | sys.PollHup | sys.PollNval; got == 0 {
			if data && s.in.Has(p.Fd) {
				s.mute(p.Fd)
			}
			continue
		}
		if n == len(events) {
			s.next = p.Fd
			return int32(n)
		}
		events[n] = Event{Key: s.keys[p.Fd], Ready: got}
		n++
	}
	s.next = 0
	return int32(n)
}

// closed reports the descriptors that were closed while they were in the set: the kernel says only that there are
// some.
func (s *selector) closed(events []Event) int32 {
	n := 0
	for fd := range s.n {
		if s.watched.Has(fd) && !sys.IsOpen(fd) && n < len(events) {
			events[n] = Event{Key: s.keys[fd], Ready: sys.PollNval}
			n++
		}
	}
	return int32(n)
}

// Close leaves nothing behind: the kernel knows of this set only while it waits.
func (s *selector) Close() { *s = selector{} }
