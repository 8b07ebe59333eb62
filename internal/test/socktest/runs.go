//go:build linux

package socktest

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"ringo"
	"ringo/internal/driver/open"
	"ringo/internal/loop"
	"ringo/internal/test/drivertest"
)

// errDead is the error that drivers die of in these tests.
var errDead = errors.New("dead on purpose")

// runs are two Runs of one loop each, the one that handles belong to and another, and the place where they run.
type runs struct {
	place
	home, other *run
}

// run is a Run of one loop, until it is ended.
type run struct {
	l      *ringo.Loop
	driver *drivertest.Victim
	cancel func() // starts its drain
	leave  func() // ends the Run; nil: cancel does
	ended  awaited
	err    func() error // the Run's error, once it has ended
}

// newRuns starts two Runs. With drains the first one drains until the cell ends it; otherwise it does not drain.
func newRuns(driver string, drains bool) (*runs, error) {
	grace := time.Duration(-1)
	if drains {
		grace = time.Hour
	}
	home, err := newRun(driver, grace)
	if err != nil {
		return nil, err
	}
	other, err := newRun(driver, -1)
	if err != nil {
		home.end()
		return nil, err
	}
	return &runs{system{}, home, other}, nil
}

// opening is held while open.Through is in effect: it replaces a function of the whole process.
var opening sync.Mutex

// config returns the Config of the Runs, without a driver.
func config(grace time.Duration) ringo.Config {
	return ringo.Config{Loops: 1, Grace: grace, Buffers: 8, BufferSize: 1024, Leases: 4, StallLimit: -1}
}

func newRun(driver string, grace time.Duration) (*run, error) {
	opening.Lock()
	defer opening.Unlock()
	var mortal drivertest.Mortal
	undo := open.Through(mortal.Wrap)
	defer undo()
	ctx, cancel := context.WithCancel(context.Background())
	left, leave := context.WithCancel(context.Background())
	var failed error
	ended, ready := make(channel), make(channel)
	r := &run{cancel: cancel, ended: ended, err: func() error { return failed }}
	if r.leave = leave; grace < 0 {
		r.leave = nil
	}
	cfg := config(grace)
	cfg.Driver = driver
	go func() {
		defer ended.open()
		failed = ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			r.l, r.driver = l, mortal.Of((*loop.Loop)(l).Ops())
			ready.open()
			return l.Offload(func(ctx context.Context) error {
				select {
				case <-ctx.Done():
				case <-left.Done():
				}
				return nil
			})
		})
	}()
	select {
	case <-ready:
		return r, nil
	case <-ended:
		cancel()
		leave()
		return nil, failed
	}
}

// do runs f as a task and waits for it.
func (r *run) do(f func()) { r.l.Go(f).Wait() }

// end ends the Run, and returns its error.
func (r *run) end() error {
	r.cancel()
	if r.leave != nil {
		r.leave()
	}
	return r.wait()
}

func (r *run) wait() error {
	if err := within("the end of Run", r.ended); err != nil {
		return err
	}
	return r.err()
}

func (w *runs) end() error { return errors.Join(w.home.end(), w.other.end()) }

// settle gives a call that has begun the time to reach the point where it waits. It guarantees nothing: what a cell
// checks must hold wherever the call has got to.
func (w *runs) settle() {
	for _, r := range []*run{w.home, w.other, w.home} {
		r.do(func() {})
	}
	w.pass(200 * time.Microsecond)
}

// caller is a kind of caller.
type caller struct {
	name      string
	own       bool               // it is a task of the handle's loop
	on        func(w *runs) *run // the Run whose task it is; nil: it is an ordinary goroutine
	wrap      func(f func())
	callbacks bool // its calls go on in callbacks of the handle's loop
}

var callers = []*caller{
	{name: "task", own: true, on: func(w *runs) *run { return w.home }},
	{name: "iterator", own: true, on: func(w *runs) *run { return w.home }, wrap: InIterator},
	{name: "elsewhere", on: func(w *runs) *run { return w.other }},
	{name: "goroutine"},
	{name: "callback", own: true, on: func(w *runs) *run { return w.home }, callbacks: true},
}

// pending is a call under way.
type pending struct {
	begun, done latch
	task        *ringo.Task // the task that makes it; nil: a goroutine does
}

// start makes a caller run f, under WithTimeout if limit is not 0.
func (k *caller) start(w *runs, limit time.Duration, f func()) *pending {
	p := &pending{begun: w.latch(), done: w.latch()}
	body := func() {
		p.begun.open()
		f()
	}
	if limit > 0 {
		inner := body
		body = func() {
			k.on(w).l.WithTimeout(limit, func() error { inner(); return nil })
		}
	}
	if k.wrap != nil {
		inner := body
		body = func() { k.wrap(inner) }
	}
	whole := func() {
		defer p.done.open()
		body()
	}
	if k.on == nil {
		go whole()
	} else if k.callbacks {
		w.begin(w.home.l, whole)
	} else {
		p.task = k.on(w).l.Go(whole)
	}
	return p
}

// run makes a caller run f, and waits for its end.
func (k *caller) run(w *runs, f func()) error { return within("a "+k.name, k.start(w, 0, f).done) }

// within waits for done, and fails if it does not come in time.
func within(what string, done awaited) error {
	if err := done.await(); err != nil {
		return &hang{what, err, stacks()}
	}
	return nil
}

// hang is the error of a wait that did not end. The call that hangs still holds what the next cells would need.
type hang struct {
	what   string
	why    error
	stacks string
}

func (h *hang) Error() string { return h.what + ": " + h.why.Error() + "\n" + h.stacks }

// stacks returns the stacks of goroutines in the packages under test, and of loops.
func stacks() string {
	b := make([]byte, 4<<20)
	var in []string
	for _, s := range strings.Split(string(b[:runtime.Stack(b, true)]), "\n\n") {
		of := func(pkg string) bool { return strings.Contains(s, pkg) }
		if slices.ContainsFunc([]string{"ringo/sock.", "ringo/file.", "ringo/event.", "loop.Run"}, of) {
			in = append(in, s)
		}
	}
	return strings.Join(in, "\n\n")
}
