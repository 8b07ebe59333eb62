//go:build linux

package soft

import (
	"syscall"
	"testing"

	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/poller"
	"ringo/internal/sys"
)

func (r *rig) watch(f *fd.FD) *op.Op {
	return r.submit(op.Poll, f, func(o *op.Op) { o.Events, o.Flags = sys.PollIn, op.Multishot })
}

// The kernel's set knows the file, which a duplicate keeps open after close(2).
func TestClosedWhileDuplicated(t *testing.T) {
	r := newRig(t)
	ours, peer := r.tcp()
	o := r.watch(ours)
	r.quiet()
	dup, err := syscall.Dup(int(ours.Sys()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(dup)
	r.cancel(o, -sys.ECANCELED)
	r.closeFD(ours)
	if r.d.regs.used != 0 {
		t.Errorf("%d registrations after the close, want 0", r.d.regs.used)
	}
	r.send(peer, "to the duplicate")
	if n := r.d.p.Wait(0, r.d.events[:]); n != 0 {
		t.Errorf("%d events of a descriptor that was closed, want 0", n)
	}
}

// scripted is a poller that also reports what a test tells it to.
type scripted struct {
	poller.Poller
	extra  []poller.Event
	fails  []int32
	refuse int32 // what Add answers, if not 0
}

func (s *scripted) Add(fd int32, interest uint32, key uint64) int32 {
	if s.refuse != 0 {
		return s.refuse
	}
	return s.Poller.Add(fd, interest, key)
}

func (s *scripted) Wait(timeoutNS int64, events []poller.Event) int32 {
	if len(s.fails) > 0 {
		res := s.fails[0]
		s.fails = s.fails[1:]
		return res
	}
	if len(s.extra) == 0 {
		return s.Poller.Wait(timeoutNS, events)
	}
	n := copy(events, s.extra)
	s.extra = nil
	return int32(n)
}

func newScripted(t *testing.T) (*rig, *scripted) {
	s := new(scripted)
	r := newRigOn(t, func(without []string) (p poller.Poller, err error) {
		s.Poller, err = poller.OpenEpoll(without)
		return s, err
	})
	return r, s
}

// An event of a descriptor that is closed does not reach the one that has its
// number and its slot now.
func TestStaleEvent(t *testing.T) {
	r, s := newScripted(t)
	old, _ := r.unix(syscall.SOCK_STREAM)
	o := r.watch(old)
	r.quiet()
	stale := r.d.regs.of(old).key()
	number := old.Sys()
	r.cancel(o, -sys.ECANCELED)
	r.closeFD(old)

	s.extra = []poller.Event{{Key: stale, Ready: sys.PollIn}}
	r.quiet()
	ours, _ := r.unix(syscall.SOCK_STREAM)
	if ours.Sys() != number {
		t.Fatalf("the new descriptor is %d, this test needs %d again", ours.Sys(), number)
	}
	o = r.watch(ours)
	r.quiet()
	if key := r.d.regs.of(ours).key(); uint32(key) != uint32(stale) || key == stale {
		t.Fatalf("key %#x after %#x, want the same index in another generation", key, stale)
	}
	s.extra = []poller.Event{{Key: stale, Ready: sys.PollIn}, {Key: 1 << 20, Ready: sys.PollIn}}
	r.quiet()
	if got := r.d.Info().Stats.Stale; got != 3 {
		t.Errorf("%d stale events were counted, want 3", got)
	}
	r.cancel(o, -sys.ECANCELED)
}

// A handle that was given up without Close leaves its number in the set.
func TestNumberStillInTheSet(t *testing.T) {
	r := newRig(t)
	ours, peer := r.tcp()
	o := r.watch(ours)
	r.quiet()
	r.cancel(o, -sys.ECANCELED)
	again := new(fd.FD)
	again.Init(ours.Sys())
	o = r.watch(again)
	r.quiet()
	r.send(peer, "x")
	r.more(o)
	r.cancel(o, -sys.ECANCELED)
}

// A descriptor that the poller won't take ends the ops that would wait on it; they
// don't spin and don't hang.
func TestRefusedByThePoller(t *testing.T) {
	r, s := newScripted(t)
	for _, refusal := range []int32{-sys.EPERM, -int32(syscall.ENOSPC)} {
		for name, begin := range map[string]func(f *fd.FD) *op.Op{
			"poll": r.watch,
			"recv": func(f *fd.FD) *op.Op { return r.recv(f, 4) },
			"read": func(f *fd.FD) *op.Op { return r.read(f, 4, -1) },
		} {
			ours, peer := r.unix(syscall.SOCK_STREAM)
			s.refuse = refusal
			if res := r.last(begin(ours)); res != refusal {
				t.Errorf("%s = %d, want the poller's %d", name, res, refusal)
			}
			s.refuse = 0
			o := r.recv(ours, 4)
			r.quiet()
			r.send(peer, "x")
			if res := r.last(o); res != 1 {
				t.Errorf("recv = %d when the poller takes it after all, want 1", res)
			}
		}
	}
	if got := r.d.Info().Stats.Fallbacks; got != 1 { // the read, by a worker
		t.Errorf("Fallbacks = %d, want 1", got)
	}
}

// A send that has gone in part when the poller refuses its descriptor tells how much.
func TestRefusedBehindAPart(t *testing.T) {
	r, s := newScripted(t)
	ours, peer := r.unix(syscall.SOCK_STREAM)
	s.refuse = -int32(syscall.ENOSPC)
	o := r.submit(op.Send, ours, func(o *op.Op) { o.Flags, o.Buf = op.Full, make([]byte, 4<<20) })
	res, got, buf := r.last(o), int32(0), make([]byte, 1<<16)
	for {
		n := sys.Recv(peer.Sys(), buf, 0)
		if n <= 0 {
			break
		}
		got += n
	}
	if res != got || got == 0 {
		t.Errorf("send = %d, and the peer has got %d", res, got)
	}
}

func TestSignalsDuringTheWait(t *testing.T) {
	r, s := newScripted(t)
	ours, peer := r.tcp()
	o := r.watch(ours)
	r.quiet()
	s.fails = []int32{-sys.EINTR, -sys.EINTR, -sys.EINTR}
	r.send(peer, "x")
	r.more(o)
	r.cancel(o, -sys.ECANCELED)
}

func TestDeadPoller(t *testing.T) {
	r, s := newScripted(t)
	s.fails = []int32{-sys.EBADF}
	for range 2 { // it stays dead
		if err := r.d.Wait(driver.Forever, &r.done); err == nil {
			t.Error("Wait gave no error over a dead poller")
		}
	}
}

func raiseFiles(t testing.TB, want uint64) {
	t.Helper()
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if lim.Cur < want {
		lim.Cur = min(want, lim.Max)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil || lim.Cur < want {
			t.Skipf("RLIMIT_NOFILE allows %d descriptors, %d are needed", lim.Cur, want)
		}
	}
}
