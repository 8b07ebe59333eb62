//go:build linux

package soft

import (
	"syscall"
	"testing"

	"ringo/internal/op"
	"ringo/internal/poller"
	"ringo/internal/sys"
)

// spy notes what a poller is told.
type spy struct {
	poller.Poller
	watched map[int32]uint32 // interest by descriptor
}

func (s *spy) Add(fd int32, interest uint32, key uint64) int32 {
	res := s.Poller.Add(fd, interest, key)
	if res == 0 {
		s.watched[fd] = interest
	}
	return res
}

func (s *spy) Modify(fd int32, interest uint32, key uint64) int32 {
	s.watched[fd] = interest
	return s.Poller.Modify(fd, interest, key)
}

func (s *spy) Remove(fd int32) int32 {
	delete(s.watched, fd)
	return s.Poller.Remove(fd)
}

func newSpy(t *testing.T, mk maker) (*rig, *spy) {
	s := &spy{watched: map[int32]uint32{}}
	r := newRigOn(t, func(without []string) (p poller.Poller, err error) {
		s.Poller, err = mk(without)
		return s, err
	})
	return r, s
}

// eachLevel runs a test on each level-triggered poller.
func eachLevel(t *testing.T, f func(t *testing.T, mk maker)) {
	for name, mk := range makers {
		if levelTriggered[name] {
			t.Run(name, func(t *testing.T) { f(t, mk) })
		}
	}
}

// A level-triggered poller is told of a descriptor for as long as somebody waits.
func TestLevelInterest(t *testing.T) {
	eachLevel(t, func(t *testing.T, mk maker) {
		r, s := newSpy(t, mk)
		ours, peer := r.tcp()
		o := r.recv(ours, 16)
		if len(s.watched) != 1 { // the eventfd
			t.Fatalf("%d descriptors are watched before anybody waits, want 1", len(s.watched))
		}
		r.quiet()
		if got := s.watched[ours.Sys()]; got != sys.PollIn {
			t.Errorf("the descriptor of a receive is watched for %#x, want %#x", got, sys.PollIn)
		}
		r.send(peer, "x")
		if n := r.last(o); n != 1 {
			t.Fatalf("received %d, want 1", n)
		}
		if len(s.watched) != 1 {
			t.Errorf("%d descriptors are watched when nobody waits any more, want 1", len(s.watched))
		}
		watch := r.watch(ours)
		r.quiet()
		r.send(peer, "y")
		if mask := r.last(watch); mask != sys.PollIn { // the last: it would be told the same for ever
			t.Errorf("the watcher was told %#x, want %#x", mask, sys.PollIn)
		}
		r.quiet()
		r.cancel(r.submit(op.Poll, ours, func(o *op.Op) { o.Events = sys.PollPri }), -sys.ECANCELED)
		if len(s.watched) != 1 {
			t.Errorf("%d descriptors are watched after a cancel, want 1", len(s.watched))
		}
	})
}

// An urgent byte is there until somebody takes it out of line, which nobody does.
// One byte of a stranger must not keep the loop awake for the connection's life.
func TestUrgentByteIsToldOnce(t *testing.T) {
	eachLevel(t, func(t *testing.T, mk maker) {
		r := newRigOn(t, mk)
		ours, peer := r.tcp()
		watch := func() *op.Op {
			return r.submit(op.Poll, ours, func(o *op.Op) { o.Events, o.Flags = sys.PollIn|sys.PollPri, op.Multishot })
		}
		o := watch()
		r.quiet()
		if err := syscall.Sendto(int(peer.Sys()), []byte("!"), syscall.MSG_OOB, nil); err != nil {
			t.Fatal(err)
		}
		if mask := r.last(o); mask&sys.PollPri == 0 {
			t.Fatalf("the watcher was told %#x, want %#x", mask, sys.PollPri)
		}
		sys.Recv(ours.Sys(), make([]byte, 8), 0)
		o = watch()
		r.quiet()
		r.send(peer, "data")
		if mask := r.last(o); mask&sys.PollIn == 0 {
			t.Errorf("the watcher was told %#x, want %#x", mask, sys.PollIn)
		}
	})
}
