//go:build linux

package uring

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/bufs"
	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/test/uringtest"
)

// world is the driver on a kernel in Go, and all that the driver was given: it
// plays the loop and the peers, and knows what must come of each op. Time is the
// clock's, which stands still but while the driver sleeps.
type world struct {
	testing.TB
	watcher
	name  string // for messages: how to run this again
	clock *uringtest.Clock
	pool  *bufs.Pool
	done  driver.Queue
	out   driver.Outbox
	calls map[*op.Op]*call

	streams  []*stream
	listener *listener
	file     *file
	folder   *folder
	held     []lease
	leaving  []*stream // of the sends in the outbox
	results  []int32   // of the latest sends
	stale    uint64    // completions that may come for nobody
	lossy    bool      // sends may meet what a case has arranged
	fds      int       // open before
	thread   int
	woken    bool
	meantime func() // what happens while the driver sleeps
	closed   bool
}

// setting is where a world begins.
type setting struct {
	entries int
	buffers int // of 32 bytes each
	start   uint32
	script  uringtest.Script
	without []string
}

// call is one op under way.
type call struct {
	o        *op.Op
	token    uint64
	s        *stream
	in, out  []byte                     // where a receive receives to, what a send sends
	then     func(res int32, done bool) // checks the end of an op of fileRows
	canceled bool
	due      int64 // of a timeout
	got      int   // completions
	res      int32 // of the last one
	ended    bool
}

// lease is a buffer that came with a completion and is still in use.
type lease struct {
	b    *bufs.Buffer
	copy string
}

func newWorld(t testing.TB, name string, s setting) *world {
	t.Helper()
	w := &world{TB: t, name: name, clock: new(uringtest.Clock), calls: make(map[*op.Op]*call),
		fds: countFDs(t), thread: unix.Gettid()}
	w.clock.Advance(time.Hour)
	w.slab = op.NewSlab(0)
	w.pool = bufs.NewRingPool(max(s.buffers, 1), max(s.buffers, 1), 32, nil)
	w.k = uringtest.New(uringtest.Config{
		Script: s.script, Clock: w.clock, Start: s.start, Check: w.check, Shared: w.shared,
		Fail: func(fault string) {
			w.Helper()
			if unix.Gettid() != w.thread {
				panic(w.name + ": " + fault) // only the test's own thread may fail it
			}
			w.fail("%s", fault)
		},
		Asleep: func() {
			for w.d.offloads.Len() > 0 && sys.Poll(w.d.wakeFD, sys.PollIn) == 0 {
				runtime.Gosched() // workers are real, and the clock is not
			}
			if do := w.meantime; do != nil {
				w.meantime = nil
				do()
			}
		},
	})
	w.open(t, driver.Config{Slab: w.slab, Now: w.clock.Now, Entries: s.entries, Ring: w.pool,
		Outbox: &w.out}, s.without...)
	w.d.rest = func(d time.Duration) {
		if w.d.offloads.Len() > 0 { // no time passes meanwhile
			runtime.Gosched()
			return
		}
		w.clock.Advance(d)
	}
	return w
}

func (w *world) fail(format string, args ...any) {
	w.Helper()
	w.Fatalf("%s: %s", w.name, fmt.Sprintf(format, args...))
}

// op takes a slot.
func (w *world) op(code op.Code, f *fd.FD) *call {
	o := w.slab.Get(code)
	o.FD = f
	return &call{o: o}
}

func (w *world) submit(c *call) *call {
	c.token = c.o.Token()
	w.calls[c.o] = c
	if w.d.Submit(c.o); c.o.State != op.Queued && c.o.State != op.InFlight {
		w.fail("%s is in state %d after Submit", c, c.o.State)
	}
	return c
}

func (c *call) String() string {
	return fmt.Sprintf("%s (slot %#x, flags %#x)", c.o.Def().Name, c.token, c.o.Flags)
}

func (w *world) cancel(c *call) {
	c.canceled = true
	if w.d.Cancel(c.o); c.o.State != op.Queued && c.o.State != op.InFlight {
		w.fail("%s is in state %d after Cancel, before a Wait", c, c.o.State)
	}
}

func (w *world) wake() {
	w.woken = true
	w.d.Wake()
}

// soon is a deadline.
func (w *world) soon(d time.Duration) int64 { return w.clock.Now() + int64(d) }

// wait is one Wait with all that is always true of it. It reports whether there
// were completions.
func (w *world) wait(deadline int64) bool {
	w.k.Tick()
	refused := w.refusals()
	if err := w.d.Wait(deadline, &w.done); err != nil {
		w.fail("Wait: %v", err)
	}
	any := w.done.Len() > 0
	if !any && w.clock.Now() < deadline && !w.out.Short {
		if !w.woken {
			w.fail("Wait returned with nothing, %v before its deadline", time.Duration(deadline-w.clock.Now()))
		}
		w.woken = false
	}
	if !any && w.k.Overflowed() > 0 && w.refusals() == refused {
		w.fail("Wait returned with nothing, and %d CQEs that overflowed are still in the kernel", w.k.Overflowed())
	}
	w.meantime = nil
	w.takeOut()
	w.collect()
	w.audit()
	return any
}

// refusals counts the enters that did not get to where completions are fetched.
func (w *world) refusals() int {
	counts := w.k.Counts()
	return counts[uringtest.EnterFails] + counts[uringtest.TakeLess]
}

// collect takes the completions.
func (w *world) collect() {
	for c, ok := w.done.Pop(); ok; c, ok = w.done.Pop() {
		w.deliver(c)
	}
}

func (w *world) deliver(d driver.Completion) {
	c := w.calls[d.Op]
	switch {
	case c == nil:
		w.fail("a completion (%d) of slot %#x, which has no op under way", d.Res, d.Op.Token())
	case c.token != d.Op.Token():
		w.fail("%s completed as %#x", c, d.Op.Token())
	case d.Res == -int32(unix.EAGAIN), d.Res == -int32(unix.EINTR), d.Res <= -512:
		w.fail("%s completed with %d, which must never leave a driver", c, d.Res)
	case d.Flags&op.More != 0 && (d.Op.Flags&op.Multishot == 0 && d.Op.Code != op.SendZC || d.Res < 0):
		w.fail("%s completed with %d and More", c, d.Res)
	}
	c.got++
	c.res = d.Res
	w.account(c, d.Res, d.Flags)
	if d.Flags&op.More != 0 {
		return
	}
	c.ended = true
	delete(w.calls, d.Op)
	if d.Op.State != op.Idle {
		w.fail("%s has completed and is in state %d", c, d.Op.State)
	}
	w.k.Live(func(r *uringtest.Request) {
		if u := r.SQE.User_data; u&^op.TokenMarks == c.token && (mark(u) == markOp || mark(u) == markPoll) {
			w.fail("%s has completed, and the kernel still has %v", c, r)
		}
	})
	w.slab.Put(d.Op)
}

// audit compares what the driver believes with what the kernel knows, when nothing
// is on its way between them.
func (w *world) audit() {
	if n := w.d.stats.Stale; n > w.stale {
		w.fail("%d completions were for nobody that the driver knows", n)
	}
	if w.closed || !w.k.Quiet() || w.d.r.SQPending() > 0 {
		return
	}
	live, timers := 0, 0
	w.k.Live(func(r *uringtest.Request) {
		switch mark(r.SQE.User_data) {
		case markOp, markPoll:
			live++
		case markTimer:
			timers++
		}
	})
	if live != w.d.inFlight-w.d.offloads.Len() || timers > 1 {
		w.fail("the driver counts %d requests in flight, the kernel has %d, and %d timers",
			w.d.inFlight-w.d.offloads.Len(), live, timers)
	}
	if w.pool.Lends() && w.pool.Lent() != w.k.Lent(op.RingGroup) {
		w.fail("the pool has lent %d buffers, and the kernel has %d", w.pool.Lent(), w.k.Lent(op.RingGroup))
	}
	for o, c := range w.calls {
		if o.State != op.Queued && o.State != op.InFlight {
			w.fail("%s is in state %d, and its last completion has not come", c, o.State)
		}
	}
}

// hold keeps a buffer that came with a completion, or gives it back.
func (w *world) hold(flags uint32, n int32, keep bool) string {
	b := w.pool.Filled(uint16(op.BufferID(flags)), int(n))
	text := string(b.Unread())
	if keep {
		w.held = append(w.held, lease{b, text})
	} else {
		w.pool.Put(b)
	}
	return text
}

// giveBack returns what hold has kept. Nobody may have written there.
func (w *world) giveBack() {
	for _, l := range w.held {
		if string(l.b.Unread()) != l.copy {
			w.fail("a buffer was written to while it was in use")
		}
		w.pool.Put(l.b)
	}
	w.held = w.held[:0]
}

// close closes the driver, and checks that nothing is left of anything.
func (w *world) close() {
	w.closed = true
	if err := w.d.Close(&w.done); err != nil {
		w.fail("Close: %v", err)
	}
	w.collect()
	w.giveBack()
	for _, c := range w.calls {
		w.fail("Close left %s without its last completion", c)
	}
	for _, s := range w.streams {
		w.finish(s)
	}
	if w.listener != nil {
		w.listener.finish(w)
	}
	if w.file != nil {
		sys.Close(w.file.Sys())
	}
	if w.folder != nil {
		w.folder.finish(w)
	}
	if n := w.slab.Used(); n != 0 {
		w.fail("%d slots are in use after Close", n)
	}
	if lent, used := w.pool.Lent(), w.pool.InUse(); lent != 0 || used != 0 {
		w.fail("after Close %d buffers are lent and %d in use", lent, used)
	}
	if n := countFDs(w); n != w.fds {
		w.fail("%d descriptors are open after Close, %d were before", n, w.fds)
	}
}

// until waits till something holds. It must come by itself, so that no more than
// the kernel's whims can be in the way, and within a time.
func (w *world) until(what string, holds func() bool) {
	limit := w.soon(time.Minute)
	for !holds() {
		if w.wait(limit); !holds() && w.clock.Now() >= limit {
			w.fail("it never came: %s; under way are %v", what, w.calls)
		}
	}
}

// ends waits for the last completion of calls.
func (w *world) ends(calls ...*call) {
	for _, c := range calls {
		w.until("the end of "+c.String(), func() bool { return c.ended })
	}
}

// countFDs counts the descriptors that are open.
func countFDs(t testing.TB) int {
	t.Helper()
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(math.MaxInt)
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}
