//go:build linux

package kqueuetest

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/sys"
)

// filtersMax is the number of filters.
const filtersMax = 3

// masks lists what epoll watches for each filter. Epoll adds errors and hang-ups.
var masks = [filtersMax]uint32{
	sys.KqRead:   unix.EPOLLIN | unix.EPOLLRDHUP,
	sys.KqWrite:  unix.EPOLLOUT,
	sys.KqUrgent: unix.EPOLLPRI,
}

// waitMax is the longest wait that every kernel accepts.
const waitMax = 1e6 * int64(time.Second)

// Shim is the imitation of a kqueue. Set its exported fields before the first call.
type Shim struct {
	Has  sys.KqueueTraits
	Odds Oddities

	sets   [filtersMax]int
	knotes [filtersMax][]knote // by descriptor
	given  uint32              // how many knotes were made; the numbers tell events of earlier knotes apart
	first  int                 // which set is asked first; it changes with each scan
	got    [64]unix.EpollEvent
	calls  int
}

// Oddities are deviations of some systems. A number n means every n-th call in which the oddity is possible; 0 means
// never.
type Oddities struct {
	EINTR     int  // a signal comes after the changes were made, and before any event
	ETIMEDOUT int  // a wait fails with ETIMEDOUT, as it sometimes does on Darwin
	Spurious  int  // events without a cause, with marks of knotes that exist, with earlier marks and with none
	DeadPipe  bool // EBADF where other systems return EPIPE
	PipeRead  bool // a pipe without a reader is reported to a read filter on its writing end, and to no write filter
	DeafFIFO  bool // the end of a FIFO is not reported, and Ends returns false for FIFOs
	FullPipe  bool // a pipe that is full, and was full when it was last reported, counts as not read since
}

// knote is a filter on a descriptor.
type knote struct {
	file identity
	mark uint32
	id   uint32 // 0: there is no knote
	full bool   // it is on a pipe, which was full when it was last reported
}

// identity tells whether a number still stands for the same file.
type identity struct {
	dev, ino, rdev uint64
	flags          int
}

// New makes a shim with these traits. The int32 is a result: 0, or a negated errno.
func New(has sys.KqueueTraits, odds Oddities) (*Shim, int32) {
	s := &Shim{Has: has, Odds: odds}
	for i := range s.sets {
		fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			for _, open := range s.sets[:i] {
				unix.Close(open)
			}
			return nil, -int32(err.(unix.Errno))
		}
		s.sets[i] = fd
	}
	return s, 0
}

// Traits returns the traits that the shim was made with.
func (s *Shim) Traits() sys.KqueueTraits { return s.Has }

// Close closes the epoll instances.
func (s *Shim) Close() {
	for _, fd := range s.sets {
		unix.Close(fd)
	}
}

// Ends reports whether the system reports the end of fd: with DeafFIFO it does not for FIFOs with a name.
func (s *Shim) Ends(fd int32) bool { return !s.Odds.DeafFIFO || !named(fd) }

// named reports whether a FIFO has a name.
func named(fd int32) bool {
	var st unix.Statfs_t
	const pipefs = 0x50495045
	return unix.Fstatfs(int(fd), &st) == nil && st.Type != pipefs
}

// Kevent is kevent(2).
func (s *Shim) Kevent(changes, events []sys.Kevent, ns int64) int32 {
	s.calls++
	if ns > waitMax {
		return -sys.EINVAL
	}
	n := 0
	for _, c := range changes {
		res := s.apply(&c)
		if res == 0 && c.Flags&sys.EvReceipt == 0 {
			continue
		}
		if n < len(events) {
			events[n] = sys.Kevent{Fd: c.Fd, Filter: c.Filter, Flags: sys.EvError, Error: res, Mark: c.Mark}
			n++
		} else if res != 0 {
			return res
		}
	}
	switch {
	case every(s.calls, s.Odds.EINTR):
		return -sys.EINTR
	case n > 0 || len(events) == 0:
		return int32(n)
	case every(s.calls, s.Odds.ETIMEDOUT):
		return -sys.ETIMEDOUT
	}
	return s.wait(events, ns)
}

func every(calls, n int) bool { return n > 0 && calls%n == 0 }

// apply makes a change.
func (s *Shim) apply(c *sys.Kevent) int32 {
	if c.Flags&sys.EvReceipt != 0 && !s.Has.Receipts || c.Filter == sys.KqUrgent && !s.Has.Urgent {
		panic(fmt.Sprintf("kqueuetest: a change that this system does not know: %+v", *c))
	}
	file, kind, ok := identify(c.Fd)
	if !ok {
		return -sys.EBADF
	}
	k := s.at(c.Filter, c.Fd)
	if k.id != 0 && k.file != file {
		*k = knote{}
	}
	if c.Flags&sys.EvDelete != 0 {
		if k.id == 0 {
			return -sys.ENOENT
		}
		unix.EpollCtl(s.sets[c.Filter], unix.EPOLL_CTL_DEL, int(c.Fd), nil)
		*k = knote{}
		return 0
	}
	if res := s.refuse(c, kind); res < 0 {
		return res
	}
	if c.Flags&(sys.EvAdd|sys.EvClear) != sys.EvAdd|sys.EvClear {
		panic(fmt.Sprintf("kqueuetest: a change that the shim does not know: %+v", *c))
	}
	s.given++
	*k = knote{file: file, mark: c.Mark, id: s.given}
	if res := s.put(c, k); res < 0 {
		*k = knote{}
		return res
	}
	return 0
}

// refuse returns the error for a descriptor that the system can't watch.
func (s *Shim) refuse(c *sys.Kevent, kind uint32) int32 {
	switch {
	case kind == unix.S_IFREG, kind == unix.S_IFDIR, kind == unix.S_IFBLK:
		panic(fmt.Sprintf("kqueuetest: some kernels panic when a regular file is watched (fd %d): see go#19093", c.Fd))
	case kind != unix.S_IFSOCK && c.Filter == sys.KqUrgent:
		return -sys.EINVAL
	case kind == unix.S_IFIFO && c.Filter == sys.KqWrite && now(c.Fd, unix.POLLOUT)&unix.POLLERR != 0:
		if s.Odds.DeadPipe {
			return -sys.EBADF
		}
		return -sys.EPIPE
	}
	return 0
}

// put gives a knote to epoll.
func (s *Shim) put(c *sys.Kevent, k *knote) int32 {
	e := unix.EpollEvent{Events: masks[c.Filter] | unix.EPOLLET, Fd: c.Fd, Pad: int32(k.id)}
	err := unix.EpollCtl(s.sets[c.Filter], unix.EPOLL_CTL_MOD, int(c.Fd), &e)
	if err == unix.ENOENT {
		err = unix.EpollCtl(s.sets[c.Filter], unix.EPOLL_CTL_ADD, int(c.Fd), &e)
	}
	switch err {
	case nil:
		return 0
	case unix.EPERM: // a file without readiness, such as /dev/null
		return -sys.EINVAL
	}
	return -int32(err.(unix.Errno))
}

func (s *Shim) at(filter sys.KqFilter, fd int32) *knote {
	list := &s.knotes[filter]
	if n := int(fd) + 1 - len(*list); n > 0 {
		*list = slices.Grow(*list, max(n, len(*list)))[:int(fd)+1]
	}
	return &(*list)[fd]
}

func identify(fd int32) (id identity, kind uint32, ok bool) {
	var st unix.Stat_t
	if fd < 0 || unix.Fstat(int(fd), &st) != nil {
		return id, 0, false
	}
	flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	id = identity{dev: uint64(st.Dev), ino: st.Ino, rdev: uint64(st.Rdev), flags: flags & unix.O_ACCMODE}
	return id, st.Mode & unix.S_IFMT, true
}

// now is a poll(2) that does not wait.
func now(fd int32, mask int16) int16 {
	p := [1]unix.PollFd{{Fd: fd, Events: mask}}
	for {
		if _, err := unix.Poll(p[:], 0); err != unix.EINTR {
			return p[0].Revents
		}
	}
}

// wait returns events; it waits until there are some, or until the time is over.
func (s *Shim) wait(events []sys.Kevent, ns int64) int32 {
	end := time.Now().Add(time.Duration(ns))
	for {
		if n := s.scan(events); n > 0 {
			return int32(n)
		}
		var left *unix.Timespec
		if ns >= 0 {
			rest := max(time.Until(end), 0)
			if rest == 0 {
				return 0
			}
			ts := unix.NsecToTimespec(int64(rest))
			left = &ts
		}
		var p [filtersMax]unix.PollFd
		for i, fd := range s.sets {
			p[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		}
		if _, err := unix.Ppoll(p[:], left, nil); err != nil {
			return -int32(err.(unix.Errno))
		}
	}
}

// scan collects what has happened, one filter after the other.
func (s *Shim) scan(events []sys.Kevent) (n int) {
	if every(s.calls, s.Odds.Spurious) {
		n = s.invent(events)
	}
	s.first++
	for i := range s.sets {
		filter := sys.KqFilter((s.first + i) % filtersMax)
		for n < len(events) {
			room := s.got[:min(len(s.got), len(events)-n)]
			got, _ := unix.EpollWait(s.sets[filter], room, 0)
			for j := range max(got, 0) {
				if e, ok := s.event(filter, &room[j]); ok {
					events[n] = e
					n++
				}
			}
			if got < len(room) {
				break
			}
		}
	}
	return n
}

// event returns kqueue's event for one of epoll's, if the knote still exists.
func (s *Shim) event(filter sys.KqFilter, got *unix.EpollEvent) (e sys.Kevent, ok bool) {
	k := s.at(filter, got.Fd)
	file, kind, ok := identify(got.Fd)
	if !ok || k.id != uint32(got.Pad) || k.file != file {
		return e, false
	}
	e = sys.Kevent{Fd: got.Fd, Filter: filter, Mark: k.mark, Flags: sys.EvClear}
	over := got.Events&(unix.EPOLLHUP|unix.EPOLLERR) != 0
	switch filter {
	case sys.KqRead:
		if over || got.Events&unix.EPOLLRDHUP != 0 {
			e.Flags |= sys.EvEOF
		}
		if n, err := unix.IoctlGetInt(int(got.Fd), unix.TIOCINQ); err == nil {
			e.Data = int64(n)
		}
		if s.Odds.FullPipe && kind == unix.S_IFIFO && e.Flags&sys.EvEOF == 0 {
			if was := k.full; setFull(k, &e) && was {
				return e, false // Linux also reports a write for which there was no room
			}
		}
		if s.Odds.DeafFIFO && kind == unix.S_IFIFO && named(got.Fd) && e.Data == 0 {
			return e, false
		}
	case sys.KqWrite:
		if s.Odds.PipeRead && kind == unix.S_IFIFO && over {
			return e, false
		}
		if over || kind == unix.S_IFSOCK && shut(got.Fd) {
			e.Flags |= sys.EvEOF
		}
	case sys.KqUrgent:
		return e, got.Events&unix.EPOLLPRI != 0
	}
	return e, true
}

// setFull records and returns whether a pipe is full.
func setFull(k *knote, e *sys.Kevent) bool {
	room, err := unix.FcntlInt(uintptr(e.Fd), unix.F_GETPIPE_SZ, 0)
	k.full = err == nil && e.Data >= int64(room)
	return k.full
}

// shut reports whether the program has ended a stream's output. It finds out by a send of no bytes, which has no other
// effect.
func shut(fd int32) bool {
	kind, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_STREAM {
		return false
	}
	return unix.Send(int(fd), nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL) == unix.EPIPE
}

// invent makes events without a cause: one with the mark of a knote, one with an earlier mark, and one without a mark,
// as if the kernel had forgotten it.
func (s *Shim) invent(events []sys.Kevent) (n int) {
	marks := [...]func(mark uint32) uint32{
		func(mark uint32) uint32 { return mark },
		func(mark uint32) uint32 { return mark - 1 },
		func(mark uint32) uint32 { return 0 },
	}
	for filter := range sys.KqFilter(filtersMax) {
		for fd := range s.knotes[filter] {
			k := &s.knotes[filter][fd]
			if k.id == 0 || n == len(events) || n == len(marks) {
				continue
			}
			if file, _, ok := identify(int32(fd)); ok && file == k.file {
				events[n] = sys.Kevent{Fd: int32(fd), Filter: filter, Flags: sys.EvClear, Mark: marks[n](k.mark)}
				n++
			}
		}
	}
	return n
}
