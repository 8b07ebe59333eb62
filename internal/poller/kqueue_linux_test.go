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

// eachQueue runs a test on the kqueues of three systems.
func eachQueue(t *testing.T, odds kqueuetest.Oddities, f func(t *testing.T, p *kqueue)) {
	for name, has := range map[string]sys.KqueueTraits{"Darwin": darwin, "FreeBSD": freebsd, "NetBSD": netbsd} {
		t.Run(name, func(t *testing.T) { queue(t, has, odds, f) })
	}
}

func pipe(t *testing.T) (r, w int32) {
	t.Helper()
	p := make([]int, 2)
	if err := syscall.Pipe2(p, syscall.O_NONBLOCK|syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(p[0]); syscall.Close(p[1]) })
	return int32(p[0]), int32(p[1])
}

// gone closes what a test has, and keeps the number for the clean-up.
func gone(t *testing.T, fd int32) { devNull(t, fd) }

const everything = sys.PollIn | sys.PollPri | sys.PollOut | sys.PollRdhup

// The end and what is before it are one event (gnet#531, nng#687): both are told, and the end of what comes is no
// hang-up.
func TestKqueueEndWithData(t *testing.T) {
	eachQueue(t, kqueuetest.Oddities{}, func(t *testing.T, p *kqueue) {
		a, b := pair(t)
		want(t, "add", p.Add(a, everything, 1), 0)
		only(t, p, 1, sys.PollOut)
		send(t, b, "tail")
		syscall.Shutdown(int(b), syscall.SHUT_WR)
		events := make([]Event, 4)
		if n := wait(t, p, 0, events); n != 1 || events[0].Ready&^sys.PollOut != sys.PollIn|sys.PollRdhup {
			t.Fatalf("%d events, the first %#x; want data and the end", n, events[0].Ready)
		}
		if n := sys.Recv(a, make([]byte, 16), 0); n != 4 {
			t.Errorf("received %d, want 4", n)
		}
	})
}

// One's own shutdown is told by the filter for writing as an end, and is none (mio#1087).
func TestKqueueOwnShutdown(t *testing.T) {
	eachQueue(t, kqueuetest.Oddities{}, func(t *testing.T, p *kqueue) {
		a, b := pair(t)
		want(t, "add", p.Add(a, everything, 1), 0)
		only(t, p, 1, sys.PollOut)
		syscall.Shutdown(int(a), syscall.SHUT_WR)
		events := make([]Event, 4)
		for _, e := range events[:wait(t, p, 0, events)] {
			if e.Ready != sys.PollOut {
				t.Errorf("one's own shutdown is told as %#x", e.Ready)
			}
		}
		send(t, b, "still there")
		only(t, p, 1, sys.PollIn)
	})
}

// A connection that is refused is ready to write (bun#32257): the call that follows has the error, which nothing here
// takes away.
func TestKqueueRefusedConnect(t *testing.T) {
	eachQueue(t, kqueuetest.Oddities{}, func(t *testing.T, p *kqueue) {
		ln, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(ln)
		loopback := &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
		if err := syscall.Bind(ln, loopback); err != nil {
			t.Fatal(err)
		}
		bound, err := syscall.Getsockname(ln) // and nobody listens
		if err != nil {
			t.Fatal(err)
		}
		c, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(c)
		if err := syscall.Connect(c, bound); err != syscall.EINPROGRESS {
			t.Fatal(err)
		}
		want(t, "add", p.Add(int32(c), sys.PollOut, 1), 0)
		only(t, p, 1, sys.PollOut)
		e, _ := sys.GetsockoptInt(int32(c), sys.SolSocket, sys.SoError)
		want(t, "the error", e, sys.ECONNREFUSED)
	})
}

// That a pipe is not read any longer is told to who writes, whichever filter has it (Go's netpoll_kqueue.go).
func TestKqueuePipeUnread(t *testing.T) {
	for _, odds := range []kqueuetest.Oddities{{}, {PipeRead: true}} {
		eachQueue(t, odds, func(t *testing.T, p *kqueue) {
			r, w := pipe(t)
			for b := make([]byte, 1<<16); sys.Write(w, b) > 0; {
			}
			want(t, "add", p.Add(w, everything, 1), 0)
			none(t, p)
			gone(t, r)
			events := make([]Event, 4)
			if n := wait(t, p, 0, events); n != 1 || events[0].Ready&sys.PollOut == 0 {
				t.Errorf("%d events, the first %#x, want one that says to write", n, events[0].Ready)
			}
			want(t, "write", sys.Write(w, []byte("x")), -sys.EPIPE)
		})
	}
}

// A pipe that is not read already is refused by its filter for writing, with EPIPE or on NetBSD EBADF (mio#582): it is
// ready, as the write says so, too.
func TestKqueueDeadPipe(t *testing.T) {
	for _, odds := range []kqueuetest.Oddities{{}, {DeadPipe: true}, {EINTR: 2}} {
		eachQueue(t, odds, func(t *testing.T, p *kqueue) {
			r, w := pipe(t)
			gone(t, r)
			want(t, "add", p.Add(w, sys.PollOut, 1), 0)
			only(t, p, 1, sys.PollOut)
			want(t, "remove", p.Remove(w), 0)
			want(t, "add", p.Add(w, sys.PollOut, 2), 0)
			want(t, "remove", p.Remove(w), 0) // before it is told
			none(t, p)
		})
	}
}

// Of two changes the second is made though the first is refused (valkey#715): here what is to go is gone already, with
// the descriptor that was closed, and its number stands for another.
func TestKqueueClosedBehind(t *testing.T) {
	eachQueue(t, kqueuetest.Oddities{}, func(t *testing.T, p *kqueue) {
		a, _ := pair(t)
		c, d := pair(t)
		want(t, "add", p.Add(a, sys.PollIn, 1), 0)
		want(t, "dup3", dup3(c, a), 0)
		want(t, "modify", p.Modify(a, sys.PollOut, 2), 0)
		only(t, p, 2, sys.PollOut)
		want(t, "dup3", dup3(d, a), 0)
		want(t, "remove", p.Remove(a), 0)
		want(t, "add", p.Add(a, sys.PollIn, 3), 0)
		send(t, c, "x")
		only(t, p, 3, sys.PollIn)
	})
}

// Events that were fetched, and had no room, are not told of a descriptor that was taken out since, nor of who has its
// number now.
func TestKqueueFetchedAndGone(t *testing.T) {
	eachQueue(t, kqueuetest.Oddities{}, func(t *testing.T, p *kqueue) {
		const n = 3
		var fds [n]int32
		for i := range fds {
			a, b := pair(t)
			fds[i] = a
			want(t, "add", p.Add(a, sys.PollIn|sys.PollOut, uint64(i)), 0)
			send(t, b, "x")
		}
		events := make([]Event, 1)
		if got := wait(t, p, 0, events); got != 1 || len(p.pending) == 0 {
			t.Fatalf("%d events, and %d pending", got, len(p.pending))
		}
		for _, fd := range fds {
			want(t, "remove", p.Remove(fd), 0)
			want(t, "add", p.Add(fd, sys.PollRdhup, 9), 0)
		}
		none(t, p)
	})
}

// A list that is not full has all that has come (cpython#109757): the two events of a descriptor are one here, and what
// there is no room for comes with the next Wait.
func TestKqueueAllThatHasCome(t *testing.T) {
	eachQueue(t, kqueuetest.Oddities{}, func(t *testing.T, p *kqueue) {
		const n = 9
		for key := range uint64(n) {
			a, b := pair(t)
			want(t, "add", p.Add(a, everything, key), 0)
			send(t, b, "x")
		}
		seen := make(map[uint64]uint32)
		for {
			events := make([]Event, 4)
			got := wait(t, p, 0, events)
			for _, e := range events[:got] {
				seen[e.Key] |= e.Ready
			}
			if got < len(events) {
				break
			}
		}
		for key := range uint64(n) {
			if seen[key] != sys.PollIn|sys.PollOut {
				t.Errorf("when all was told, key %d was told %#x", key, seen[key])
			}
		}
	})
}

// The longest times are waited for in parts, since some kernels refuse them (go#14127).
func TestKqueueLongTimeout(t *testing.T) {
	eachQueue(t, kqueuetest.Oddities{}, func(t *testing.T, p *kqueue) {
		a, b := pair(t)
		want(t, "add", p.Add(a, sys.PollIn, 1), 0)
		send(t, b, "x")
		want(t, "wait", p.Wait(1<<63-1, make([]Event, 4)), 1)
	})
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
	eachQueue(t, kqueuetest.Oddities{Spurious: 2, EINTR: 3}, func(t *testing.T, p *kqueue) {
		a, b := pair(t)
		want(t, "add", p.Add(a, sys.PollIn, 1), 0)
		for range 50 {
			send(t, b, "x")
			for len(readAll(a)) == 0 {
				events := make([]Event, 4)
				for _, e := range events[:wait(t, p, -1, events)] {
					if e.Key != 1 || e.Ready != sys.PollIn {
						t.Fatalf("event %+v", e)
					}
				}
			}
		}
	})
}

func readAll(fd int32) []byte {
	b := make([]byte, 64)
	return b[:max(sys.Recv(fd, b, sys.MsgDontwait), 0)]
}

// What has no readiness is refused as such: files, which some kernels fall over (go#19093), and devices that Darwin
// refuses with EINVAL.
func TestKqueueNoReadiness(t *testing.T) {
	eachQueue(t, kqueuetest.Oddities{}, func(t *testing.T, p *kqueue) {
		dir := t.TempDir()
		for _, name := range []string{filepath.Join(dir, "file"), dir, os.DevNull} {
			f, err := os.Open(name)
			if errors.Is(err, os.ErrNotExist) {
				f, err = os.Create(name)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			want(t, "add of "+name, p.Add(int32(f.Fd()), everything, 1), -sys.EPERM)
			want(t, "remove of it", p.Remove(int32(f.Fd())), -sys.ENOENT)
		}
	})
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

// An urgent byte is told by a filter of its own where there is one, and else asked for: reads end early at it, so that
// who thinks a short one has emptied the queue would wait for ever.
func TestKqueueUrgent(t *testing.T) {
	eachQueue(t, kqueuetest.Oddities{}, func(t *testing.T, p *kqueue) {
		a, b := tcpPair(t)
		want(t, "add", p.Add(a, sys.PollIn|sys.PollPri, 1), 0)
		none(t, p)
		if err := syscall.Sendto(int(b), []byte("ab!"), syscall.MSG_OOB, nil); err != nil {
			t.Fatal(err)
		}
		ready := uint32(0)
		for events := make([]Event, 4); ready != sys.PollIn|sys.PollPri; {
			for _, e := range events[:wait(t, p, -1, events)] {
				ready |= e.Ready
			}
		}
	})
}

// tcpPair gives both ends of a connection.
func tcpPair(t *testing.T) (a, b int32) {
	t.Helper()
	ln, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(ln)
	if err := errors.Join(syscall.Bind(ln, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}),
		syscall.Listen(ln, 1)); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(ln)
	if err != nil {
		t.Fatal(err)
	}
	c, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(c) })
	if err := syscall.Connect(c, at); err != nil {
		t.Fatal(err)
	}
	s, _, err := syscall.Accept4(ln, syscall.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(s) })
	return int32(s), int32(c)
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

func TestKqueueFeatures(t *testing.T) {
	queue(t, darwin, kqueuetest.Oddities{}, func(t *testing.T, p *kqueue) {
		if got := p.Features(); !slices.Equal(got, []string{"edge-triggered", "receipts", "urgent data"}) {
			t.Errorf("features %q", got)
		}
	})
}
