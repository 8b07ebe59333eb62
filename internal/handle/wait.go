package handle

import (
	"context"
	"errors"
	"net"
	"os"

	"ringo/internal/lane"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// run is do without the check for a drain. A caller that has got something in time may look for the rest of it.
func (f *foreign) run(h *half) (int32, error) {
	res, err := f.runInTime(h)
	switch {
	case h.dir == Out:
	case err == nil:
		h.leeway = leewayMax
	case err == os.ErrDeadlineExceeded && h.useLeeway():
		return f.lastTry(h, true)
	}
	return res, err
}

// useLeeway takes one receive from the caller's leeway, and reports whether there was one.
func (h *half) useLeeway() bool {
	if h.leeway == 0 || h.f.c.limits[h.dir].Load() == passed {
		return false
	}
	h.leeway--
	return true
}

// runInTime is run without leeway.
func (f *foreign) runInTime(h *half) (int32, error) {
	if h.err != nil {
		return 0, h.takeError()
	}
	h.tried = false
	if f.c.l == nil { // the netpoller may report a deadline late
		if err := f.c.tooLate(h.dir); err != nil {
			return 0, err
		}
	}
	if !h.watched || h.dir == Out || h.raw != nil { // the last two seldom have to wait
		if err := f.c.tooLate(h.dir); err != nil {
			return 0, err
		}
		if res, ok := h.try(); ok {
			return res, nil
		}
		h.tried = true
		if h.raw != nil && f.c.l != nil {
			switch err := f.untilReady(h); {
			case err == os.ErrDeadlineExceeded:
				return f.lastTry(h, true)
			case err != nil:
				return 0, err
			}
		}
		if h.findCaller(); h.mayBlock { // here, because wait is deeper on the stack
			if err := f.watch(h); err != nil && !unwatchable(err) {
				return 0, err
			}
		}
	}
	if h.callerLoop != nil {
		return f.waitAsTask(h)
	}
	return f.wait(h)
}

// takeError returns the error of a send of the loop that no caller has got, once.
func (h *half) takeError() (err error) {
	err, h.err = h.err, nil
	return err
}

// attempt is the call that Go's netpoller makes when there may be something. Before the first wait it finds out
// whether the caller is a task, which must not wait here: it would stop its loop.
func (h *half) attempt(uintptr) bool {
	h.tried = true
	res, ok := h.try()
	if ok {
		h.res = res
		return true
	}
	if !h.mayBlock {
		h.findCaller()
	}
	return !h.mayBlock
}

// try makes the call of the caller that has access.
func (h *half) try() (res int32, ok bool) {
	if h.raw != nil {
		return 0, h.raw(uintptr(h.f.c.fd.Sys()))
	}
	l := h.f.c.l
	switch {
	case h.bare != nil && h.dir == In:
		return h.bare.Receive(&h.f.c.fd, h.buf)
	case h.bare != nil:
		return h.bare.Send(&h.f.c.fd, h.buf)
	case l != nil:
		return l.Ops().Try(h.op)
	}
	return tryUnowned(h.op)
}

// findCaller finds out whether the foreign caller is a task.
func (h *half) findCaller() {
	h.callerLoop, _ = loop.Current()
	h.mayBlock = h.callerLoop == nil
}

// wait parks in Go's netpoller until the op has a result.
func (f *foreign) wait(h *half) (int32, error) {
	if !h.watched {
		switch err := f.watch(h); {
		case unwatchable(err):
			return f.waitByPoll(h)
		case err != nil:
			return 0, err
		}
	}
	if h.call == nil {
		h.call = h.attempt
	}
	var err error
	if h.dir == Out {
		err = f.raw.Write(h.call)
	} else {
		err = f.raw.Read(h.call)
	}
	switch {
	case err == nil && h.callerLoop != nil && !h.mayBlock: // a task: it did not wait
		return f.waitAsTask(h)
	case err == nil:
		return h.res, nil
	case f.isClosing():
		return 0, f.closedErr()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return f.lastTry(h, h.tried)
	}
	return 0, err
}

// lastTry is for a foreign caller whose deadline has passed. If it had waited by then, what has come meanwhile counts
// as in time, because the netpoller may not have looked. A caller that must leave for another reason does not try
// again.
func (f *foreign) lastTry(h *half, waited bool) (int32, error) {
	f.mu.Lock()
	waited = waited && !h.interrupted && !f.isClosing()
	f.mu.Unlock()
	if waited {
		if res, ok := h.try(); ok {
			return res, nil
		}
	}
	return 0, os.ErrDeadlineExceeded
}

// isClosing reports whether foreign callers have learned that the handle closes.
func (f *foreign) isClosing() bool { return f.closing.Load() }

// waitAsTask is wait for a task of another loop. In a simulated world no goroutine can wait in its place, so the owner
// polls for it.
func (f *foreign) waitAsTask(h *half) (int32, error) {
	if f.c.l == nil || !f.c.l.World().Beside() {
		return f.waitByPoll(h)
	}
	return f.waitOffloaded(h)
}

// waitOffloaded makes a goroutine wait in place of a task of another loop.
func (f *foreign) waitOffloaded(h *half) (res int32, err error) {
	err = f.inPlace(h.callerLoop, h, func() error {
		var err error
		res, err = f.wait(h)
		return err
	})
	return res, err
}

// inPlace runs fn, which may wait in a direction, on a goroutine in place of a task of l that has access. In a
// simulated world the task runs fn itself, and waits in the world.
func (f *foreign) inPlace(l *loop.Loop, h *half, fn func() error) error {
	if !l.World().Beside() {
		return fn()
	}
	err := l.OffloadAs(loop.As{Wait: (*foreignWait)(h)}, lane.StandIns, func(ctx context.Context) error {
		defer f.interruptible(ctx, h)()
		h.mayBlock = true // until fn returns
		err := fn()
		if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
			err = ctx.Err()
		}
		return err
	})
	h.mayBlock, h.callerLoop = false, nil
	if errors.Is(err, context.Canceled) || l.Canceled() && errors.Is(err, context.DeadlineExceeded) {
		err = l.Cause()
	}
	return err
}

// interruptible makes the end of ctx end the wait, until done is called.
func (f *foreign) interruptible(ctx context.Context, h *half) (done func()) {
	over := false
	stop := context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if !over {
			h.interrupted = true
			f.setDeadline(h)
		}
	})
	return func() {
		stop()
		f.mu.Lock()
		defer f.mu.Unlock()
		over = true
	}
}

// watch gives the descriptor to Go's netpoller, if it does not have it.
func (f *foreign) watch(h *half) (err error) {
	f.mu.Lock()
	switch {
	case f.isClosing():
		err = net.ErrClosed
	case f.c.l != nil && !f.c.l.World().Beside():
		err = errStaged
	case !sys.HaveNetpoll:
		err = errUnknown
	case f.file == nil:
		err = f.duplicate()
	}
	if err == nil {
		h.watched = true
	}
	f.mu.Unlock()
	return err
}

// duplicate makes the descriptor for the netpoller. The caller holds mu.
func (f *foreign) duplicate() error {
	n := f.c.l.Kernel().Dup(f.c.fd.Sys())
	if n < 0 {
		return CallError("fcntl", n)
	}
	file := os.NewFile(uintptr(n), "socket")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return err
	}
	f.file, f.raw = file, raw
	// A new file has no deadline.
	if f.c.limits[In].Load()|f.c.limits[Out].Load() != 0 || f.halves[In].interrupted || f.halves[Out].interrupted {
		f.setDeadlines()
	}
	return nil
}

// unwatch takes the descriptor from the netpoller when no foreign caller is likely to wait, so that an arrival wakes
// only the loop. The caller holds mu.
func (f *foreign) unwatch() {
	if !f.halves[In].held && !f.halves[In].busy && !f.halves[Out].busy {
		f.closeFile()
	}
}

// closeFile closes the duplicate. No caller may use it, because the close would wait for that. The caller holds mu.
func (f *foreign) closeFile() {
	if f.file != nil && f.c.l != nil {
		f.file.Close()
		f.file, f.raw = nil, nil
	}
}
