//go:build linux

package soft

import (
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/op"
	"ringo/internal/poller"
	"ringo/internal/sys"
)

// level is the plainest level-triggered poller, by ppoll(2). It is here so that
// the half of the driver that serves such pollers meets the contract too.
type level struct {
	fds   []unix.PollFd
	keys  []uint64
	index map[int32]int
}

func openLevel([]string) (poller.Poller, error) { return &level{index: map[int32]int{}}, nil }

func (l *level) Name() string        { return "level" }
func (l *level) Features() []string  { return nil }
func (l *level) EdgeTriggered() bool { return false }
func (l *level) Close()              {}

func (l *level) Add(fd int32, interest uint32, key uint64) int32 {
	switch _, in := l.index[fd]; {
	case in:
		return -sys.EEXIST
	case sys.IsRegular(fd):
		return -sys.EPERM
	case sys.Poll(fd, 0)&sys.PollNval != 0:
		return -sys.EBADF
	}
	l.index[fd] = len(l.fds)
	l.fds = append(l.fds, unix.PollFd{Fd: fd, Events: int16(interest)})
	l.keys = append(l.keys, key)
	return 0
}

func (l *level) Modify(fd int32, interest uint32, key uint64) int32 {
	i, in := l.index[fd]
	if !in {
		return -sys.ENOENT
	}
	l.fds[i].Events, l.keys[i] = int16(interest), key
	return 0
}

func (l *level) Remove(fd int32) int32 {
	i, in := l.index[fd]
	if !in {
		return -sys.ENOENT
	}
	delete(l.index, fd)
	last := len(l.fds) - 1
	if i != last {
		l.fds[i], l.keys[i] = l.fds[last], l.keys[last]
		l.index[l.fds[i].Fd] = i
	}
	l.fds, l.keys = l.fds[:last], l.keys[:last]
	return 0
}

func (l *level) Wait(timeoutNS int64, events []poller.Event) int32 {
	var limit *unix.Timespec
	if timeoutNS >= 0 {
		ts := unix.NsecToTimespec(timeoutNS)
		limit = &ts
	}
	if _, err := unix.Ppoll(l.fds, limit, nil); err != nil {
		return -int32(err.(unix.Errno))
	}
	n := 0
	for i, p := range l.fds {
		if p.Revents != 0 && n < len(events) {
			events[n] = poller.Event{Key: l.keys[i], Ready: uint32(uint16(p.Revents))}
			n++
		}
	}
	return int32(n)
}

// A level-triggered poller is told of a descriptor for as long as somebody waits.
func TestLevelInterest(t *testing.T) {
	r := newRigOn(t, openLevel)
	l := r.d.p.(*level)
	ours, peer := r.tcp()
	o := r.recv(ours, 16)
	if len(l.fds) != 1 { // the eventfd
		t.Fatalf("%d descriptors are watched before anybody waits, want 1", len(l.fds))
	}
	r.quiet()
	if i, in := l.index[ours.Sys()]; !in || l.fds[i].Events&unix.POLLIN == 0 || l.fds[i].Events&unix.POLLOUT != 0 {
		t.Errorf("the descriptor of a receive is watched as %+v", l.fds)
	}
	r.send(peer, "x")
	if n := r.last(o); n != 1 {
		t.Fatalf("received %d, want 1", n)
	}
	if len(l.fds) != 1 {
		t.Errorf("%d descriptors are watched when nobody waits any more, want 1", len(l.fds))
	}
	watch := r.watch(ours)
	r.quiet()
	r.send(peer, "y")
	if mask := r.last(watch); mask != sys.PollIn { // the last: it would be told the same for ever
		t.Errorf("the watcher was told %#x, want %#x", mask, sys.PollIn)
	}
	r.quiet()
	r.cancel(r.submit(op.Poll, ours, func(o *op.Op) { o.Arg = sys.PollPri }), -sys.ECANCELED)
	if len(l.fds) != 1 {
		t.Errorf("%d descriptors are watched after a cancel, want 1", len(l.fds))
	}
}
