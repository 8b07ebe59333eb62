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

// errDead is what drivers die of here.
var errDead = errors.New("dead on purpose")

// runs are the loop that handles belong to, another of a Run of its own, and where they are.
type runs struct {
	place
	home, other *run
}

// run is a Run of one loop, until it is ended.
type run struct {
	l      *ringo.Loop
	driver *drivertest.Victim
	cancel func() // begins its drain
	leave  func() // ends the Run; nil: cancel does
	ended  awaited
	err    func() error // behind its end
}

// newRuns makes Runs of which the first drains for as long as a cell lets it, or not at all.
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

// opening is held from open.Through to its end.
var opening sync.Mutex

// config is that of the Runs, but for its driver.
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

// do runs f as a task.
func (r *run) do(f func()) { r.l.Go(f).Wait() }

// end ends the Run, and returns what it ended with.
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

// settle gives a call that has begun the time to get where it waits. It is no
// synchronisation: what a cell wants holds wherever the call is.
func (w *runs) settle() {
	for _, r := range []*run{w.home, w.other, w.home} {
		r.do(func() {})
	}
	w.pass(200 * time.Microsecond)
}

// caller is a kind of callers.
type caller struct {
	name      string
	own       bool               // a task of the handle's loop
	on        func(w *runs) *run // nil: an ordinary goroutine
	wrap      func(f func())
	callbacks bool // it goes on in callbacks of the handle's loop
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
	task        *ringo.Task // nil: a goroutine
}

// start has a caller run f, under a time limit if there is one.
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

// run has a caller run f, and waits for it.
func (k *caller) run(w *runs, f func()) error { return within("a "+k.name, k.start(w, 0, f).done) }

// within waits for something, and fails if it does not come.
func within(what string, done awaited) error {
	if err := done.await(); err != nil {
		return &hang{what, err, stacks()}
	}
	return nil
}

// hang is a wait that did not end. Who hangs has things that the next cells would need.
type hang struct {
	what   string
	why    error
	stacks string
}

func (h *hang) Error() string { return h.what + ": " + h.why.Error() + "\n" + h.stacks }

// stacks are those of goroutines in the packages that are tested, and of loops.
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
