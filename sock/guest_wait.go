package sock

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"ringo/internal/loop"
	"ringo/internal/op"
)

// do runs the op of a guest that has its turn, and waits if it must.
func (g *guests) do(s *side) (int32, error) {
	if s.raw == nil {
		if limit := s.limit.Load(); limit != 0 && g.l.Elapsed() >= limit {
			return 0, os.ErrDeadlineExceeded
		}
		if res, ok := g.l.Try(&s.op); ok {
			return res, nil
		}
		s.recognise()
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
	res, ok := s.g.l.Try(&s.op)
	if ok {
		s.res = res
		return true
	}
	if !s.alone {
		s.recognise()
	}
	return !s.alone
}

// recognise finds out whether the guest is a task.
func (s *side) recognise() {
	s.visitor, _ = loop.Current()
	s.alone = s.visitor == nil
}

// wait parks in Go's netpoller until the op has a result.
func (g *guests) wait(s *side) (int32, error) {
	raw, err := g.watched(s)
	if err != nil {
		return 0, err
	}
	if s == &g.out {
		err = raw.Write(s.call)
	} else {
		err = raw.Read(s.call)
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

// over reports whether the handle is closed, or about to be.
func (g *guests) over() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// visit has a goroutine wait in place of a task of another loop.
func (g *guests) visit(s *side) (res int32, err error) {
	if s.visitor == g.l {
		return 0, errHome
	}
	l := s.visitor
	err = l.Offload(func(ctx context.Context) error {
		defer g.interruptible(ctx, s)()
		s.alone = true // for the time being
		var err error
		if res, err = g.wait(s); errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
			err = ctx.Err()
		}
		return err
	})
	s.alone, s.visitor = false, nil
	if errors.Is(err, context.Canceled) || l.Canceled() && errors.Is(err, context.DeadlineExceeded) {
		err = l.Cause()
	}
	return res, err
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

// watched gives the descriptor to Go's netpoller, if it has not got it.
func (g *guests) watched(s *side) (syscall.RawConn, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, net.ErrClosed
	}
	if g.file == nil {
		n, _ := g.l.Try(&op.Op{Code: op.Dup, FD: g.fd})
		if n < 0 {
			return nil, callError("fcntl", n)
		}
		f := os.NewFile(uintptr(n), "socket")
		raw, err := f.SyscallConn()
		if err != nil {
			f.Close()
			return nil, err
		}
		g.file, g.raw = f, raw
		g.setDeadline(&g.in)
		g.setDeadline(&g.out)
	}
	s.raw = g.raw
	return g.raw, nil
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
	g.mu.Lock()
	defer g.mu.Unlock()
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

// setLimit is a guest's way to set a deadline.
func (g *guests) setLimit(t time.Time, sides ...*side) error {
	at := int64(0)
	if !t.IsZero() {
		at = max(1, g.l.Elapsed()+int64(time.Until(t)))
	}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return net.ErrClosed
	}
	var moved []*side
	for _, s := range sides {
		s.limit.Store(at)
		if g.file != nil && !s.interrupted {
			g.setFileDeadline(s, t)
		}
		if !s.held {
			moved = append(moved, s)
		}
	}
	g.mu.Unlock()
	for _, s := range moved {
		g.l.Call(func() { g.host.moved(s) })
	}
	return nil
}
