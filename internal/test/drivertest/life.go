package drivertest

import (
	"errors"
	"fmt"
	"time"

	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// In every case the harness checks most of an op's life: its states, its hold on the descriptor, that it has one last
// completion, and that the driver calls no Sink. These cases check the rest.
var lifeCases = []testCase{
	{name: "nop completes with 0", run: func(h *harness) { h.nop().submit().want(0) }},
	{name: "submitted twice is refused", run: submittedTwice},
	{name: "nothing comes of nothing", run: func(h *harness) { h.settle() }},
	{name: "one completion each", run: oneCompletionEach},
	{name: "poll collects what is done", run: pollCollects},
	{name: "slot is reused at once", run: slotReused},
	{name: "op is submitted again", run: submittedAgain},
	{name: "completions add to the queue", run: addsToQueue},
	{name: "two drivers", run: twoDrivers},
	{name: "info", run: infoTells},
}

func oneCompletionEach(h *harness) {
	calls := make([]*call, min(h.entries, 100))
	for i := range calls {
		calls[i] = h.nop().submit()
	}
	h.untilEnded(calls...)
	h.settle()
	for _, c := range calls {
		c.want(0)
	}
}

// Wait with Poll submits and collects, though it doesn't sleep.
func pollCollects(h *harness) {
	c := h.nop().submit()
	if !h.wait(driver.Poll) || !c.ended {
		h.Error("one Wait with Poll did not collect a nop")
	}
	a, b := h.pair()
	r := h.recv(a, make([]byte, 8)).submit().wantPending()
	b.write("now")
	if h.wait(driver.Poll); !r.ended {
		h.Error("one Wait with Poll did not collect a receive whose data was there")
	}
}

// The op of each round gets the slot of the previous one, in the next generation.
func slotReused(h *harness) {
	a, b := h.pair()
	tokens := make(map[uint64]bool)
	for range 50 {
		c := h.recv(a, make([]byte, 1)).submit()
		if tokens[c.token] {
			h.Fatalf("token %#x came twice", c.token)
		}
		tokens[c.token] = true
		b.write("x")
		c.want(1)
	}
	if n := h.slab.Used(); n != 0 {
		h.Errorf("%d slots in use, want none", n)
	}
}

// The owner of an op may keep it, and submit it again as soon as it is Idle.
func submittedAgain(h *harness) {
	a, b := h.pair()
	o := h.slab.Get(op.Recv)
	defer h.slab.Put(o)
	p := make([]byte, 4)
	for i := range 50 {
		o.FD, o.Buf, o.Done, o.Canceled = &a.FD, p, 0, false
		o.Sink = forbidden{h}
		h.d.Submit(o)
		if i%2 == 1 {
			b.write("data")
		} else {
			h.settleRaw()
			h.d.Cancel(o)
		}
		want := int32(4)
		if i%2 == 0 {
			want = -sys.ECANCELED
		}
		if c := h.rawCompletion(); c.Op != o || c.Res != want || o.State != op.Idle {
			h.Fatalf("round %d: completed with %s in state %d, want %s in state Idle", i,
				show(c.Res), o.State, show(want))
		}
	}
}

// rawCompletion waits for one completion of an op that has no call.
func (h *harness) rawCompletion() driver.Completion {
	h.Helper()
	most := longest(h.m)
	limit := h.now() + int64(most)
	for h.done.Len() == 0 {
		if err := h.d.Wait(limit, &h.done); err != nil {
			h.Fatal(err)
		}
		if h.now() > limit {
			h.Fatalf("no completion within %v", most)
		}
	}
	c, _ := h.done.Pop()
	return c
}

// settleRaw lets an op that has no call get under way.
func (h *harness) settleRaw() {
	h.Helper()
	if err := h.d.Wait(driver.Poll, &h.done); err != nil || h.done.Len() > 0 {
		h.Fatalf("Wait: %v, and %d completions; want none", err, h.done.Len())
	}
}

// A Wait appends to a queue that already holds a completion, and does not return because of that one.
func addsToQueue(h *harness) {
	first, second := h.nop().submit(), h.timeout(time.Millisecond)
	if err := h.d.Wait(driver.Forever, &h.done); err != nil || h.done.Len() != 1 {
		h.Fatalf("Wait: %v, and %d completions; want 1", err, h.done.Len())
	}
	second.submit()
	if err := h.d.Wait(driver.Forever, &h.done); err != nil || h.done.Len() != 2 {
		h.Fatalf("Wait: %v, and %d completions; want the one before and a new one", err, h.done.Len())
	}
	h.collect()
	first.want(0)
	second.want(-sys.ETIME)
}

// Drivers share nothing: two of them, on two threads, exchange messages. The second has only what Config requires.
func twoDrivers(h *harness) {
	const rounds = 20
	mine, theirs := h.pair()
	ended := make(chan error, 1)
	join := h.m.beside(func() {
		h.m.pin()
		slab := op.NewSlab(0)
		d := h.another(driver.Config{Slab: slab})
		ended <- errors.Join(echo(d, slab, theirs.n, rounds), d.Close(new(driver.Queue)))
	})
	for range rounds {
		h.send(mine, []byte("ping")).submit().want(4)
		h.recv(mine, make([]byte, 4)).submit().want(4)
	}
	join()
	if err := <-ended; err != nil {
		h.Error(err)
	}
}

// echo receives and sends four bytes on a driver without a harness.
func echo(d driver.Driver, slab *op.Slab, n int32, rounds int) error {
	var f fd.FD
	f.Init(n)
	p := make([]byte, 4)
	for i := range 2 * rounds {
		o := slab.Get(op.Recv)
		if i%2 == 1 {
			o.Code = op.Send
		}
		o.FD, o.Buf = &f, p
		d.Submit(o)
		var done driver.Queue
		for done.Len() == 0 {
			if err := d.Wait(driver.Forever, &done); err != nil {
				return err
			}
		}
		if c, _ := done.Pop(); c.Op != o || c.Res != 4 {
			return fmt.Errorf("the other driver: %s completed with %s, want 4", o.Def().Name, show(c.Res))
		}
		slab.Put(o)
	}
	return nil
}

func infoTells(h *harness) {
	info := h.d.Info()
	if info.Name == "" {
		h.Error("the driver has no name")
	}
	if info.Entries != 0 && info.Entries != h.entries {
		h.Errorf("the submission queue has %d entries, want %d, or 0 for none", info.Entries, h.entries)
	}
	const n = 5
	for range n {
		h.nop().submit().want(0)
	}
	if was, is := info.Stats, h.d.Info().Stats; is.Completions < was.Completions+n {
		h.Errorf("%d completions were counted, want %d", is.Completions-was.Completions, n)
	}
}

// A submitted op belongs to the driver. These mistakes must panic: to submit it again, to submit to a closed driver,
// and to cancel an op that was not submitted. Otherwise a list of ops could become a circle.
func submittedTwice(h *harness) {
	f := h.eventfd()
	queued := h.poll(f, sys.PollIn).submit()
	h.wantPanic("submit of an op that is queued", h.d.Submit, queued.o)
	h.settle()
	h.wantPanic("submit of an op in flight", h.d.Submit, queued.o)
	queued.cancel().wantEnd(-sys.ECANCELED)
	late := h.slab.Get(op.Nop)
	h.wantPanic("cancel of an op that was not submitted", h.d.Cancel, late)
	h.close()
	h.wantPanic("submit to a closed driver", h.d.Submit, late)
	h.slab.Put(late)
}

// wantPanic makes a call that must panic.
func (h *harness) wantPanic(what string, call func(*op.Op), o *op.Op) {
	h.Helper()
	defer func() {
		h.Helper()
		if recover() == nil {
			h.Fatalf("nobody complained of the %s", what)
		}
	}()
	call(o)
}
