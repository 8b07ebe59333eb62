package offload

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// AIO is the engine over Linux native AIO. It has no goroutines: the kernel moves the bytes and signals an eventfd.
// The owner's thread only submits and collects, many requests by one call, and neither waits for a disk: requests
// carry RWF_NOWAIT.
type AIO struct {
	k       aioKernel
	ctx     sys.AIO
	event   int32
	slots   []slot
	free    *slot
	batch   []*sys.Iocb // for Flush, in order
	ended   *Request    // requests for Next, linked by next
	last    *Request
	pending int // requests that the kernel has
	count   int // requests that were submitted and that Next has not returned yet
	events  [aioBatch]sys.AIOEvent
	closed  bool
}

// slot is the place of a submitted request. Slots don't move: the kernel identifies a request by the address of its
// iocb, and the iocb names the slot by its index.
type slot struct {
	iocb  sys.Iocb
	index uint64
	given bool // the kernel has it; it is no longer in the batch
	r     *Request
	next  *slot
}

// aioBatch is how many events one call collects.
const aioBatch = 64

// aioKernel is the kernel's side, which a test can replace.
type aioKernel interface {
	setup(requests uint32, ctx *sys.AIO) int32
	submit(ctx sys.AIO, list []*sys.Iocb) int32
	pending(ctx sys.AIO) bool
	events(ctx sys.AIO, into []sys.AIOEvent) int32
	wait(ctx sys.AIO, into []sys.AIOEvent, timeoutNS int64) int32
	cancel(ctx sys.AIO, b *sys.Iocb) int32
	destroy(ctx sys.AIO) int32
}

type realAIO struct{}

func (realAIO) setup(n uint32, ctx *sys.AIO) int32            { return sys.AIOSetup(n, ctx) }
func (realAIO) submit(ctx sys.AIO, list []*sys.Iocb) int32    { return sys.AIOSubmit(ctx, list) }
func (realAIO) pending(ctx sys.AIO) bool                      { return sys.AIOPending(ctx) }
func (realAIO) events(ctx sys.AIO, into []sys.AIOEvent) int32 { return sys.AIOEvents(ctx, into) }
func (realAIO) wait(ctx sys.AIO, into []sys.AIOEvent, ns int64) int32 {
	return sys.AIOWait(ctx, into, ns)
}
func (realAIO) cancel(ctx sys.AIO, b *sys.Iocb) int32 { return sys.AIOCancel(ctx, b) }
func (realAIO) destroy(ctx sys.AIO) int32             { return sys.AIODestroy(ctx) }

// OpenAIO makes an engine for so many requests at once, which count against fs.aio-max-nr of the whole system. Each
// request that ends signals the eventfd. The eventfd stays the owner's, who may close it while requests are in flight.
// The error names the call, the errno and the likely cause.
func OpenAIO(requests int, eventFD int32) (*AIO, error) { return openAIO(realAIO{}, requests, eventFD) }

func openAIO(k aioKernel, requests int, eventFD int32) (*AIO, error) {
	if requests < 1 {
		panic(fmt.Sprintf("offload: AIO of %d requests", requests))
	}
	a := &AIO{k: k, event: eventFD, slots: make([]slot, requests), batch: make([]*sys.Iocb, 0, requests)}
	if res := k.setup(uint32(requests), &a.ctx); res < 0 {
		return nil, AIOError("io_setup", -res)
	}
	// A filter may allow to make the context and forbid to use it.
	if res := k.submit(a.ctx, nil); res < 0 {
		k.destroy(a.ctx)
		return nil, AIOError("io_submit", -res)
	}
	if res := k.events(a.ctx, a.events[:]); res < 0 {
		k.destroy(a.ctx)
		return nil, AIOError("io_getevents", -res)
	}
	for i := range a.slots {
		a.slots[i].index = uint64(i)
		a.slots[i].next, a.free = a.free, &a.slots[i]
	}
	return a, nil
}

// ProbeAIO returns the error with which OpenAIO would fail here, nil if it would not.
func ProbeAIO() error {
	a, err := OpenAIO(1, -1)
	if err == nil {
		a.Close(0)
	}
	return err
}

// AIOError returns an error that names a call of native AIO, why it failed, and the likely cause.
func AIOError(call string, errno int32) error {
	err := os.NewSyscallError(call, posix.Error(-errno))
	switch errno {
	case sys.EAGAIN:
		return fmt.Errorf("%w: all of fs.aio-max-nr is in use", err)
	case sys.ENOSYS:
		return fmt.Errorf("%w: this kernel was built without AIO", err)
	case sys.EPERM:
		return fmt.Errorf("%w: a seccomp filter forbids it", err)
	case sys.ENOMEM:
		return fmt.Errorf("%w: no memory for the ring of completions", err)
	}
	return err
}

// Submit takes a read or write at an offset, or a sync, which Flush then passes to the kernel. It returns -EAGAIN if
// as many requests as OpenAIO was told are in flight, and -EOPNOTSUPP for other requests.
//
// The request ends with -EAGAIN, -EINVAL or -EOPNOTSUPP if the kernel refuses it, or finds later that it would have to
// wait, that memory or offset are not aligned as the file requires, or that the file system supports no requests that
// don't wait (RWF_NOWAIT), or no AIO. [Refused] tells these results, after which the request can go to another engine,
// from errors that are final.
func (a *AIO) Submit(r *Request) int32 {
	if r.slot != nil || r.worker != nil {
		panic(fmt.Sprintf("offload: request submitted that is submitted (fd %d)", r.FD))
	}
	s := a.free
	switch {
	case a.closed:
		return -sys.ECANCELED
	case r.Kind == Call || r.Off < 0:
		return -sys.EOPNOTSUPP
	case s == nil:
		return -sys.EAGAIN
	}
	s.prepare(r, a.event)
	a.free, s.r, s.next, s.given, r.slot = s.next, r, nil, false, s
	a.batch = append(a.batch, &s.iocb)
	a.count++
	return 0
}

// prepare fills in the iocb.
func (s *slot) prepare(r *Request, event int32) {
	b := &s.iocb
	switch {
	case r.Kind == Sync, r.Kind == SyncData:
		b.PrepSync(r.FD, r.Kind == SyncData, s.index, event)
	case r.Vec != nil && r.Kind == Write:
		b.PrepWritev(r.FD, r.Vec, r.Off, s.index, event)
	case r.Vec != nil:
		b.PrepReadv(r.FD, r.Vec, r.Off, s.index, event)
	case r.Kind == Write:
		b.PrepWrite(r.FD, r.Buf, r.Off, s.index, event)
	default:
		b.PrepRead(r.FD, r.Buf, r.Off, s.index, event)
	}
}

// Flush passes the batch to the kernel, by one call if it refuses none of them.
func (a *AIO) Flush() {
	for list := a.batch; len(list) > 0; {
		n := a.k.submit(a.ctx, list)
		if n <= 0 { // the result of the first
			a.end(&a.slots[list[0].Data()], min(n, -1))
			n = 1
		} else {
			for _, b := range list[:n] {
				a.slots[b.Data()].given = true
			}
			a.pending += int(n)
		}
		list = list[n:]
	}
	a.batch = a.batch[:0]
}

// Refused reports whether a result of AIO means that the request was not done: a plain call may do it, or will return
// the final error.
func Refused(res int32) bool {
	switch res {
	case -sys.EAGAIN, -sys.EINVAL, -sys.EOPNOTSUPP, -sys.EINTR:
		return true
	}
	return false
}

// Cancel takes back a request that Flush has not passed on. Otherwise it asks the kernel, which so far has no way to
// cancel reads and writes.
func (a *AIO) Cancel(r *Request) bool {
	s := r.slot
	switch {
	case s == nil: // it has ended
	case s.given:
		a.k.cancel(a.ctx, &s.iocb)
	default:
		a.batch = slices.DeleteFunc(a.batch, func(b *sys.Iocb) bool { return b == &s.iocb })
		a.release(s)
		a.count--
		return true
	}
	return false
}

// Next returns a request that has ended, or nil. It costs a system call for each batch of ended requests, and only a
// look at memory if there is none.
func (a *AIO) Next() *Request {
	if a.ended == nil && a.pending > 0 && a.k.pending(a.ctx) {
		a.collect(a.k.events(a.ctx, a.events[:]))
	}
	r := a.ended
	if r == nil {
		return nil
	}
	if a.ended = r.next; a.ended == nil {
		a.last = nil
	}
	r.next = nil
	a.count--
	return r
}

// Pending returns how many requests were submitted and have not come back.
func (a *AIO) Pending() int { return a.count }

// collect ends the requests of n events. The call can't have failed: the context exists, and it worked before.
func (a *AIO) collect(n int32) {
	if n < 0 {
		panic(fmt.Sprintf("offload: io_getevents on a context with %d requests in flight: %v",
			a.pending, posix.Errno(-n)))
	}
	for i := range a.events[:n] {
		e := &a.events[i]
		a.pending--
		a.end(&a.slots[e.Data], e.Res())
	}
}

// end records the result of the slot's request, and queues it for Next.
func (a *AIO) end(s *slot, res int32) {
	r := s.r
	r.Res = res
	a.release(s)
	if a.last == nil {
		a.ended = r
	} else {
		a.last.next = r
	}
	a.last = r
}

// release frees a slot.
func (a *AIO) release(s *slot) {
	s.r.slot = nil
	s.r, s.next, a.free = nil, a.free, s
}

// leaked keeps memory that the kernel may still write to after Close.
var leaked struct {
	sync.Mutex
	engines []*AIO
}

// Close waits for the requests in flight. It destroys the context only if none is left, because io_destroy would wait
// for them without a bound.
func (a *AIO) Close(within time.Duration) (left int) {
	if a.closed {
		return a.pending
	}
	a.closed = true
	for _, b := range a.batch {
		a.end(&a.slots[b.Data()], -sys.ECANCELED)
	}
	a.batch = nil
	for i := range a.slots {
		if s := &a.slots[i]; s.r != nil {
			a.k.cancel(a.ctx, &s.iocb)
		}
	}
	for end := time.Now().Add(within); a.pending > 0; {
		rest := time.Until(end)
		a.collect(a.k.wait(a.ctx, a.events[:], int64(max(rest, 0))))
		if rest <= 0 {
			break
		}
	}
	if a.pending == 0 {
		a.k.destroy(a.ctx)
		return 0
	}
	leaked.Lock()
	leaked.engines = append(leaked.engines, a)
	leaked.Unlock()
	return a.pending
}
