package sock

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"ringo/internal/loop"
	"ringo/internal/op"
)

// do runs the op of a guest that has its turn, and waits if it must.
func (g *guests) do(s *side) (int32, error) {
	if !s.watched || s == &g.out { // which seldom has to wait
		if limit := s.limit.Load(); limit != 0 && g.l.Elapsed() >= limit {
			return 0, os.ErrDeadlineExceeded
		}
		if res, ok := s.try(); ok {
			return res, nil
		}
		if s.recognise(); s.alone { // here, where the stack is not as deep yet as in wait
			if err := g.watch(s); err != nil && !g.outOfDescriptors(err) {
				return 0, err
			}
		}
	}
	if s.visitor != nil {
		return g.visit(s)
	}
	return g.wait(s)
}

// attempt is the call that Go's netpoller makes when there may be something. Before
// a guest waits for the first time it is looked at: a task must not, it would stop
// its loop.
func (s *side) attempt(uintptr) bool {
	res, ok := s.try()
	if ok {
		s.res = res
		return true
	}
	if !s.alone {
		s.recognise()
	}
	if s.alone {
		s.rest()
	}
	return !s.alone
}

// try makes the call of the guest that has its turn.
func (s *side) try() (res int32, ok bool) {
	if s.raw != nil {
		return 0, s.raw(uintptr(s.g.fd.Sys()))
	}
	if s.op == nil {
		s.resume()
	}
	return s.g.l.Try(s.op)
}

// rest gives op back while a goroutine waits, if nothing of it is to be kept but where it
// receives to: there are many that do.
func (s *side) rest() {
	if s.raw == nil && !s.keepsOp && s.op.Code == op.Recv && s.op.Ext == nil && s.op.Arg|s.op.Arg2 == 0 {
		s.idle = s.op.Buf
		s.op.Buf = nil
		ops.Put(s.op)
		s.op = nil
	}
}

// resume is the way back.
func (s *side) resume() {
	s.prepare()
	s.op.Buf, s.idle = s.idle, nil
}

// recognise finds out whether the guest is a task.
func (s *side) recognise() {
	s.visitor, _ = loop.Current()
	s.alone = s.visitor == nil
}

// wait parks in Go's netpoller until the op has a result.
func (g *guests) wait(s *side) (int32, error) {
	if !s.watched {
		switch err := g.watch(s); {
		case g.outOfDescriptors(err):
			return g.waitOnLoop(s)
		case err != nil:
			return 0, err
		}
	}
	if s.call == nil {
		s.call = s.attempt
	}
	var err error
	if s == &g.out {
		err = g.raw.Write(s.call)
	} else {
		err = g.raw.Read(s.call)
	}
	if s.op == nil {
		s.resume()
	}
	switch {
	case err == nil && s.visitor != nil && !s.alone: // it did not wait
		return g.visit(s)
	case err == nil:
		return s.res, nil
	case g.over():
		return 0, net.ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, os.ErrDeadlineExceeded
	}
	return 0, err
}

// pause has a guest that has its turn wait for d, as for a deadline, whatever there is.
// It fails if the guest is to go, or can't wait.
func (g *guests) pause(s *side, d time.Duration) error {
	if !s.watched {
		if err := g.watch(s); err != nil {
			return err
		}
	}
	g.mu.Lock()
	s.limit.Store(g.l.Elapsed() + int64(d))
	g.setDeadline(s)
	g.mu.Unlock()
	err := g.raw.Read(func(uintptr) bool { return false })
	g.mu.Lock()
	defer g.mu.Unlock()
	s.limit.Store(0)
	g.setDeadline(s)
	switch {
	case g.closed, s.interrupted:
		return net.ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	}
	return err
}

// over reports whether the handle is closed, or about to be.
func (g *guests) over() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// visit has a goroutine wait in place of a task of another loop.
func (g *guests) visit(s *side) (res int32, err error) {
	err = g.inPlace(s.visitor, s, func() error {
		var err error
		res, err = g.wait(s)
		return err
	})
	return res, err
}

// inPlace has a goroutine run f, which may wait in a direction, in place of a task of l
// that has its turn there.
func (g *guests) inPlace(l *loop.Loop, s *side, f func() error) error {
	err := l.Offload(func(ctx context.Context) error {
		defer g.interruptible(ctx, s)()
		s.alone = true // for the time being
		err := f()
		if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
			err = ctx.Err()
		}
		return err
	})
	s.alone, s.visitor = false, nil
	if errors.Is(err, context.Canceled) || l.Canceled() && errors.Is(err, context.DeadlineExceeded) {
		err = l.Cause()
	}
	return err
}

// interruptible makes the end of ctx end the wait, until it is told that the wait is
// over.
func (g *guests) interruptible(ctx context.Context, s *side) (done func()) {
	over := false
	stop := context.AfterFunc(ctx, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if !over {
			s.interrupted = true
			g.setDeadline(s)
		}
	})
	return func() {
		stop()
		g.mu.Lock()
		defer g.mu.Unlock()
		over = true
	}
}

// watch gives the descriptor to Go's netpoller, if it has not got it.
func (g *guests) watch(s *side) (err error) {
	g.mu.Lock()
	switch {
	case g.closed:
		err = net.ErrClosed
	case g.file == nil:
		err = g.duplicate()
	}
	if err == nil {
		s.watched = true
	}
	g.mu.Unlock()
	return err
}

// duplicate makes the descriptor that the netpoller is given. The caller holds mu.
func (g *guests) duplicate() error {
	o := ops.Get().(*op.Op)
	o.Code, o.FD = op.Dup, g.fd
	n, _ := g.l.Try(o)
	*o = op.Op{}
	ops.Put(o)
	if n < 0 {
		return callError("fcntl", n)
	}
	f := os.NewFile(uintptr(n), "socket")
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return err
	}
	g.file, g.raw = f, raw
	// a new file has no deadline
	if g.in.limit.Load()|g.out.limit.Load() != 0 || g.in.interrupted || g.out.interrupted {
		g.setDeadlines()
	}
	return nil
}

// unwatch takes it away when no guest is likely to wait: from then on an arrival
// wakes the loop alone, not the netpoller too. The caller holds mu.
func (g *guests) unwatch() {
	if !g.in.held && !g.in.busy && !g.out.busy {
		g.closeFile()
	}
}

// closeFile closes the duplicate, which nobody uses: else it would wait. The caller
// holds mu.
func (g *guests) closeFile() {
	if g.file != nil {
		g.file.Close()
		g.file, g.raw = nil, nil
	}
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// setDeadline tells the netpoller a direction's deadline. The caller holds mu.
func (g *guests) setDeadline(s *side) {
	s.polls.tell()
	if g.file == nil || g.closed {
		return
	}
	switch limit := s.limit.Load(); {
	case s.interrupted:
		g.setFileDeadline(s, longAgo)
	case limit == 0:
		g.setFileDeadline(s, time.Time{})
	default:
		g.setFileDeadline(s, time.Now().Add(time.Duration(limit-g.l.Elapsed())))
	}
}

// limited is told that the loop has set deadlines.
func (g *guests) limited() {
	g.in.home.limited()
	g.out.home.limited()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.setDeadlines()
}

// setDeadlines is setDeadline for both directions.
func (g *guests) setDeadlines() {
	g.setDeadline(&g.in)
	g.setDeadline(&g.out)
}

// setFileDeadline can't fail: the file is a socket, and open.
func (g *guests) setFileDeadline(s *side, t time.Time) {
	if s == &g.out {
		g.file.SetWriteDeadline(t)
	} else {
		g.file.SetReadDeadline(t)
	}
}

// setLimits is a guest's way to set the deadline of a direction, or of both.
func (g *guests) setLimits(t time.Time, in, out bool) error {
	at := int64(0)
	if !t.IsZero() {
		at = g.l.Moment(t)
	}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return net.ErrClosed
	}
	tellIn, tellOut := in && g.in.setLimit(at, t), out && g.out.setLimit(at, t)
	g.mu.Unlock()
	if tellIn {
		g.l.Call(g.in.limitMoved)
	}
	if tellOut {
		g.l.Call(g.out.limitMoved)
	}
	return nil
}

// setLimit sets a direction's deadline, and reports whether the loop is to be told. The caller
// holds mu.
func (s *side) setLimit(at int64, t time.Time) (tell bool) {
	s.limit.Store(at)
	s.polls.tell()
	if s.g.file != nil && !s.interrupted {
		s.g.setFileDeadline(s, t)
	}
	return !s.held
}

// limitMoved tells the loop, which has the direction, of its deadline.
func (s *side) limitMoved() {
	s.g.lender().moved(s)
	s.home.limited()
}
