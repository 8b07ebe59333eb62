//go:build linux

package poller

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"ringo/internal/sys"
	"ringo/internal/test/alloctest"
)

func open(t *testing.T, without ...string) Poller {
	t.Helper()
	p, err := OpenEpoll(without)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// both runs a test with and without epoll_pwait2.
func both(t *testing.T, f func(t *testing.T, p Poller)) {
	t.Run("pwait2", func(t *testing.T) {
		p := open(t)
		if !slices.Contains(p.Features(), "epoll_pwait2") {
			t.Skip("this kernel has no epoll_pwait2 (Linux 5.11)")
		}
		f(t, p)
	})
	t.Run("pwait", func(t *testing.T) {
		p := open(t, "epoll_pwait2")
		if slices.Contains(p.Features(), "epoll_pwait2") {
			t.Fatal("a masked feature is in use")
		}
		f(t, p)
	})
}

func TestEdges(t *testing.T) {
	both(t, func(t *testing.T, p Poller) {
		if !p.EdgeTriggered() {
			t.Fatal("epoll is not edge-triggered")
		}
		const key = 0xfedcba9876543210
		a, b := pair(t)
		events := make([]Event, 4)
		want(t, "add", p.Add(a, sys.PollIn|sys.PollRdhup, key), 0)
		want(t, "add again", p.Add(a, sys.PollIn, key), -sys.EEXIST)
		want(t, "wait", p.Wait(0, events), 0)
		for range 2 { // nobody reads: still each arrival is one event
			sys.Send(b, []byte("x"), 0)
			want(t, "wait", p.Wait(-1, events), 1)
			if e := events[0]; e.Key != key || e.Ready != sys.PollIn {
				t.Fatalf("event %#x with key %#x, want %#x with %#x", e.Ready, e.Key, sys.PollIn, uint64(key))
			}
			want(t, "wait", p.Wait(0, events), 0)
		}
		want(t, "modify", p.Modify(a, sys.PollIn|sys.PollOut, key+1), 0)
		want(t, "wait", p.Wait(0, events), 1)
		if e := events[0]; e.Key != key+1 || e.Ready != sys.PollIn|sys.PollOut {
			t.Fatalf("event %#x with key %#x after Modify", e.Ready, e.Key)
		}
		sys.Send(b, []byte("x"), 0)
		want(t, "remove", p.Remove(a), 0)
		want(t, "wait", p.Wait(0, events), 0)
		want(t, "remove again", p.Remove(a), -sys.ENOENT)
	})
}

// What is ready before it is added is reported, or a try before would lose it.
func TestReadyBeforeAdd(t *testing.T) {
	p := open(t)
	a, b := pair(t)
	sys.Send(b, []byte("x"), 0)
	events := make([]Event, 1)
	want(t, "add", p.Add(a, sys.PollIn, 7), 0)
	want(t, "wait", p.Wait(0, events), 1)
}

// More events than fit are left for the next wait, and nobody is left out.
func TestMoreEventsThanRoom(t *testing.T) {
	p := open(t)
	const n = 7
	for key := range uint64(n) {
		a, b := pair(t)
		sys.Send(b, []byte("x"), 0)
		want(t, "add", p.Add(a, sys.PollIn, key), 0)
	}
	events, seen := make([]Event, 3), map[uint64]bool{}
	for _, count := range []int32{3, 3, 1, 0} {
		want(t, "wait", p.Wait(0, events), count)
		for _, e := range events[:count] {
			seen[e.Key] = true
		}
	}
	if len(seen) != n {
		t.Errorf("%d descriptors were reported, want %d", len(seen), n)
	}
}

func TestRefused(t *testing.T) {
	p := open(t)
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want(t, "add of a file", p.Add(int32(f.Fd()), sys.PollIn, 0), -sys.EPERM)
	want(t, "add of nothing", p.Add(1<<20, sys.PollIn, 0), -sys.EBADF)
	stranger, _ := pair(t)
	want(t, "modify of a stranger", p.Modify(stranger, sys.PollIn, 0), -sys.ENOENT)
}

func TestTimeout(t *testing.T) {
	both(t, func(t *testing.T, p Poller) {
		events := make([]Event, 1)
		for _, d := range []time.Duration{1, time.Microsecond, 999_999, time.Millisecond, 1_000_001} {
			for {
				start := time.Now()
				res := p.Wait(int64(d), events)
				passed := time.Since(start)
				if res == -sys.EINTR {
					continue
				}
				want(t, "wait", res, 0)
				if passed < d {
					t.Errorf("a wait of %v ended after %v", d, passed)
				}
				break
			}
		}
	})
}

func TestMilliseconds(t *testing.T) {
	for ns, want := range map[int64]int32{
		-1: -1, 1: 1, 999_999: 1, 1_000_000: 1, 1_000_001: 2, 1<<31*1e6 - 1e6: 1<<31 - 1, 1<<63 - 1: 1<<31 - 1,
	} {
		if got := milliseconds(ns); got != want {
			t.Errorf("milliseconds(%d) = %d, want %d", ns, got, want)
		}
	}
}

func TestOpenError(t *testing.T) {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	none := lim
	none.Cur = 3
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	_, err := OpenEpoll(nil)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	var call *os.SyscallError
	if !errors.Is(err, syscall.EMFILE) || !errors.As(err, &call) || call.Syscall != "epoll_create1" {
		t.Errorf("error %v, want EMFILE of epoll_create1", err)
	}
}

func TestCloseTwice(t *testing.T) {
	p, err := OpenEpoll(nil)
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	defer func() {
		if recover() == nil {
			t.Error("no panic: the number may be somebody else's by now")
		}
	}()
	p.Close()
}

func TestNoAllocs(t *testing.T) {
	both(t, func(t *testing.T, p Poller) {
		a, b := pair(t)
		events, x := make([]Event, 4), make([]byte, 1)
		want(t, "add", p.Add(a, sys.PollIn, 1), 0)
		got := alloctest.Least(100, 0.1, func() {
			sys.Send(b, x, 0)
			p.Wait(-1, events)
			p.Wait(1, events)
			p.Wait(0, events)
			p.Modify(a, sys.PollIn, 2)
		})
		if got > 0.1 {
			t.Errorf("%v allocations, want 0", got)
		}
	})
}
