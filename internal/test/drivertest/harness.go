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

// harness is one running case: its driver, and everything that the driver was given. It watches every op from Submit to
// its last completion and fails the case if the driver breaks the contract, so that a case only has to check what it is
// about.
//
// Like a loop, a harness belongs to one thread; only wake and the peers may be used from any goroutine.
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
	raws  []*op.Op // slots of ops that have no call
	// keep makes the harness hold on to the buffers that come with completions, until giveBack.
	keep             bool
	closed, finished bool
	death            atomic.Pointer[error] // the error that the driver is to die of, or has died of
	before           map[string]bool       // descriptors that were open before the driver was opened

	wakesBegun, wakesEnded atomic.Int64
	wakesExcused           int64
	doing                  atomic.Int32
}

// waitMax is how long anything that must come may take. hangs is how long a call of the driver may take before the case
// is given up. Both are generous: only a case that fails ever waits for them.
var (
	waitMax = patience.Max
	hangs   = 2 * patience.Max
)

// virtualMax is waitMax by a world's clock. No other program competes for the processor there, so what has not come by
// then never does.
const virtualMax = 5 * time.Second

// longest returns how long anything that must come may take, by the machine's clock.
func longest(m machine) time.Duration {
	if m.virtual() {
		return min(waitMax, virtualMax)
	}
	return waitMax
}

// start opens the driver for one case. It locks the goroutine to its thread and never unlocks it, so the thread ends
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

// scaled reduces the rounds of a long loop: under the race detector, where each round takes longer, and without -long.
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

// now reads the machine's clock.
func (h *harness) now() int64 { return h.m.now() }

// finish ends the case: Close drains the ops that are still submitted, and after it nothing of them may be left.
func (h *harness) finish() {
	if h.finished {
		return
	}
	h.finished = true
	if !h.closed && !h.Failed() && h.death.Load() == nil {
		h.settle() // a surplus completion would come now
	}
	if !h.closed {
		h.close()
	}
	kept := len(h.live) > 0 && h.mayKeep() // and the driver has reported it
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
		return // further faults would only follow from these
	}
	if n := h.slab.Used(); n != 0 {
		h.Errorf("%d slots in use after Close", n)
	}
	if lent, used := h.pool.Lent(), h.pool.InUse(); lent != 0 && h.death.Load() == nil || used != 0 {
		h.Errorf("after Close %d buffers are lent and %d in use", lent, used)
	}
	h.checkFDs()
}

// close closes the driver and delivers the completions of what Close drained.
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

// wake calls Driver.Wake and counts the calls.
func (h *harness) wake() {
	h.wakesBegun.Add(1)
	h.d.Wake()
	h.wakesEnded.Add(1)
}

// wait calls Driver.Wait, and checks all that must be true of every Wait. It reports whether there were completions.
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

// excuse accounts for a Wait that returned without completions before its deadline: only a Wake allows that. A Wake
// that returned before this Wait began is used up by it. A Wake that overlaps this Wait may end it and, if the Wake is
// not yet over, the next Wait too.
func (h *harness) excuse(endedBefore, early int64) {
	h.Helper()
	if h.wakesBegun.Load() <= h.wakesExcused {
		h.Fatalf("Wait returned with nothing, without a Wake, %v before its deadline", time.Duration(early))
	}
	h.wakesExcused = endedBefore
}

// until drives the driver until holds returns true, as a consequence of completions.
func (h *harness) until(what string, holds func() bool) {
	h.Helper()
	h.drive(what, longest(h.m), holds)
}

// untilPeer is until for changes at the other end, of which the driver gets no completion: it calls holds every 200 µs.
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

// settle collects completions until there are no more. On socketpairs and pipes the kernel passes everything on at
// once, so by then everything that was done before has had its effect.
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

// giveBack returns to the pool the buffers that were held because of keep.
func (h *harness) giveBack() {
	for _, b := range h.held {
		h.pool.Put(b)
	}
	h.held = nil
}

// forbidden is the Sink of every op. It fails the case when it is called: only a loop may call a Sink, never a driver.
type forbidden struct{ h *harness }

func (s forbidden) Complete(o *op.Op, res int32, _ uint32) {
	s.h.Errorf("the driver called the Sink of a %s (with %s): user code must not run inside it",
		o.Def().Name, show(res))
}
