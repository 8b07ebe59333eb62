package handle

import (
	"errors"
	"math"
	"os"
	"time"

	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// loopWait is a foreign caller that waits by a poll of the loop, because the process has no descriptor left
// that Go's netpoller could have. The caller keeps its access until the poll's last completion, which holds the
// descriptor.
type loopWait struct {
	h       *half
	op      *op.Op     // the loop thread's
	res     chan int32 // of the poll, with room for it
	changed chan struct{}
}

// waitOnLoop is wait without a duplicate of the descriptor.
func (f *foreign) waitOnLoop(h *half) (int32, error) {
	w := &loopWait{h: h, res: make(chan int32, 1), changed: make(chan struct{}, 1)}
	w.enlist(w)
	defer w.enlist(nil)
	for {
		if err := w.over(); err != nil {
			return 0, err
		}
		if res, ok := h.try(); ok {
			return res, nil
		}
		if !f.c.l.Call(w.begin) {
			return 0, f.closedErr()
		}
		switch res := w.await(); {
		case res == -sys.ECANCELED: // over says why
		case res < 0:
			return 0, CallError("poll", res)
		case h.dir == Out && res&(sys.PollOut|sys.PollErr|sys.PollHup) == 0:
			time.Sleep(halfClosedPause)
		}
	}
}

// outOfDescriptors reports whether that is why the netpoller can't have the descriptor.
func outOfDescriptors(err error) bool {
	return errors.Is(err, posix.EMFILE) || errors.Is(err, posix.ENFILE)
}

func (w *loopWait) enlist(as *loopWait) {
	w.h.f.mu.Lock()
	defer w.h.f.mu.Unlock()
	w.h.polls = as
}

// tell has the caller that waits, if one does, look at its deadline and whether it is to go. The caller holds mu.
func (w *loopWait) tell() {
	if w == nil {
		return
	}
	select {
	case w.changed <- struct{}{}:
	default: // it has been told
	}
}

// over is why the caller is not to wait.
func (w *loopWait) over() error {
	f := w.h.f
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closing:
		return f.closedErr()
	case w.h.interrupted:
		return os.ErrDeadlineExceeded
	}
	return f.c.late(w.h.dir, f.c.l.Elapsed())
}

// begin submits the poll, on the loop's thread.
func (w *loopWait) begin() {
	f := w.h.f
	if w.over() != nil {
		w.res <- -sys.ECANCELED
		return
	}
	o := f.c.l.NewOp(op.Poll)
	if o == nil {
		w.res <- -sys.ENOBUFS
		return
	}
	o.FD, o.Events, o.Sink = &f.c.fd, interest, w
	if w.h.dir == Out {
		o.Events = sys.PollOut
	}
	w.op = o
	f.c.l.Submit(o)
}

// Complete is told of the poll's end.
func (w *loopWait) Complete(o *op.Op, res int32, _ uint32) {
	f := w.h.f
	w.op = nil
	f.c.l.FreeOp(o)
	f.c.Forget() // a detached handle is closed without the loop, which must not know it by then
	f.c.Settle() // if it is closing, the poll may have been all that it waited for beside the caller
	w.res <- res
}

// await gives the poll's result, for whose end it asks when the wait is over.
func (w *loopWait) await() int32 {
	limit := time.NewTimer(math.MaxInt64)
	defer limit.Stop()
	for canceled := false; ; {
		if at := w.h.f.c.limits[w.h.dir].Load(); at != 0 && !canceled {
			limit.Reset(time.Duration(at - w.h.f.c.l.Elapsed()))
		} else {
			limit.Stop()
		}
		select {
		case res := <-w.res:
			return res
		case <-w.changed:
		case <-limit.C:
		}
		if !canceled && w.over() != nil {
			canceled = true
			w.h.f.c.l.Call(w.cancel) // a loop that ends cancels by itself
		}
	}
}

// cancel asks for the poll's end, on the loop's thread.
func (w *loopWait) cancel() {
	if w.op != nil {
		w.h.f.c.l.Cancel(w.op)
	}
}

// Pause has a foreign caller that has access wait for d, for something else than the handle. It fails if the
// caller is to go.
func (a Access) Pause(d time.Duration) error { return a.InPlace(func() error { return a.h.pause(d) }) }

func (h *half) pause(d time.Duration) error {
	w := &loopWait{h: h, changed: make(chan struct{}, 1)}
	w.enlist(w)
	defer w.enlist(nil)
	t := time.NewTimer(math.MaxInt64)
	defer t.Stop()
	c := h.f.c
	for end := c.l.Elapsed() + int64(d); ; {
		now := c.l.Elapsed()
		if err := w.over(); err != nil || now >= end {
			return err
		}
		until := end
		if at := c.limits[h.dir].Load(); at != 0 {
			until = min(until, at)
		}
		t.Reset(time.Duration(until - now))
		select {
		case <-t.C:
		case <-w.changed:
		}
	}
}
