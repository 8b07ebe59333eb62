//go:build linux

package uring

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/test/uringtest"
)

// scripted makes a world for a named script. The thread ends with the test.
func scripted(t *testing.T, s setting) *world {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	if s.entries == 0 {
		s.entries = 8
	}
	if s.buffers == 0 {
		s.buffers = 8
	}
	w := newWorld(t, t.Name(), s)
	return w
}

// count is how often the kernel has done what a script says at a point.
func (w *world) count(p uringtest.Point) int { return w.k.Counts()[p] }

// The kernel takes some of the entries: the others are submitted again, and none
// of them twice.
func TestScriptShortSubmit(t *testing.T) {
	for fewer := 1; fewer <= 5; fewer++ {
		w := scripted(t, setting{script: uringtest.Times(3, uringtest.TakeLess, fewer, nil)})
		s := w.stream()
		calls := []*call{w.nop(), w.recv(s, 8), w.nop(), w.send(s, op.Send, 8, op.Full), w.nop()}
		s.feed(8)
		w.ends(calls...)
		if w.count(uringtest.TakeLess) == 0 {
			t.Errorf("no enter took %d entries less", fewer)
		}
		w.close()
	}
}

// The kernel is short of memory, or has a backlog of completions: nothing is lost,
// nobody is told, and it is not asked in a hot loop.
func TestScriptEnterRefused(t *testing.T) {
	for choice, name := range []string{1: "EAGAIN", 2: "EBUSY"} {
		if choice == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			w := scripted(t, setting{entries: 2, script: uringtest.Times(20, uringtest.EnterFails, choice, nil)})
			rests := 0
			w.d.rest = func(d time.Duration) { rests++; w.clock.Advance(d) }
			var calls []*call
			for range 7 {
				calls = append(calls, w.nop())
			}
			w.ends(calls...)
			if refused := w.count(uringtest.EnterFails); refused != 20 || rests < 5 {
				t.Errorf("%d enters were refused, and the driver rested %d times", refused, rests)
			}
			w.close()
		})
	}
}

// A signal ends the kernel's wait, and not the driver's.
func TestScriptInterruptedWait(t *testing.T) {
	for _, without := range [][]string{nil, {"ext_arg"}} {
		w := scripted(t, setting{script: uringtest.Times(5, uringtest.Interrupt, 1, nil), without: without})
		start := w.clock.Now()
		if w.wait(w.soon(time.Millisecond)) || w.clock.Now() != start+int64(time.Millisecond) {
			t.Errorf("a wait of 1 ms took %v", time.Duration(w.clock.Now()-start))
		}
		if n := w.count(uringtest.Interrupt); n != 5 {
			t.Errorf("%d waits were interrupted, want 5", n)
		}
		w.close()
	}
}

// More is submitted than there is room for, while the kernel takes nothing: ops
// and cancels wait, in their order.
func TestScriptFullSQ(t *testing.T) {
	w := scripted(t, setting{entries: 2})
	s := w.stream()
	first := w.recv(s, 8)
	w.wait(driver.Poll)
	w.k.SetScript(uringtest.Times(8, uringtest.EnterFails, 1, nil))
	var nops []*call
	for range 6 {
		nops = append(nops, w.nop())
	}
	w.cancel(first)   // has no room
	w.cancel(nops[5]) // is not in the SQ yet
	w.ends(append(nops, first)...)
	if first.res != -int32(unix.ECANCELED) || nops[5].res != -int32(unix.ECANCELED) || nops[0].res != 0 {
		t.Errorf("a cancelled receive gave %d, a cancelled nop %d, a nop %d", first.res, nops[5].res, nops[0].res)
	}
	w.close()
}

// What had no room in the SQ does not wait for the completion of what is in it, which
// may wait for peers.
func TestScriptNoSleepOverBacklog(t *testing.T) {
	w := scripted(t, setting{entries: 2})
	a, b := w.stream(), w.stream()
	w.k.SetScript(uringtest.Times(2, uringtest.EnterFails, 1, nil)) // when it is submitted, and at the Wait
	idle := []*call{w.recv(a, 8), w.recv(b, 8)}
	start := w.clock.Now()
	w.ends(w.nop())
	if slept := time.Duration(w.clock.Now() - start); slept >= time.Millisecond {
		t.Errorf("a nop took %v", slept)
	}
	for _, c := range idle {
		if c.ended {
			t.Errorf("%s has ended", c)
		}
	}
	w.close()
}

// The CQ is full: what did not fit is fetched, also by a Wait that does not sleep.
func TestScriptOverflow(t *testing.T) {
	w := scripted(t, setting{entries: 2, without: []string{"cqsize"}}) // so the CQ has 4
	var polls []*call
	s := w.stream()
	for range 11 {
		polls = append(polls, w.poll(s, 1, 0))
		w.wait(driver.Poll)
	}
	s.feed(1)
	for w.wait(driver.Poll) {
	}
	for _, c := range polls {
		if !c.ended {
			t.Errorf("%s has not completed", c)
		}
	}
	if n := w.d.Info().Stats.Overflows; n == 0 {
		t.Error("the CQ of 4 did not overflow with 11 completions")
	}
	w.close()
}

// Completions come late, all at once, and the last one first.
func TestScriptLate(t *testing.T) {
	w := scripted(t, setting{script: func(p uringtest.Point, n int, _ *uringtest.Request) int {
		if p == uringtest.PostLater || p == uringtest.PickCQE {
			return n - 1
		}
		return 0
	}})
	s, other := w.stream(), w.stream()
	multi := w.recvSelect(s, op.Multishot)
	plain := w.recv(other, 16)
	w.wait(driver.Poll)
	for range 5 {
		s.feed(20)
	}
	other.feed(16)
	calls := []*call{plain, w.nop(), w.timeout(time.Millisecond), w.nop()}
	w.cancel(multi)
	w.ends(append(calls, multi)...)
	if s.eaten == 0 && s.fed > 0 {
		w.ends(w.recv(s, 100))
	}
	w.close()
}

// A wake's poll ends, with an error or without: the next Wake is not lost.
func TestScriptWakePollEnds(t *testing.T) {
	for how := 1; how <= 2; how++ {
		w := scripted(t, setting{script: uringtest.Times(10, uringtest.EndMultishot, how, nil)})
		for range 12 {
			start := w.clock.Now()
			w.meantime = w.wake
			if w.wait(w.soon(time.Second)); w.clock.Now() != start {
				t.Fatalf("a Wake did not end the Wait that it came in")
			}
			w.woken = false
		}
		if n := w.count(uringtest.EndMultishot); n != 10 {
			t.Errorf("%d polls ended, want 10", n)
		}
		w.close()
	}
}

// Wakes and readiness for nothing: no Wait ends for them, and no op.
func TestScriptSpuriousWakes(t *testing.T) {
	w := scripted(t, setting{script: func(p uringtest.Point, n int, _ *uringtest.Request) int {
		if p == uringtest.PollAgain || p == uringtest.LieTaskrun {
			return 1
		}
		return 0
	}})
	s := w.stream()
	c := w.recv(s, 8)
	w.meantime = w.wake
	w.wait(w.soon(time.Second))
	w.woken = false
	// The eventfd stays readable, so its poll can tell of it for ever.
	w.k.SetScript(uringtest.Times(50, uringtest.PollAgain, 1, nil))
	if start := w.clock.Now(); w.wait(w.soon(time.Millisecond)) || w.clock.Now() != start+int64(time.Millisecond) {
		t.Error("a Wait in which nothing happened did not last until its deadline")
	}
	s.feed(8)
	w.ends(c)
	w.close()
}

// Where a wait takes no deadline it is a TIMEOUT. However many waits end early,
// there is one of them; and none begins without.
func TestScriptTimers(t *testing.T) {
	w := scripted(t, setting{entries: 2, without: []string{"ext_arg"}})
	for i := range 50 {
		c := w.nop()
		for deadline := w.soon(time.Hour - time.Duration(i)*time.Second); !c.ended; {
			w.wait(deadline) // which counts the timers
		}
	}
	w.nop()
	w.nop()
	w.nop()
	w.wait(driver.Poll)
	// The SQ is full when the timer is wanted, and is taken when the wait begins.
	s := w.stream()
	for _, n := range []int{1, 2, 3, 4} {
		s.feed(1)
		c := w.recv(s, 1)
		w.wait(driver.Poll)
		w.ends(c)
		a, b := w.poll(s, 1, 0), w.poll(s, 1, 0)
		w.k.SetScript(uringtest.Times(n, uringtest.EnterFails, 1, nil))
		start := w.clock.Now()
		if w.wait(start+int64(time.Millisecond)) || w.clock.Now() < start+int64(time.Millisecond) ||
			w.clock.Now() > start+int64(2*time.Millisecond) {
			t.Errorf("a wait of 1 ms took %v", time.Duration(w.clock.Now()-start))
		}
		w.cancel(a)
		w.cancel(b)
		w.ends(a, b)
	}
	w.close()
}
