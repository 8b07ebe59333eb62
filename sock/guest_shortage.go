package sock

import (
	"errors"
	"math"
	"net"
	"os"
	"syscall"
	"time"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// loopWait is a guest that waits by a poll of the loop, because the process has no descriptor left that Go's netpoller
// could have. The guest stays at its side until the poll's last completion, which holds the descriptor.
type loopWait struct {
	s       *side
	op      *op.Op     // the loop thread's
	res     chan int32 // of the poll, with room for it
	changed chan struct{}
}

// waitOnLoop is wait without a duplicate of the descriptor.
func (g *guests) waitOnLoop(s *side) (int32, error) {
	w := &loopWait{s: s, res: make(chan int32, 1), changed: make(chan struct{}, 1)}
	w.enlist(w)
	defer w.enlist(nil)
	for {
		if err := w.over(); err != nil {
			return 0, err
		}
		if res, ok := s.try(); ok {
			return res, nil
		}
		if !g.l.Call(w.begin) {
			return 0, net.ErrClosed
		}
		switch res := w.await(); {
		case res == -sys.ECANCELED: // over says why
		case res < 0:
			return 0, callError("poll", res)
		case !s.reads() && res&(sys.PollOut|sys.PollErr|sys.PollHup) == 0:
			time.Sleep(halfClosedPause)
		}
	}
}

// outOfDescriptors reports whether that is why the netpoller can't have the descriptor of a handle that the loop can
// watch for guests. A listener can't: there the loop is to accept.
func (g *guests) outOfDescriptors(err error) bool {
	_, lends := g.host.(lender)
	return lends && (errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE))
}

func (w *loopWait) enlist(as *loopWait) {
	w.s.g.mu.Lock()
	defer w.s.g.mu.Unlock()
	w.s.polls = as
}

// tell has the guest that waits, if one does, look at its deadline and whether it is to go. The caller holds mu.
func (w *loopWait) tell() {
	if w == nil {
		return
	}
	select {
	case w.changed <- struct{}{}:
	default: // it has been told
	}
}

// over is why the guest is not to wait.
func (w *loopWait) over() error {
	g := w.s.g
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return net.ErrClosed
	case w.s.interrupted:
		return os.ErrDeadlineExceeded
	}
	return w.s.passed()
}

// begin submits the poll, on the loop's thread.
func (w *loopWait) begin() {
	g := w.s.g
	if w.over() != nil {
		w.res <- -sys.ECANCELED
		return
	}
	o := g.l.NewOp(op.Poll)
	if o == nil {
		w.res <- -sys.ENOBUFS
		return
	}
	o.FD, o.Arg, o.Sink = g.fd, interest, w
	if !w.s.reads() {
		o.Arg = sys.PollOut
	}
	w.op = o
	g.l.Submit(o)
}

// Complete is told of the poll's end.
func (w *loopWait) Complete(o *op.Op, res int32, _ uint32) {
	g := w.s.g
	w.op = nil
	g.l.FreeOp(o)
	if !g.fd.Busy() { // a stray is closed without the loop, which must not know it by then
		forget := call(g.l, op.Close)
		forget.FD, forget.Arg = g.fd, op.ForgetOnly
		g.l.Try(forget)
	}
	g.host.vacated() // if it is closing, the poll may have been all that it waited for beside the guest
	w.res <- res
}

// await gives the poll's result, for whose end it asks when the wait is over.
func (w *loopWait) await() int32 {
	limit := time.NewTimer(math.MaxInt64)
	defer limit.Stop()
	for canceled := false; ; {
		if at := w.s.limit.Load(); at != 0 && !canceled {
			limit.Reset(time.Duration(at - w.s.g.l.Elapsed()))
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
			w.s.g.l.Call(w.cancel) // a loop that ends cancels by itself
		}
	}
}

// cancel asks for the poll's end, on the loop's thread.
func (w *loopWait) cancel() {
	if w.op != nil {
		w.s.g.l.Cancel(w.op)
	}
}
