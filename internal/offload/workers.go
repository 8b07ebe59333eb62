package offload

import (
	"fmt"
	"sync/atomic"
	"time"

	"ringo/internal/mailbox"
	"ringo/internal/sys"
)

// Workers is the engine that runs requests on goroutines. It takes all of them.
type Workers struct {
	pool   *Pool
	signal func()
	landed mailbox.Queue[*Request]
	batch  mailbox.Batch[*Request]
	spare  *flight // to use again, linked by next
	flying int
}

// NewWorkers makes an engine that runs at most max requests at once, with all
// workers but one on loan from the budget, which may be nil. signal is called, on
// any goroutine, when there is something for Next; also after Close, by what was
// left behind.
func NewWorkers(max int, budget *Budget, signal func()) *Workers {
	return &Workers{pool: NewShared(max, budget), signal: signal}
}

// flight is a request on its way. It is not part of the request, so that a worker
// keeps what it is about when its request is given up.
type flight struct {
	Job
	w     *Workers
	r     *Request
	copy  Request
	state atomic.Uint32
	next  *flight
}

// The states of a flight. Owner and worker each want to be the one to leave the
// first.
const (
	aloft uint32 = iota
	landed
	forsaken
)

// Submit refuses requests only when the engine is closed, with -ECANCELED.
func (w *Workers) Submit(r *Request) int32 {
	if r.flight != nil || r.slot != nil {
		panic(fmt.Sprintf("offload: request submitted that is submitted (fd %d)", r.FD))
	}
	if r.Dispose != nil && r.Kind != Call {
		panic(fmt.Sprintf("offload: a transfer of %d bytes can't be given up: its memory is lent (fd %d)", len(r.Buf),
			r.FD))
	}
	f := w.spare
	if f == nil {
		f = &flight{w: w}
		f.Run = f.run
	} else {
		w.spare = f.next
	}
	f.r, f.copy, f.next = r, *r, nil
	f.state.Store(aloft)
	r.flight = f
	w.flying++
	if !w.pool.Submit(&f.Job) {
		w.back(r)
		return -sys.ECANCELED
	}
	return 0
}

// Cancel takes the request back if no worker has begun it, and gives it up if it
// has a Dispose.
func (w *Workers) Cancel(r *Request) bool {
	f := r.flight
	if f == nil || f.w != w {
		panic(fmt.Sprintf("offload: cancel of a request that is not submitted here (fd %d)", r.FD))
	}
	switch {
	case w.pool.TryCancel(&f.Job):
		w.back(r)
		return true
	case r.Dispose == nil || !f.state.CompareAndSwap(aloft, forsaken):
		return false
	}
	w.pool.forsake(1)
	r.flight = nil // which is its worker's now
	w.flying--
	return true
}

// Next gives a request that has ended, or nil.
func (w *Workers) Next() *Request {
	r, ok := w.batch.Next()
	if !ok {
		w.batch = w.landed.Take()
		if r, ok = w.batch.Next(); !ok {
			return nil
		}
	}
	w.back(r)
	return r
}

// Flying is how many requests are submitted and have not come back.
func (w *Workers) Flying() int { return w.flying }

// Close waits for the workers, but for those whose calls were given up.
func (w *Workers) Close(within time.Duration) (left int) {
	return w.pool.Close(within)
}

// back ends a request's flight, which no worker touches any more.
func (w *Workers) back(r *Request) {
	f := r.flight
	r.flight = nil
	w.flying--
	f.r, f.copy = nil, Request{}
	f.next, w.spare = w.spare, f
}

// run is the worker's side.
func (f *flight) run() {
	res, begun := int32(-sys.ECANCELED), false
	defer func() { f.land(res, begun) }()
	if f.state.Load() == forsaken {
		return
	}
	begun = true
	switch f.copy.Kind {
	case Read:
		res = sys.ReadAt(f.copy.FD, f.copy.Buf, f.copy.Off)
	case Write:
		res = sys.WriteAt(f.copy.FD, f.copy.Buf, f.copy.Off)
	default:
		res = f.copy.Call()
	}
}

// land gives the request to its owner, or to Dispose what its owner gave up. After
// the Push the flight may be another request's.
func (f *flight) land(res int32, begun bool) {
	w := f.w
	if !f.state.CompareAndSwap(aloft, landed) {
		if begun {
			f.copy.Dispose(res)
		}
		w.pool.forsake(-1)
		return
	}
	f.r.Res = res
	w.landed.Push(f.r)
	w.signal()
}
