package offload

import (
	"fmt"
	"time"

	"ringo/internal/mailbox"
	"ringo/internal/sys"
)

// Workers is the engine that runs requests on goroutines. It takes every kind of request.
type Workers struct {
	pool      *Pool
	signal    func()
	completed mailbox.Queue[*Request]
	batch     mailbox.Batch[*Request]
	spare     *workerCall // calls to reuse, linked by next
	pending   int
}

// NewWorkers makes an engine that runs at most max requests at once. All workers but one are loans of the budget,
// which may be nil. signal is called, on any goroutine, when Next has a request; after Close too, by workers that were
// left behind.
func NewWorkers(max int, budget *Budget, signal func()) *Workers {
	return &Workers{pool: NewShared(max, budget), signal: signal}
}

// workerCall is a request on its way through a worker.
type workerCall struct {
	Job
	w    *Workers
	r    *Request
	next *workerCall
}

// Flush does nothing: what was submitted has begun, or waits for a worker.
func (w *Workers) Flush() {}

// Submit refuses requests only when the engine is closed, with -ECANCELED.
func (w *Workers) Submit(r *Request) int32 {
	if r.worker != nil || r.slot != nil {
		panic(fmt.Sprintf("offload: request submitted that is submitted (fd %d)", r.FD))
	}
	f := w.spare
	if f == nil {
		f = &workerCall{w: w}
		f.Run = f.run
	} else {
		w.spare = f.next
	}
	f.r, f.next = r, nil
	r.worker = f
	w.pending++
	if !w.pool.Submit(&f.Job) {
		w.back(r)
		return -sys.ECANCELED
	}
	return 0
}

// Cancel takes the request back if no worker has taken it.
func (w *Workers) Cancel(r *Request) bool {
	f := r.worker
	if f == nil || f.w != w {
		panic(fmt.Sprintf("offload: cancel of a request that is not submitted here (fd %d)", r.FD))
	}
	if !w.pool.TryCancel(&f.Job) {
		return false
	}
	w.back(r)
	return true
}

// Next returns a request that has ended, or nil.
func (w *Workers) Next() *Request {
	r, ok := w.batch.Next()
	if !ok {
		w.batch = w.completed.Take()
		if r, ok = w.batch.Next(); !ok {
			return nil
		}
	}
	w.back(r)
	return r
}

// Pending returns how many requests were submitted and have not come back.
func (w *Workers) Pending() int { return w.pending }

// Close waits for the workers.
func (w *Workers) Close(within time.Duration) (left int) {
	return w.pool.Close(within)
}

// back takes a request from its workerCall, which no worker uses now, and keeps that for reuse.
func (w *Workers) back(r *Request) {
	f := r.worker
	r.worker = nil
	w.pending--
	f.r, f.next, w.spare = nil, w.spare, f
}

// run makes the call, on a worker.
func (f *workerCall) run() {
	res := int32(-sys.ECANCELED)
	defer func() { f.complete(res) }()
	if r := f.r; r.Kind == Call {
		res = r.Call()
	} else {
		res = r.plain()
	}
}

// plain makes the plain call of a request whose kind is not Call.
func (r *Request) plain() int32 {
	switch {
	case r.Kind == Sync, r.Kind == SyncData:
		return sys.Fsync(r.FD, r.Kind == SyncData)
	case r.Kind == Write && r.Vec != nil:
		return sys.WritevAt(r.FD, r.Vec, r.Off)
	case r.Kind == Write:
		return sys.WriteAt(r.FD, r.Buf, r.Off)
	case r.Vec != nil:
		return sys.ReadvAt(r.FD, r.Vec, r.Off)
	}
	return sys.ReadAt(r.FD, r.Buf, r.Off)
}

// complete hands the request to its owner. After the Push, f may already serve another request.
func (f *workerCall) complete(res int32) {
	w := f.w
	f.r.Res = res
	w.completed.Push(f.r)
	w.signal()
}
