//go:build linux

package poller

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ringo/internal/sys"
	"ringo/internal/test/kqueuetest"
)

// queue runs a test on the poller for kqueues, over what stands for one.
func queue(t *testing.T, has sys.KqueueTraits, odds kqueuetest.Oddities, f func(t *testing.T, p *kqueue)) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := onShim(has, odds)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	f(t, p.(*kqueue))
}

// eachQueue runs a test on the kqueues of three systems, and on some that have oddities.
func eachQueue(t *testing.T, f func(t *testing.T, p *kqueue)) {
	for name, c := range map[string]struct {
		has  sys.KqueueTraits
		odds kqueuetest.Oddities
	}{
		"Darwin":                    {darwin, kqueuetest.Oddities{}},
		"FreeBSD":                   {freebsd, kqueuetest.Oddities{}},
		"NetBSD":                    {netbsd, kqueuetest.Oddities{DeadPipe: true}},
		"signals":                   {darwin, kqueuetest.Oddities{EINTR: 2}},
		"signals, no receipts":      {netbsd, kqueuetest.Oddities{EINTR: 3}},
		"writers are told by reads": {freebsd, kqueuetest.Oddities{PipeRead: true}},
		"writers, EBADF, and EINTR": {freebsd, kqueuetest.Oddities{PipeRead: true, DeadPipe: true, EINTR: 2}},
		"time is over before it is": {darwin, kqueuetest.Oddities{ETIMEDOUT: 2}},
	} {
		t.Run(name, func(t *testing.T) { queue(t, c.has, c.odds, f) })
	}
}

// A time that Darwin says is over, and one that a signal has ended, may not be (go#59679).
func TestKqueueEarlyEnds(t *testing.T) {
	for _, odds := range []kqueuetest.Oddities{{ETIMEDOUT: 1}, {EINTR: 1}} {
		p := &kqueue{q: shim(t, odds)}
		want(t, "wait", p.Wait(1e9, make([]Event, 4)), -sys.EINTR)
		p.Close()
	}
}

func shim(t *testing.T, odds kqueuetest.Oddities) *kqueuetest.Shim {
	t.Helper()
	q, res := kqueuetest.New(darwin, odds)
	want(t, "epoll_create1", min(res, 0), 0)
	return q
}

// Events that nothing has happened for, of marks that are no more, and of none, lose none that something has.
func TestKqueueSpurious(t *testing.T) {
	for name, has := range map[string]sys.KqueueTraits{"Darwin": darwin, "NetBSD": netbsd} {
		t.Run(name, func(t *testing.T) {
			queue(t, has, kqueuetest.Oddities{Spurious: 2, EINTR: 3}, func(t *testing.T, p *kqueue) {
				a, b := pair(t)
				want(t, "add", p.Add(a, sys.PollIn, 1), 0)
				for range 50 {
					send(t, b, "x")
					for sys.Recv(a, make([]byte, 64), sys.MsgDontwait) < 0 {
						events := make([]Event, 4)
						for _, e := range events[:wait(t, p, -1, events)] {
							if e.Key != 1 || e.Ready != sys.PollIn {
								t.Fatalf("event %+v", e)
							}
						}
					}
				}
			})
		})
	}
}

// A signal that comes with changes has not kept them from being made, where there are no receipts to ask (mio#582).
func TestKqueueSignalled(t *testing.T) {
	queue(t, netbsd, kqueuetest.Oddities{}, func(t *testing.T, p *kqueue) {
		p.q.(*kqueuetest.Shim).Odds.EINTR = 1 // and no look comes back any more
		a, _ := pair(t)
		want(t, "add", p.Add(a, everything, 1), 0)
		want(t, "modify", p.Modify(a, sys.PollIn, 1), 0)
		want(t, "remove", p.Remove(a), 0)
	})
}

// An event of a mark that is no more is of a descriptor that is closed, and one without a mark of who has the number
// now (go#42515).
func TestKqueueMarks(t *testing.T) {
	queue(t, darwin, kqueuetest.Oddities{}, func(t *testing.T, p *kqueue) {
		a, _ := pair(t)
		want(t, "add", p.Add(a, sys.PollIn, 7), 0)
		for _, c := range []struct {
			mark   uint32
			events int32
		}{{p.mark - 1, 0}, {p.mark + 1, 0}, {p.mark, 1}, {0, 1}} {
			p.pending = append(p.pending, sys.Kevent{Fd: a, Filter: sys.KqRead, Mark: c.mark})
			events := make([]Event, 4)
			want(t, "wait", p.Wait(0, events), c.events)
			if c.events == 1 && events[0] != (Event{Key: 7, Ready: sys.PollIn}) {
				t.Errorf("event %+v", events[0])
			}
		}
	})
}

// What is taken out has no filters any longer, though its descriptor stays open: nothing wakes a Wait for it.
func TestKqueueRemoveTakesOut(t *testing.T) {
	for _, has := range []sys.KqueueTraits{darwin, netbsd} {
		queue(t, has, kqueuetest.Oddities{}, func(t *testing.T, p *kqueue) {
			a, b := pair(t)
			want(t, "add", p.Add(a, everything, 1), 0)
			want(t, "remove", p.Remove(a), 0)
			send(t, b, "x")
			want(t, "events that the system has", p.q.Kevent(nil, p.fetched[:], 0), 0)
		})
	}
}

// A FIFO of which Darwin would not tell that its last writer has gone (go#24164) is refused; a pipe is not.
func TestKqueueDeafFIFO(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		queue(t, darwin, kqueuetest.Oddities{DeafFIFO: deaf}, func(t *testing.T, p *kqueue) {
			name := filepath.Join(t.TempDir(), "fifo")
			if err := syscall.Mkfifo(name, 0o600); err != nil {
				t.Fatal(err)
			}
			fifo, err := syscall.Open(name, syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer syscall.Close(fifo)
			refusal := int32(0)
			if deaf {
				refusal = -sys.EPERM
			}
			want(t, "add of a FIFO", p.Add(int32(fifo), sys.PollIn, 1), refusal)
			r, _ := pipe(t)
			want(t, "add of a pipe", p.Add(r, sys.PollIn, 2), 0)
		})
	}
}

// deaf is a kqueue that does not do what the poller relies on.
type deaf struct {
	sys.Kqueue
	always bool // tells the same all the time
	told   sys.Kevent
}

func (d *deaf) Kevent(changes, events []sys.Kevent, ns int64) int32 {
	if len(changes) > 0 {
		d.told = sys.Kevent{Fd: changes[0].Fd, Mark: changes[0].Mark}
		return d.Kqueue.Kevent(changes, events, ns)
	}
	if !d.always {
		return 0
	}
	events[0] = d.told
	return 1
}

// A kqueue without edges is refused where it is opened, with the reason.
func TestKqueueSelfTest(t *testing.T) {
	for _, always := range []bool{false, true} {
		_, err := KqueueOn(&deaf{Kqueue: shim(t, kqueuetest.Oddities{}), always: always})
		var call *os.SyscallError
		if !errors.As(err, &call) || !strings.Contains(call.Syscall, "self-test") || !errors.Is(err, syscall.EIO) {
			t.Errorf("always %t: %v", always, err)
		}
	}
}

// A wait that is longer than a kernel takes has not ended when the kernel's has.
func TestKqueueLongWaitGoesOn(t *testing.T) {
	p := &kqueue{q: &deaf{}}
	for _, c := range []struct{ ns, want int64 }{
		{waitMax + 1, -sys.EINTR}, {waitMax, 0}, {1, 0}, {0, 0},
	} {
		if got := p.Wait(c.ns, make([]Event, 1)); int64(got) != c.want {
			t.Errorf("a wait of %d ns that is over: %d, want %d", c.ns, got, c.want)
		}
	}
}

func TestKqueueFeatures(t *testing.T) {
	queue(t, darwin, kqueuetest.Oddities{}, func(t *testing.T, p *kqueue) {
		if got := p.Features(); !slices.Equal(got, []string{"edge-triggered", "receipts", "urgent data"}) {
			t.Errorf("features %q", got)
		}
	})
}
