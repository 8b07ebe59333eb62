package drivertest

import (
	"errors"
	"slices"
	"time"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// A dead driver ends all ops that it was given. The kernel may keep an op that uses memory of its owner, and then Close
// reports that.
var deathCases = []testCase{
	{name: "of ops of all kinds", run: deathOfAll},
	{name: "before they were waited for", run: deathUnwaited},
	{name: "cancelled before they were waited for", run: deathCanceledUnwaited},
	{name: "in a cancel", run: deathInCancel},
	{name: "past capacity", run: deathPastCapacity},
	{name: "of ops that wait their turn", run: deathTurns},
	{name: "of cancelled ops", run: deathCanceled},
	{name: "of a full send that went in part", run: deathPartial},
	{name: "of a file's ops", run: deathFileOps},
	{name: "in a sleep", run: deathAsleep},
	{name: "is for good", run: deathForGood},
	{name: "of what is submitted later", run: deathLater},
	{name: "leaves Try alone", run: deathTry},
}

var errDeath = errors.New("dead on purpose")

// fault is the driver's Config.Fault.
func (h *harness) fault() error {
	if err := h.death.Load(); err != nil {
		return *err
	}
	return nil
}

// die makes the driver die, in the first Wait that would enter the kernel.
func (h *harness) die() {
	h.Helper()
	h.death.Store(&errDeath)
	h.at(inWait)
	for h.d.Wait(driver.Forever, &h.done) == nil {
		h.collect()
	}
	h.at(inCase)
	h.collect()
}

// waitDead is a Wait of a dead driver, which must fail at once, whatever the deadline.
func (h *harness) waitDead() {
	h.Helper()
	began := h.now()
	h.at(inWait)
	err := h.d.Wait(driver.Forever, &h.done)
	h.at(inCase)
	if err != errDeath {
		h.Fatalf("Wait of a dead driver: %v, want what it died of", err)
	}
	if took := time.Duration(h.now() - began); took > waitMax/2 {
		h.Errorf("Wait of a dead driver took %v", took)
	}
	h.collect()
}

// wantAllEnded fails the case if a submitted op has not ended.
func (h *harness) wantAllEnded() {
	h.Helper()
	if len(h.live) > 0 {
		h.Errorf("Wait of a dead driver left %d ops: %s", len(h.live), h.dump())
	}
}

// mayKeep reports whether all remaining ops are such that a dead ring may keep them: they wait for a peer whose bytes
// would go into their memory, and the kernel can't be told to end them.
func (h *harness) mayKeep() bool {
	info := h.d.Info()
	if info.Name != "uring" || slices.Contains(info.Features, "defer_taskrun") {
		return false
	}
	for o := range h.live {
		if o.State != op.InFlight || o.Buf == nil && o.Ext == nil || o.Def().Kind == op.Blocking {
			return false
		}
	}
	return h.death.Load() != nil
}

// endsAll waits until all submitted ops have ended, or may be kept.
func (h *harness) endsAll() {
	h.Helper()
	for limit := h.now() + int64(longest(h.m)); len(h.live) > 0 && !h.mayKeep(); h.waitDead() {
		for o, c := range h.live {
			if o.State == op.Queued {
				h.Fatalf("a dead driver keeps %s, which the kernel has never seen", c)
			}
		}
		if h.now() > limit {
			h.Fatalf("a dead driver left %d ops: %s", len(h.live), h.dump())
		}
	}
}

func deathOfAll(h *harness) {
	var calls []*call
	for _, k := range waitingKinds {
		c, _ := k.make(h)
		calls = append(calls, c.submit())
	}
	h.settle()
	h.die()
	h.endsAll()
	for _, c := range calls {
		if c.ended && c.results[len(c.results)-1].res != -sys.ECANCELED {
			h.Errorf("%s ended with %s, want -ECANCELED", c, show(c.results[len(c.results)-1].res))
		}
	}
}

// Ops that the kernel has not seen always end, and at once.
func deathUnwaited(h *harness) {
	h.submitAll()
	h.nop().submit()
	h.die()
	h.endsAll() // a small ring has already submitted some of them
}

// An op that was cancelled before the kernel saw it ends as those do that the kernel has.
func deathCanceledUnwaited(h *harness) {
	for _, k := range waitingKinds {
		c, _ := k.make(h)
		c.submit().cancel()
	}
	h.nop().submit().cancel()
	h.die()
	h.endsAll()
}

// A cancel past capacity has the driver enter the kernel, which it can die of.
func deathInCancel(h *harness) {
	f, _ := h.pair()
	var calls []*call
	for range h.past() {
		calls = append(calls, h.poll(f, sys.PollIn).submit())
	}
	h.death.Store(&errDeath)
	for _, c := range calls {
		c.cancel()
	}
	h.die()
	h.wantAllEnded()
}

func deathPastCapacity(h *harness) {
	f := h.eventfd()
	for range h.past() {
		h.poll(f, sys.PollIn).submit()
		h.timeout(time.Hour).submit()
	}
	h.wait(driver.Poll)
	h.die()
	h.wantAllEnded()
}

func deathTurns(h *harness) {
	f, _ := h.pair()
	h.recvMulti(f).submit()
	h.wait(driver.Poll)
	for range 10 {
		h.recv(f, make([]byte, 1)).submit()
	}
	h.wait(driver.Poll)
	h.die()
	h.wantAllEnded()
}

func deathCanceled(h *harness) {
	f := h.eventfd()
	var calls []*call
	for range 20 {
		calls = append(calls, h.poll(f, sys.PollIn).submit())
	}
	h.settle()
	for _, c := range calls[10:] {
		c.cancel()
	}
	h.die()
	h.wantAllEnded()
}

// The result is what a full send has sent before.
func deathPartial(h *harness) {
	f, p := h.pair()
	h.smallBuffers(f)
	c := h.sendFull(f, make([]byte, 200_000)).submit().wantPending()
	h.die()
	h.wantAllEnded()
	if n := int32(p.drain()); c.ended && (n == 0 || c.results[0].res != n) {
		h.Errorf("a send ended with %s, and %d bytes came", show(c.results[0].res), n)
	}
}

// An op that a worker or a disk has begun ends as its call does.
func deathFileOps(h *harness) {
	f := h.file("content")
	for i := range 20 {
		h.read(f, make([]byte, 7), 0).submit()
		if i == 10 {
			h.wait(driver.Poll)
		}
	}
	h.die()
	h.endsAll()
}

func deathAsleep(h *harness) {
	f := h.eventfd()
	h.poll(f, sys.PollIn).submit()
	h.settle()
	join := h.m.beside(func() {
		h.aWhile()
		h.death.Store(&errDeath)
		h.wake()
	})
	for h.death.Load() == nil {
		if h.at(inWait); h.d.Wait(driver.Forever, &h.done) != nil {
			break
		}
	}
	join()
	h.waitDead()
	h.wantAllEnded()
}

func deathForGood(h *harness) {
	h.die()
	for range 3 {
		h.waitDead()
	}
	h.wake()
	h.waitDead()
}

// Tasks and handles that are ending still wait for ops, and each of these waits ends.
func deathLater(h *harness) {
	h.die()
	for range 3 {
		h.submitAll()
		h.nop().submit()
		h.waitDead()
		h.wantAllEnded()
	}
	h.submitAll()
	h.close()
	h.wantAllEnded()
}

func deathTry(h *harness) {
	f, p := h.pair()
	h.die()
	p.write("hello")
	h.wantTry(&op.Op{Code: op.Recv, FD: &f.FD, Buf: make([]byte, 8)}, 5)
}
