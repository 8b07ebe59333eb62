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

// AIO is the engine over Linux native AIO. It has no goroutines: the kernel moves
// the bytes and signals an eventfd. All that its owner's thread does is to hand
// over and to collect, many by one call each, and neither waits for a disk: requests
// carry RWF_NOWAIT.
type AIO struct {
	k       aioKernel
	ctx     sys.AIO
	event   int32
	slots   []slot
	free    *slot
	batch   []*sys.Iocb // for Flush, in order
	ended   *Request    // to give back, linked by next
	last    *Request
	pending int // what the kernel has
	count   int // what Next has not given yet
	events  [aioBatch]sys.AIOEvent
	closed  bool
}

// slot is a request that the kernel has. Slots don't move: the kernel knows a
// request by the address of its iocb, and names the slot by its index.
type slot struct {
	iocb  sys.Iocb
	index uint64
	given bool // the kernel has it, and no longer the batch
	r     *Request
	next  *slot
}

// aioBatch is how many events one call collects.
const aioBatch = 64

// aioKernel is the kernel's side, so that a test can play it.
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

// OpenAIO makes an engine of so many requests at once, which count against
// fs.aio-max-nr of the whole system. Each that ends signals the eventfd, which
// stays its owner's and may be closed while requests are in flight. The error
// names the call, the errno and the likely cause.
func OpenAIO(requests int, eventFD int32) (*AIO, error) { return openAIO(realAIO{}, requests, eventFD) }

func openAIO(k aioKernel, requests int, eventFD int32) (*AIO, error) {
	if requests < 1 {
		panic(fmt.Sprintf("offload: AIO of %d requests", requests))
	}
	a := &AIO{k: k, event: eventFD, slots: make([]slot, requests), batch: make([]*sys.Iocb, 0, requests)}
	if res := k.setup(uint32(requests), &a.ctx); res < 0 {
		return nil, AIOError("io_setup", -res)
	}
	// A filter may let the context be made and forbid to use it.
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

// ProbeAIO says why OpenAIO would fail here; nil if it would not.
func ProbeAIO() error {
	a, err := OpenAIO(1, -1)
	if err == nil {
		a.Close(0)
	}
	return err
}

// AIOError names a call of native AIO, why it failed, and the likely cause.
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

// Submit takes a read or write at an offset, or a sync, for Flush to hand to the kernel. It gives -EAGAIN if as
// many as OpenAIO was told are in flight, and -EOPNOTSUPP if this is neither.
//
// The kernel refuses a request, or finds later that it would have to wait, or that the memory or the offset are not
// aligned as the file wants it, or that its file system has no requests that don't wait (RWF_NOWAIT), or no AIO: then
// the request ends with -EAGAIN, -EINVAL or -EOPNOTSUPP. [Refused] tells all these, after which the request can go to
// another engine, from errors that are the answer.
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

// prepare fills the iocb.
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

// Flush hands what was submitted to the kernel, by one call if it refuses none.
func (a *AIO) Flush() {
	for list := a.batch; len(list) > 0; {
		n := a.k.submit(a.ctx, list)
		if n <= 0 { // which is of the first
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

// Refused reports whether a result of AIO says that the request was not done and
// that a plain call may do it, or else says why not.
func Refused(res int32) bool {
	switch res {
	case -sys.EAGAIN, -sys.EINVAL, -sys.EOPNOTSUPP, -sys.EINTR:
		return true
	}
	return false
}

// Cancel takes back what was not handed over. Else it asks the kernel, which up to now has no way to cancel reads and
// writes.
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

// Next gives a request that has ended, or nil. It costs a system call for each
// batch that has ended, and a look at memory if there is none.
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

// Pending is how many requests are submitted and have not come back.
func (a *AIO) Pending() int { return a.count }

// collect ends the requests of n events. An error of the call can't be: the context
// is there, and collecting from it was allowed before.
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

// end has Next give the slot's request.
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

// release frees a slot of its request.
func (a *AIO) release(s *slot) {
	s.r.slot = nil
	s.r, s.next, a.free = nil, a.free, s
}

// leaked keeps what the kernel may still write to after Close.
var leaked struct {
	sync.Mutex
	engines []*AIO
}

// Close waits for the requests in flight. Only without any is the context
// destroyed, for io_destroy would wait for them without a bound.
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
