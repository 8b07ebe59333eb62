//go:build linux

package loop_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringo/internal/driver"
	"ringo/internal/loop"
	"ringo/internal/rt/code"
	"ringo/internal/sys"
	"ringo/internal/test/drivertest"
	"ringo/internal/test/patience"
	"ringo/uring"
)

var errBroken = errors.New("broken on purpose")

// opened counts drivers that are open, by wrapping those that cfg opens. which
// says whether the n-th, from 0, fails instead.
func opened(cfg *loop.Config, open *atomic.Int64, which func(n int64) bool) {
	var tried atomic.Int64
	inner := cfg.Open
	cfg.Open = func(dc driver.Config) (driver.Driver, error) {
		if which(tried.Add(1) - 1) {
			return nil, errBroken
		}
		d, err := inner(dc)
		if err == nil {
			open.Add(1)
			d = &counted{d, open}
		}
		return d, err
	}
}

type counted struct {
	driver.Driver
	open *atomic.Int64
}

func (d *counted) Close(done *driver.Queue) error {
	d.open.Add(-1)
	return d.Driver.Close(done)
}

// A loop that can't be set up fails Run before any fn starts, whichever it is, and
// those that were set up are taken down.
func TestOpenFails(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Loops = 4
		procs := runtime.GOMAXPROCS(0)
		for name, which := range map[string]func(n int64) bool{
			"the first": func(n int64) bool { return n == 0 },
			"the last":  func(n int64) bool { return n == 3 },
			"two":       func(n int64) bool { return n%2 == 0 },
			"all":       func(n int64) bool { return true },
		} {
			t.Run(name, func(t *testing.T) {
				cfg := *cfg
				var open atomic.Int64
				opened(&cfg, &open, which)
				err := run(t, &cfg, func(*loop.Loop) error { t.Error("fn ran"); return nil })
				if !errors.Is(err, errBroken) || strings.Count(err.Error(), errBroken.Error()) != 1 {
					t.Errorf("Run: %v, want the error, once", err)
				}
				if n := open.Load(); n != 0 {
					t.Errorf("%d drivers left open", n)
				}
				if n := runtime.GOMAXPROCS(0); n != procs {
					t.Errorf("GOMAXPROCS is left at %d, was %d", n, procs)
				}
			})
		}
	})
}

// dying is a driver whose Wait fails from some call on.
type dying struct {
	driver.Driver
	left int
}

func (d *dying) Wait(deadline int64, done *driver.Queue) error {
	if d.left--; d.left < 0 {
		return errBroken
	}
	return d.Driver.Wait(deadline, done)
}

// A driver that dies takes its loop along, and Run ends with its error: other
// loops are cancelled, and nobody waits for a task that will never be resumed, here
// because it listens to no cancel. The coroutines of such tasks are lost, so all this is
// a child's.
func TestDriverDies(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		t.Parallel()
		if out, err := child(t, "dying driver"); err != nil || string(out) != "" {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

func init() { children["dying driver"] = dyingDriver }

func dyingDriver(cfg *loop.Config) {
	complain := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	cfg.Loops, cfg.HardStop = 2, 4*time.Second
	var open atomic.Int64
	opened(cfg, &open, func(int64) bool { return false })
	inner := cfg.Open
	cfg.Open = func(dc driver.Config) (driver.Driver, error) {
		d, err := inner(dc)
		return &dying{d, 1 << 30}, err
	}
	var fromGoroutine, fromLoop error
	var parked, late, refused *loop.Task
	lost, over, tooLate := new(toldJob), &toldJob{ends: true}, new(toldJob)
	var told context.Context
	joined := make(chan struct{})
	err := loop.Run(context.Background(), cfg, func(l *loop.Loop) error {
		if l.Index() == 1 {
			l.Sleep(time.Hour)
			return nil
		}
		parked = l.Go(func() {
			told = l.Context()
			l.Shield()
			l.Sleep(time.Hour)
			complain("a shielded task was resumed")
		})
		l.Start(lost)
		l.Start(over)
		waiting := make(chan struct{})
		l.Set().Loops()[1].Go(func() { close(waiting); fromLoop = parked.Wait() })
		go func() { fromGoroutine = parked.Wait(); close(joined) }()
		l.Offload(func(context.Context) error { <-waiting; return nil })
		l.Start(new(silentJob)) // in the coroutine of the one that has ended
		l.Sleep(time.Millisecond)
		loop.Driver(l).(*dying).left = 0
		l.Sleep(time.Hour)
		late = l.Go(func() {
			l.Shield()
			l.Sleep(time.Hour)
			complain("a shielded task of a dead loop was resumed")
		})
		sent := make(chan *loop.Task)
		go func() { sent <- l.Go(func() { complain("a task began when its loop had no time left") }) }()
		refused = <-sent
		if !l.StartFrom(tooLate) {
			complain("mail was refused before the loop's end")
		}
		time.Sleep(cfg.HardStop / 2) // so that the loop does not look for mail any more
		return nil
	})
	if !errors.Is(err, errBroken) {
		complain("Run: %v", err)
	}
	heard := make(chan error, 1)
	go func() { heard <- refused.Wait() }()
	answer, silent := patience.Receive(heard)
	if silent != nil || answer != loop.ErrEnded {
		complain("Wait for a task that came too late: %v, want ErrEnded; %v", answer, silent)
	}
	if err != nil && strings.Contains(err.Error(), "not ended") {
		complain("Run has waited for what its loops had given up: %v", err)
	}
	if _, err := patience.Receive(joined); err != nil {
		complain("a goroutine still waits for a task: %v\n%s", err, patience.Stacks())
		return
	}
	for name, err := range map[string]error{
		"a goroutine": fromGoroutine, "another loop": fromLoop,
		"after Run": parked.Wait(), "a task that began late": late.Wait(),
	} {
		if err != loop.ErrEnded {
			complain("Wait from %s: %v, want ErrEnded", name, err)
		}
	}
	if told.Err() == nil {
		complain("the parked task's context is not done")
	}
	if lost.told != 1 || over.told != 0 || tooLate.told != 1 || tooLate.ran {
		complain("told: %d that was lost, %d that had ended, %d that came too late", lost.told, over.told, tooLate.told)
	}
	if n := open.Load(); n != 0 {
		complain("%d drivers left open", n)
	}
}

// toldJob is a job that wants to know that its loop has ended before it has.
type toldJob struct {
	ends bool // at once
	ran  bool
	told int
}

func (j *toldJob) Run() {
	l, t := loop.Current()
	j.ran = true
	t.OnLost(func() { j.told++ })
	if !j.ends {
		l.Shield()
		l.Sleep(time.Hour)
	}
}

func (*toldJob) Code() code.Func { return 0 }

func (j *toldJob) Refused() { j.told++ }

// silentJob is one that is lost, and does not want to know.
type silentJob struct{ toldJob }

func (*silentJob) Run() {
	l, _ := loop.Current()
	l.Shield()
	l.Sleep(time.Hour)
}

// Tasks and handles of a loop whose driver dies end as those of a loop that is stopped:
// what they wait for ends, they are told, and nothing is lost.
func TestDriverDiesUnderTasks(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Loops, cfg.Budget = 2, 1 // one task a turn, so that some are left in the queue
		var mortal drivertest.Mortal
		cfg.Open = mortal.Wrap(cfg.Open)
		var open atomic.Int64
		opened(cfg, &open, func(int64) bool { return false })
		var log []string
		var ended atomic.Int64
		waits := map[string]func(l *loop.Loop) bool{
			"a sleep":         func(l *loop.Loop) bool { return l.Sleep(time.Hour) == 0 },
			"an op":           func(l *loop.Loop) bool { return readsNothing(t, l) != -sys.ECANCELED },
			"an op, shielded": func(l *loop.Loop) bool { l.Shield(); return readsNothing(t, l) != -sys.ECANCELED },
			"one after death": func(l *loop.Loop) bool {
				l.Sleep(time.Hour)
				l.Shield()
				return readsNothing(t, l) != -sys.ECANCELED
			},
			"an offloaded one": func(l *loop.Loop) bool { return l.Offload(untilDone) == nil },
			"the end of a handle, shielded": func(l *loop.Loop) bool {
				l.Shield()
				h := &awaited{l: l, task: l.Task()}
				l.Handles().Register(&h.Handle, h)
				l.Park(h)
				return false
			},
		}
		if strings.HasSuffix(t.Name(), "/uring") && !revokes() {
			// Before Linux 6.0 what a dead ring has taken in can't be ended, and the kernel may still write to it.
			delete(waits, "an op")
			delete(waits, "an op, shielded")
		}
		err := run(t, cfg, func(l *loop.Loop) error {
			if l.Index() == 1 {
				l.Sleep(time.Hour)
				ended.Add(1)
				return nil
			}
			h := &thing{l: l, name: "it", log: &log}
			l.Handles().Register(&h.Handle, h)
			for name, waits := range waits {
				l.Go(func() {
					defer ended.Add(1)
					if waits(l) {
						t.Errorf("%s was not ended", name)
					}
				})
			}
			joiner := l.Set().Loops()[1].Go(func() {
				defer ended.Add(1)
				l.Go(func() { l.Sleep(time.Hour) }).Wait()
			})
			l.Sleep(time.Millisecond)
			for range 10 {
				l.Go(func() { ended.Add(1) })
			}
			mortal.Of(l.Ops()).Die(errBroken)
			joiner.Wait()
			return nil
		})
		if !errors.Is(err, errBroken) {
			t.Errorf("Run: %v", err)
		}
		if n := ended.Load(); n != int64(len(waits))+12 {
			t.Errorf("%d tasks have ended, want %d", n, len(waits)+12)
		}
		if !slices.Contains(log, "abandon it") {
			t.Errorf("a handle was told %q", log)
		}
		if n := open.Load(); n != 0 {
			t.Errorf("%d drivers left open", n)
		}
	})
}

// awaited is something open whose end a task waits for, and nothing else.
type awaited struct {
	loop.Handle
	l    *loop.Loop
	task *loop.Task
}

func (h *awaited) Drain()                              {}
func (h *awaited) DescribeWait(*loop.Task, *loop.Wait) {}

func (h *awaited) Abandon() {
	h.l.Handles().Unregister(&h.Handle)
	h.l.Ready(h.task)
}

func untilDone(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// readsNothing waits for a byte that does not come.
func readsNothing(t *testing.T, l *loop.Loop) int32 {
	p := openPipe(t)
	defer p.close(l)
	return p.read(l)
}

// unclosable is a driver that has something to say at its end.
type unclosable struct{ driver.Driver }

func (d unclosable) Close(done *driver.Queue) error {
	d.Driver.Close(done)
	return errBroken
}

func TestDriverDoesNotClose(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		inner := cfg.Open
		cfg.Open = func(dc driver.Config) (driver.Driver, error) {
			d, err := inner(dc)
			return unclosable{d}, err
		}
		if err := run(t, cfg, func(*loop.Loop) error { return nil }); err != errBroken {
			t.Errorf("Run: %v", err)
		}
	})
}

// revokes reports whether a ring that can't be entered can still be told to cancel.
func revokes() bool {
	r, err := uring.ProbeFor(new(uring.Config), uring.CheckSyncCancel)
	return err == nil && r.Require(uring.CheckSyncCancel) == nil
}
