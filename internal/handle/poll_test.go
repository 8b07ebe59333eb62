package handle

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"ringo/internal/driver"
	drivers "ringo/internal/driver/open"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
	tests "ringo/internal/test/patience"
)

// A caller is about to ask a loop that has ended for a poll when the handle closes: it is woken once, by one of the
// two. Twice would unlock what a goroutine waits by once too often, or resume a task that no longer waits.
func TestPollRefusedWhileClosing(t *testing.T) {
	const rounds, callers = 20_000, 16
	for round := range rounds {
		f := (&Core{l: new(loop.Loop)}).newForeign()
		told := make(chan error, callers)
		for range callers {
			go func() {
				_, err := f.ready(nil, op.Poll, sys.PollIn, 0)
				told <- err
			}()
		}
		if round%2 == 0 {
			runtime.Gosched()
		}
		f.beginClose()
		for range callers {
			if err := <-told; !errors.Is(err, ErrEnded) && !errors.Is(err, net.ErrClosed) {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		if f.polls != nil {
			t.Fatalf("round %d: a poll is left that nobody waits for", round)
		}
	}
}

// A caller that must leave, since its task was cancelled or the program drains, learns of it although word of that
// comes to the loop ahead of the poll that the caller has asked for. The two are mail of two senders.
func TestPollInterruptedBeforeItBegins(t *testing.T) {
	onLoop(t, func(l *loop.Loop) {
		a, b, res := sys.Socketpair(sys.SockStream | sys.SockNonblock)
		if res < 0 {
			t.Error(res)
			return
		}
		defer sys.Close(b)
		c := new(Core)
		c.Init(l, NoHooks{}, loop.KindPollable, a, new(Own))
		c.LendAll()
		defer c.Close()
		f := c.foreign.Load()
		h := &f.halves[In]
		got := make(chan error, 1)
		go func() {
			err := f.enter(h)
			for res := int32(0); res == 0 && err == nil; {
				res, err = f.ready(h, op.Poll, sys.PollIn, 0)
			}
			f.leave(h)
			got <- err
		}()
		for waits := false; !waits; { // the loop is in this task: it gets no mail
			f.mu.Lock()
			if waits = f.polls != nil; waits {
				h.interrupted = true
				f.polls.abort() // as the mail of setDeadline does
			}
			f.mu.Unlock()
		}
		l.Offload(func(context.Context) error {
			if err, silent := tests.Receive(got); silent != nil {
				t.Error(silent)
			} else if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a caller that must leave got %v", err)
			}
			return nil
		})
	})
}

// Word for a poll that has ended comes to its loop when the caller has left. The handle is of no loop, and another loop
// polls it by then, for a task of its own: the two have nothing to do with each other.
func TestPollOfAnotherLoop(t *testing.T) {
	over := make(chan bool)
	onLoops(t, 2, func(l *loop.Loop) {
		other := l.Set().Loops()[1]
		if l == other {
			l.Offload(func(context.Context) error { <-over; return nil })
			return
		}
		defer close(over)
		r, w, err := os.Pipe()
		if err != nil {
			t.Error(err)
			return
		}
		defer w.Close()
		defer r.Close()
		c := new(Core)
		raw, err := r.SyscallConn()
		if err == nil {
			raw.Control(func(fd uintptr) { err = c.InitUnowned(r, int32(fd)) })
		}
		if err != nil {
			t.Error(err)
			return
		}
		f := c.foreign.Load()
		h := &f.halves[In]
		w.Write([]byte{1})
		if err := h.waitOnce(); err != nil {
			t.Error(err)
		}
		late := h.poll.abort // as in the mail of endPolls
		r.Read(make([]byte, 1))
		ended := make(chan bool)
		other.Go(func() {
			defer close(ended)
			if err := h.waitOnce(); err != nil {
				t.Error(err)
			}
		})
		var own *op.Op
		submitted := make(chan bool)
		other.Go(func() {
			own = h.poll.op
			close(submitted)
		})
		if _, err := tests.Receive(submitted); err != nil {
			t.Error(err)
		}
		late()
		if own == nil || own.Canceled { // at once: what has ended is used again
			t.Errorf("word for a poll of one loop has ended that of another (%v)", own)
		}
		other.Go(func() { w.Write([]byte{1}) })
		if _, err := tests.Receive(ended); err != nil {
			t.Error(err)
		}
	})
}

// waitOnce waits for input.
func (h *half) waitOnce() error {
	if err := h.f.enter(h); err != nil {
		return err
	}
	defer h.f.leave(h)
	for {
		if res, err := h.ready(); res != 0 || err != nil {
			return err
		}
	}
}

// onLoop runs fn in a task of a loop.
func onLoop(t *testing.T, fn func(l *loop.Loop)) { onLoops(t, 1, fn) }

// onLoops runs fn in a task of each of n loops.
func onLoops(t *testing.T, n int, fn func(l *loop.Loop)) {
	name := cmp.Or(os.Getenv("RINGO_DRIVER"), drivers.Auto)
	cfg := &loop.Config{
		Loops: n, Entries: 32, Buffers: 2, BufferSize: 64, Leases: 2, Budget: 256, Offload: 16,
		Grace: time.Second, Stall: -1, HardStop: time.Second, Clock: time.Now,
		Open: func(cfg driver.Config) (driver.Driver, error) { return drivers.Open(name, cfg) },
		Warn: func(string, ...any) {},
	}
	if err := loop.Run(context.Background(), cfg, func(l *loop.Loop) error { fn(l); return nil }); err != nil {
		t.Error(err)
	}
}
