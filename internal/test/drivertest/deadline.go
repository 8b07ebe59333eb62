package drivertest

import (
	"math"
	"time"

	"ringo/internal/driver"
	"ringo/internal/sys"
)

// A Wait's deadline is a time of the Config's clock. In every case h.wait checks that no Wait ends early without a
// reason.
var deadlineCases = []testCase{
	{name: "never early", run: deadlineNeverEarly},
	{name: "poll does not sleep", run: func(h *harness) { h.returnsAtOnce(driver.Poll) }},
	{name: "in the past", run: deadlinePast},
	{name: "far away", run: deadlineFar},
	{name: "sleeps and does not spin", run: deadlineSleeps},
	{name: "one after the other", run: deadlineSequence},
	{name: "not in the way of completions", run: deadlineCompletions},
	{name: "late and all is told", run: deadlineLate},
}

func deadlineNeverEarly(h *harness) {
	f, _ := h.pair()
	h.recv(f, make([]byte, 1)).submit()
	for _, d := range []time.Duration{
		1, time.Microsecond, 50 * time.Microsecond, 999 * time.Microsecond, time.Millisecond,
		1500 * time.Microsecond, 7 * time.Millisecond,
	} {
		for range 3 {
			h.wait(h.now() + int64(d))
		}
	}
}

// returnsAtOnce checks that a Wait doesn't sleep. On a busy machine some Waits take long, but not all of them; by a
// virtual clock none does.
func (h *harness) returnsAtOnce(deadline int64) {
	h.Helper()
	f, _ := h.pair()
	h.recv(f, make([]byte, 1)).submit()
	fastest, slowest := int64(math.MaxInt64), int64(0)
	for range 20 {
		begun := h.now()
		h.wait(deadline)
		took := h.now() - begun
		fastest, slowest = min(fastest, took), max(slowest, took)
	}
	if h.m.virtual() && slowest > int64(5*time.Millisecond) {
		h.Errorf("a Wait took %v of virtual time, want none to sleep", time.Duration(slowest))
	}
	if fastest > int64(500*time.Microsecond) {
		h.Errorf("the fastest of 20 Waits took %v, want none to sleep", time.Duration(fastest))
	}
}

func deadlinePast(h *harness) {
	for _, deadline := range []int64{h.now() - 1, h.now() - int64(time.Hour), 0, -1, driver.Poll + 1} {
		h.returnsAtOnce(deadline)
	}
}

// Deadlines near the limits of an int64 are far away, and not in the past.
func deadlineFar(h *harness) {
	for _, deadline := range []int64{driver.Forever - 1, h.now() + math.MaxInt64/2, h.now() + int64(24*time.Hour)} {
		c := h.timeout(2 * time.Millisecond).submit()
		h.wait(deadline)
		c.want(-sys.ETIME)
	}
}

func deadlineSleeps(h *harness) {
	f, p := h.pair()
	h.recv(f, make([]byte, 1)).submit()
	h.poll(f, sys.PollRdhup).submit()
	h.settle()
	h.sleepsIdly()
	p.write("x")
	h.wait(driver.Forever)
}

// A deadline that has passed has no effect on the next one, whether that is earlier or later.
func deadlineSequence(h *harness) {
	f, p := h.pair()
	for range 3 {
		c := h.recv(f, make([]byte, 1)).submit()
		h.wait(h.now() + int64(time.Millisecond))
		p.write("x")
		h.wait(h.now() + int64(time.Hour))
		c.want(1)
		h.wait(h.now() + int64(3*time.Millisecond))
		h.wait(h.now() + int64(200*time.Microsecond))
	}
}

func deadlineCompletions(h *harness) {
	f, p := h.pair()
	for _, deadline := range []int64{driver.Forever, driver.Forever - 1, h.now() + int64(time.Hour)} {
		c := h.recv(f, make([]byte, 1)).submit().wantPending()
		join := h.m.beside(func() {
			h.untilWaiting()
			p.write("x")
		})
		h.wait(deadline)
		c.want(1)
		join()
	}
}

// A Wait whose deadline has passed must return everything that has come, however much that is, and report that it has
// looked.
func deadlineLate(h *harness) {
	var calls [300]*call // more than one enter or epoll_wait returns, and few enough for select
	var peers [len(calls)]*peer
	h.needDescriptors(2 * len(calls))
	for i := range calls {
		var f *desc
		f, peers[i] = h.pair()
		if i%2 == 0 {
			calls[i] = h.poll(f, sys.PollIn).submit()
		} else {
			calls[i] = h.recv(f, make([]byte, 1)).submit()
		}
	}
	h.settle()
	for _, p := range peers {
		p.write("x")
	}
	h.wait(h.now() - 1)
	for i, c := range calls {
		if !c.ended {
			h.Fatalf("a late Wait has not told of all that had come: not of stream %d of %d", i, len(calls))
		}
	}
}
