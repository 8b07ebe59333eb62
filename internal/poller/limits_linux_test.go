//go:build linux

package poller

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"ringo/internal/sys"
)

// A number that select has no bit for is refused, and no other is the worse for it.
func TestSelectBound(t *testing.T) {
	p, err := OpenSelect(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	a, b := pair(t)
	for _, beyond := range []int32{sys.FDSetSize, sys.FDSetSize + 100} {
		if dup3(a, beyond) != 0 {
			t.Skip("the limit on descriptors is too low")
		}
		want(t, "add of a number too high", p.Add(beyond, sys.PollIn, 1), -sys.EMFILE)
		want(t, "modify of it", p.Modify(beyond, sys.PollIn, 1), -sys.ENOENT)
		want(t, "remove of it", p.Remove(beyond), -sys.ENOENT)
		sys.Close(beyond)
	}
	want(t, "dup3", dup3(a, sys.FDSetSize-1), 0)
	defer sys.Close(sys.FDSetSize - 1)
	want(t, "add of the highest", p.Add(sys.FDSetSize-1, sys.PollIn, 2), 0)
	send(t, b, "x")
	only(t, p, 2, sys.PollIn)
}

// A limit that is lowered below what poll(2) watches costs time and nothing else.
func TestPollBeyondTheLimit(t *testing.T) {
	p, err := OpenPoll(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var last, peer int32
	for key := range uint64(20) {
		last, peer = pair(t)
		want(t, "add", p.Add(last, sys.PollIn, key), 0)
	}
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	low := lim
	low.Cur = 7
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim)
	none(t, p)
	begin := time.Now()
	if n := wait(t, p, 3*time.Millisecond, make([]Event, 4)); n != 0 || time.Since(begin) < 3*time.Millisecond {
		t.Errorf("%d events after %v", n, time.Since(begin))
	}
	idle(t, p)
	send(t, peer, "x")
	only(t, p, 19, sys.PollIn)
	drain(last)
	low.Cur = 0
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	want(t, "wait with no descriptor allowed", p.Wait(0, make([]Event, 4)), -sys.EINVAL)
}

// A kernel that throws completions away leaves nobody waiting for ever.
func TestRingLosesCompletions(t *testing.T) {
	for _, without := range [][]string{nil, {"kernel=5.4"}} {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		mk, err := OpenRing(8, without)
		if err != nil {
			t.Skip(err)
		}
		p := mk.(*ring)
		a, b := pair(t)
		want(t, "add", p.Add(a, sys.PollIn, 1), 0)
		none(t, p)
		send(t, b, "x")
		p.enter(0, -1)
		lost := 0
		for c, ok := p.r.CQE(); ok; c, ok = p.r.CQE() {
			if c.UserData == p.slots[p.at.find(a)].token(uint32(p.at.find(a))) {
				lost++
			}
		}
		if lost != 1 {
			t.Fatalf("%d completions to lose, want 1", lost)
		}
		none(t, p) // nothing tells of it but the count
		p.lost--
		none(t, p)
		only(t, p, 1, sys.PollIn)
		p.Close()
	}
}
