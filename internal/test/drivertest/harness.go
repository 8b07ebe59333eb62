package drivertest

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"ringo/internal/bufs"
	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
)

// harness is one case: its driver, and all that the driver was given. It watches
// every op from Submit to the last completion and fails the case for whatever
// the contract forbids, so that a case only has to say what it is about.
//
// Like a loop it belongs to one thread; wake and what peers do may come from
// any goroutine.
type harness struct {
	*testing.T
	ground
	m     machine
	d     driver.Driver
	slab  *op.Slab
	pool  *bufs.Pool
	done  driver.Queue
	out   driver.Outbox
	live  map[*op.Op]*call
	batch []driver.Completion
	descs []*desc
	peers []*peer
	held  []*bufs.Buffer
	cov   *coverage
	raws  []*op.Op // slots of ops that no call stands for
	// keep makes buffers that came with completions stay in use until giveBack.
	keep             bool
	closed, finished bool
	death            atomic.Pointer[error] // what the driver is to die of, or has
	before           map[string]bool       // descriptors that were open before the driver was

	wakesBegun, wakesEnded atomic.Int64
	wakesExcused           int64
	doing                  atomic.Int32
}

// waitMax is how long anything may take that must come; hangs is when a case is
// given up that does not come back from the driver. Both are generous, because
// they pass only when a case fails.
var (
	waitMax = patience.Max
	hangs   = 2 * patience.Max
)

// virtualMax is waitMax by a world's clock: nobody else has the processor, so what has not come by then never does.
const virtualMax = 5 * time.Second

// longest is how long anything may take that must come, by the machine's clock.
func longest(m machine) time.Duration {
	if m.virtual() {
		return min(waitMax, virtualMax)
	}
	return waitMax
}

// start opens the driver for one case. The thread is never unlocked, so it ends
// with the case, as a loop's does.
func start(t *testing.T, on ground, c testCase, cov *coverage) *harness {
	t.Helper()
	runtime.LockOSThread()
	h := &harness{T: t, ground: on, m: on.machine(t), live: make(map[*op.Op]*call), cov: cov}
	h.before = h.m.opened(t)
	h.watch()
	h.slab = op.NewSlab(0)
	if c.buffers == 0 {
		c.buffers, c.size = 64, 256
	}
	h.pool = bufs.NewRingPool(c.buffers, c.buffers, c.size, nil)
	h.d = on.open(t, h.m, driver.Config{Slab: h.slab, Now: h.m.now, Entries: on.entries, Ring: h.pool,
		Outbox: &h.out, Fault: h.fault})
	t.Cleanup(h.finish)
	return h
}

// scaled makes long loops shorter where each round takes longer, and without -long.
func scaled(rounds int) int {
	switch {
	case race.Enabled:
		return rounds / 5
	case !testmain.Long():
		return rounds / 2
	}
	return rounds
}

// another opens another driver on the same machine.
func (h *harness) another(cfg driver.Config) driver.Driver {
	cfg.Now = h.m.now
	return h.ground.open(h.T, h.m, cfg)
}

// now is the machine's clock.
func (h *harness) now() int64 { return h.m.now() }

// finish ends the case: whatever is still submitted is for Close to drain, and
// then nothing may be left of it.
func (h *harness) finish() {
	if h.finished {
		return
	}
	h.finished = true
	if !h.closed && !h.Failed() && h.death.Load() == nil {
		h.settle() // a completion too many would come now
	}
	if !h.closed {
		h.close()
	}
	kept := len(h.live) > 0 && h.mayKeep() // and the driver has said so
	if len(h.live) > 0 && !kept {
		h.Errorf("Close left %d ops without their last completion: %s", len(h.live), h.dump())
	}
	for _, f := range h.descs {
		if f.Busy() && !h.Failed() && !kept {
			h.Errorf("descriptor %d is still held after Close", f.Sys())
		}
		f.release()
	}
	for _, p := range h.peers {
		p.close()
	}
	h.giveBack()
	for _, o := range h.raws {
		if o.State == op.Idle {
			h.slab.Put(o)
		}
	}
	if h.Failed() || kept {
		return // the rest would only be a consequence
	}
	if n := h.slab.Used(); n != 0 {
		h.Errorf("%d slots in use after Close", n)
	}
	if lent, used := h.pool.Lent(), h.pool.InUse(); lent != 0 && h.death.Load() == nil || used != 0 {
		h.Errorf("after Close %d buffers are lent and %d in use", lent, used)
	}
	h.checkFDs()
}

// close closes the driver. What it drained is delivered.
func (h *harness) close() {
	h.Helper()
	h.closed = true
	h.at(inClose)
	err := h.d.Close(&h.done)
	h.at(inCase)
	h.collect()
	if err != nil && !(len(h.live) > 0 && h.mayKeep()) {
		h.Errorf("Close: %v", err)
	}
	if err == nil && len(h.live) > 0 && h.death.Load() != nil {
		h.Errorf("Close of a dead driver kept %d ops, and did not say so: %s", len(h.live), h.dump())
	}
}

// wake is Driver.Wake, counted.
func (h *harness) wake() {
	h.wakesBegun.Add(1)
	h.d.Wake()
	h.wakesEnded.Add(1)
}

// wait is Driver.Wait, with everything checked that is always true of it. It
// reports whether there were completions.
func (h *harness) wait(deadline int64) bool {
	h.Helper()
	ended := h.wakesEnded.Load()
	timed := deadline != driver.Poll && deadline != driver.Forever
	late := timed && h.now() >= deadline
	h.done.Looked = false
	h.at(inWait)
	err := h.d.Wait(deadline, &h.done)
	h.at(inCase)
	if err != nil {
		h.Fatalf("Wait: %v", err)
	}
	if late = late || timed && h.done.Len() == 0 && h.wakesBegun.Load() == 0 && !h.out.Short; late && !h.done.Looked {
		h.Errorf("a Wait that its deadline has ended does not say that it has looked since")
	}
	if h.done.Looked && (!timed || h.now() < deadline) {
		h.Errorf("a Wait says that its deadline has passed, %d, and it is %d", deadline, h.now())
	}
	if h.done.Len() > 0 {
		h.collect()
		return true
	}
	if over := h.now(); over < deadline && !h.out.Short {
		h.excuse(ended, deadline-over)
	}
	return false
}

// excuse finds a Wake for a Wait that returned with nothing before its deadline.
// Wakes that returned before that Wait began have had it; one that came during
// it may end this one and, still on its way, the next.
func (h *harness) excuse(endedBefore, early int64) {
	h.Helper()
	if h.wakesBegun.Load() <= h.wakesExcused {
		h.Fatalf("Wait returned with nothing, without a Wake, %v before its deadline", time.Duration(early))
	}
	h.wakesExcused = endedBefore
}

// until drives the driver till something holds that completions bring about.
func (h *harness) until(what string, holds func() bool) {
	h.Helper()
	h.drive(what, longest(h.m), holds)
}

// untilPeer is until for what happens at the other end, which nothing here tells
// of: so it looks every now and then.
func (h *harness) untilPeer(what string, holds func() bool) {
	h.Helper()
	h.drive(what, 200*time.Microsecond, holds)
}

func (h *harness) drive(what string, pause time.Duration, holds func() bool) {
	h.Helper()
	most := longest(h.m)
	limit := h.now() + int64(most)
	for !holds() {
		if h.now() >= limit {
			h.Fatalf("not within %v: %s; submitted: %s", most, what, h.dump())
		}
		h.wait(min(limit, h.now()+int64(pause)))
	}
}

// settle collects what is there to collect, and comes back when nothing more is.
// On socketpairs and pipes, where the kernel passes everything on at once, that
// is all that can come of what was done so far.
func (h *harness) settle() {
	h.Helper()
	for idle := 0; idle < 3; idle++ {
		if h.wait(driver.Poll) {
			idle = -1
		}
	}
}

// untilEnded waits for the last completion of each call.
func (h *harness) untilEnded(calls ...*call) {
	h.Helper()
	for _, c := range calls {
		c.end()
	}
}

// giveBack returns the buffers that keep held on to.
func (h *harness) giveBack() {
	for _, b := range h.held {
		h.pool.Put(b)
	}
	h.held = nil
}

// forbidden is the Sink of every op: only a loop may call one.
type forbidden struct{ h *harness }

func (s forbidden) Complete(o *op.Op, res int32, _ uint32) {
	s.h.Errorf("the driver called the Sink of a %s (with %s): user code must not run inside it",
		o.Def().Name, show(res))
}
