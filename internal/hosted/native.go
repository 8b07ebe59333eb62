package hosted

import (
	"fmt"
	"os"
	"sync"

	"ringo/internal/offload"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
	"ringo/uring"
)

// nativeEngine is a context of Linux native AIO. Requests carry RWF_NOWAIT, as in package offload: a leader that had
// to wait for a disk would hold up all callers that come meanwhile.
type nativeEngine struct {
	ctx   sys.AIO
	event int32
	batch []*sys.Iocb // added and not submitted
	into  []sys.AIOEvent

	mu      sync.Mutex
	refused []uring.CQE // requests that io_submit has refused, as completions
}

// nativeLeast is the smallest context that is tried when fs.aio-max-nr is short.
const nativeLeast = 32

// openNative makes a context, for fewer requests than configured if the system has no more.
func openNative(cfg *Config) (e *nativeEngine, inFlight int, err error) {
	if err := offload.ProbeAIO(); err != nil {
		return nil, 0, fmt.Errorf("hosted: %w", err)
	}
	e = &nativeEngine{event: sys.Eventfd(), into: make([]sys.AIOEvent, reapBatch)}
	if e.event < 0 {
		return nil, 0, fmt.Errorf("hosted: %w", os.NewSyscallError("eventfd", posix.Errno(-e.event)))
	}
	inFlight, res := fit(cfg.InFlight, func(n int) int32 { return sys.AIOSetup(uint32(n), &e.ctx) })
	if res < 0 {
		sys.Close(e.event)
		return nil, 0, fmt.Errorf("hosted: %w", offload.AIOError("io_setup", -res))
	}
	e.batch, e.refused = make([]*sys.Iocb, 0, sqEntries), make([]uring.CQE, 0, sqEntries)
	return e, inFlight, nil
}

// fit calls setup for n requests, then for half as many and so on, until the system has enough.
func fit(n int, setup func(n int) int32) (int, int32) {
	for {
		res := setup(n)
		if res != -sys.EAGAIN || n/2 < nativeLeast {
			return n, res
		}
		n /= 2
	}
}

func (e *nativeEngine) takes(code op.Code) bool {
	switch code {
	case op.ReadAt, op.WriteAt, op.ReadVec, op.WriteVec, op.Sync:
		return true
	}
	return false
}

func (e *nativeEngine) cancels() bool         { return false } // the kernel can't cancel requests on files
func (e *nativeEngine) addCancel(uint64) bool { panic("hosted: a cancel for native AIO") }
func (e *nativeEngine) pending() int          { return len(e.batch) }
func (e *nativeEngine) overflowed() bool      { return false } // each request has a place for its event
func (e *nativeEngine) unblock() posix.Errno  { return 0 }
func (e *nativeEngine) fd() int32             { return e.event }

func (e *nativeEngine) add(c *call) bool {
	if len(e.batch) == cap(e.batch) {
		return false
	}
	if c.iocb == nil {
		c.iocb = new(sys.Iocb)
	}
	b, o, token := c.iocb, c.op, c.op.Token()
	switch o.Code {
	case op.Sync:
		b.PrepSync(o.FD.Sys(), o.CallFlags == op.DataOnly, token, e.event)
	case op.ReadVec:
		b.PrepReadv(o.FD.Sys(), o.Ext.Vec, o.Off, token, e.event)
	case op.WriteVec:
		b.PrepWritev(o.FD.Sys(), o.Ext.Vec, o.Off, token, e.event)
	case op.WriteAt:
		b.PrepWrite(o.FD.Sys(), o.Buf, o.Off, token, e.event)
	default:
		b.PrepRead(o.FD.Sys(), o.Buf, o.Off, token, e.event)
	}
	e.batch = append(e.batch, b)
	return true
}

// flush submits all of the batch. A request that the kernel refuses completes with the reason.
func (e *nativeEngine) flush() (taken int, errno posix.Errno) {
	for list := e.batch; len(list) > 0; {
		n := sys.AIOSubmit(e.ctx, list)
		if n <= 0 { // the result of the first
			e.mu.Lock()
			e.refused = append(e.refused, uring.CQE{UserData: list[0].Data(), Res: min(n, -1)})
			e.mu.Unlock()
			n = 1
		}
		taken += int(n)
		list = list[n:]
	}
	clear(e.batch)
	e.batch = e.batch[:0]
	return taken, 0
}

func (e *nativeEngine) drain(into []uring.CQE) (n int) {
	e.mu.Lock()
	n = copy(into, e.refused)
	e.refused = e.refused[:copy(e.refused, e.refused[n:])]
	e.mu.Unlock()
	if n == len(into) || !sys.AIOPending(e.ctx) {
		return n
	}
	got := sys.AIOEvents(e.ctx, e.into[:len(into)-n])
	if got < 0 {
		panic(fmt.Sprintf("hosted: io_getevents: %v", posix.Errno(-got)))
	}
	for i := range e.into[:got] {
		into[n] = uring.CQE{UserData: e.into[i].Data, Res: e.into[i].Res()}
		n++
	}
	return n
}

func (e *nativeEngine) givenUp(*call, int32) bool { return false }

// unbegun reports whether the request would have had to wait, or is not aligned. It also counts short reads: they may
// have found only their first part in memory, as unaligned ones do on btrfs (Linux 6.18).
func (e *nativeEngine) unbegun(o *op.Op, res int32) bool {
	reads := o.Code == op.ReadAt || o.Code == op.ReadVec
	return offload.Refused(res) || reads && res > 0 && int(res) < o.Size()
}

func (e *nativeEngine) close() error {
	var err error
	if res := sys.AIODestroy(e.ctx); res < 0 {
		err = os.NewSyscallError("io_destroy", posix.Errno(-res))
	}
	sys.Close(e.event)
	return err
}
