package sim_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"net"
	"os"
	"runtime/pprof"
	"testing"
	"time"

	"ringo"
	"ringo/internal/posix"
	"ringo/internal/race"
	"ringo/internal/rt/labels"
	"ringo/sim"
	"ringo/sock"
)

var programs = flag.Int("programs", 10, "how many worlds TestPrograms plays")

// TestPrograms plays programs that the seed has made up, of connections, pipes, datagrams and files, whose tasks
// disturb each other: they move deadlines, cancel, close, move to other loops. It wants of them what every program may
// rely on: no byte is lost, doubled or another's; each call ends in time, and with an error that has a reason; what was
// open and what was used is given back. testdata/mutants has what it finds where that is not so.
func TestPrograms(t *testing.T) {
	n := *programs
	if race.Enabled { // a world is of one thread, so that few show what worlds do to each other
		n = max(2, n/5)
	}
	sim.Explore(t, n, playProgram)
}

const (
	bufferSize = 1024
	leasesMost = 4
	// slack is how late a call may be that has to end.
	slack = 300 * time.Millisecond
	// lasts is for how long a program has its tasks begin something new.
	lasts = 4 * time.Second
	// settles is how long afterwards loops are looked at: what they keep unused has been given back.
	settles = 8 * time.Second
)

// program is what happens in a world.
type program struct {
	w     *sim.World
	rand  *rand.Rand
	nodes []*node
	pairs map[uint32]*connection // connections, by what their first bytes say
	rough bool                   // there are faults in which peers get lost
	mixed bool                   // tasks use what belongs to other loops of their host
	over  bool                   // nothing new is begun
}

// node is a host.
type node struct {
	p     *program
	h     *sim.Host
	boot  int  // how often it began
	ends  bool // its Run does, for whatever reason
	loops []*ringo.Loop
	done  bool // its first function is
	tasks int  // that have begun, and not ended
}

// playProgram is the script.
func playProgram(w *sim.World) {
	p := &program{w: w, rand: w.Rand(), pairs: map[uint32]*connection{}}
	w.Link = sim.Link{Latency: p.upTo(3 * time.Millisecond), Jitter: p.upTo(time.Millisecond),
		Loss: p.oneOf(0, 0, 0.02), Split: p.oneOf(0, 0.2), Bandwidth: int64(p.oneOf(0, 1<<22))}
	for _, name := range []string{"one", "two"} {
		n := &node{p: p, h: w.Host(name)}
		n.h.Calls.ShortSend = p.oneOf(0, 0.1)
		n.h.Disk = sim.Disk{Latency: 50 * time.Microsecond, Jitter: time.Millisecond, Short: p.oneOf(0, 0.1)}
		n.h.Lends = p.chance(2)
		n.h.Names.Latency = p.upTo(20 * time.Millisecond)
		p.nodes = append(p.nodes, n)
	}
	end := p.rand.IntN(8)
	p.rough = end == 0 || end == 1
	p.mixed = w.Seed()%4 == 3
	var all []*sim.Program
	for _, n := range p.nodes {
		cfg := &ringo.Config{Loops: 2, Buffers: 64, BufferSize: bufferSize, Leases: leasesMost, Grace: time.Second}
		all = append(all, n.h.Run(cfg, n.run))
	}
	switch end {
	case 0: // the driver of one dies
		w.After(p.upTo(lasts), func() {
			p.nodes[0].ends = true
			p.nodes[0].h.FailDriver(errDriver)
		})
	case 1:
		w.Storm(lasts, sim.Storm{Crash: lasts, Reset: lasts / 2, Partition: lasts / 2, Cut: 200 * time.Millisecond})
	case 2: // one ends early, in good order
		w.After(p.upTo(lasts), func() { p.nodes[0].ends = true; all[0].Drain() })
	}
	w.After(lasts, func() { p.over = true })
	if err := w.Wait(all...); err != nil && !p.rough && !(p.nodes[0].ends && errors.Is(err, context.Canceled)) {
		w.Errorf("a program's error: %v", err)
	}
	for _, n := range p.nodes {
		if open := n.h.Open(); !n.h.Down() && (open != 0 || n.tasks != 0) {
			w.Errorf("%s: %d descriptors are left open, and %d tasks have not ended", n.h.Name(), open, n.tasks)
		}
	}
}

var errDriver = errors.New("the driver of this test has died")

func (p *program) upTo(d time.Duration) time.Duration {
	return time.Duration(p.rand.Int64N(int64(d) + 1))
}
func (p *program) oneOf(of ...float64) float64 { return of[p.rand.IntN(len(of))] }
func (p *program) chance(one int) bool         { return p.rand.IntN(one) == 0 }

// run is what runs on a host: ringo.Run's function, which is called on both loops.
func (n *node) run(l *ringo.Loop) error {
	if l.Index() > 0 { // where the first one has tasks
		for k := (&worker{n: n, l: l}); k.sleep(100*time.Millisecond) == nil && !n.done; {
		}
		return nil
	}
	n.done = false
	defer func() { n.done = true }()
	n.boot++
	n.loops = l.Loops()
	ln, err := sock.Listen(l, "tcp", ":7000")
	if err != nil {
		return err
	}
	lu, err := sock.Listen(l, "unix", "/tmp/socket")
	if err != nil && !errors.Is(err, posix.EADDRINUSE) {
		return err
	}
	main := &worker{n: n, l: l}
	main.begin(l, func(k *worker) { k.accepts(ln) })
	if lu != nil {
		main.begin(main.anyLoop(), func(k *worker) { k.accepts(lu) })
	}
	for _, to := range n.loops {
		for range 2 {
			main.begin(to, func(k *worker) { k.dials() })
		}
	}
	main.begin(n.loops[n.p.rand.IntN(2)], func(k *worker) { k.pipes() })
	main.begin(n.loops[n.p.rand.IntN(2)], func(k *worker) { k.datagrams() })
	main.begin(n.loops[n.p.rand.IntN(2)], func(k *worker) { k.files() })
	main.begin(l, func(k *worker) { k.burst() })
	for !n.p.over {
		if main.sleep(100*time.Millisecond) != nil {
			break
		}
	}
	ln.Close()
	if lu != nil {
		lu.Close()
	}
	if main.sleep(settles) == nil && !n.ends {
		for _, to := range n.loops {
			task := main.begin(to, func(k *worker) { k.settled() })
			task.Wait()
		}
	}
	return nil
}

// settled looks at a loop on which nothing happens any more.
func (k *worker) settled() {
	// Beside those that have ended, one may be left that is about to.
	if s := k.l.Stats(); s.Leases > 0 || s.Slots > 8 || s.Workers > s.Tasks+20 {
		k.p().w.Errorf("%s: a loop at rest has %d leases, %d slots and %d coroutines of %d tasks\n%s", k.n.h.Name(),
			s.Leases, s.Slots, s.Workers, s.Tasks, k.left())
	}
}

func (k *worker) left() (text string) {
	for _, t := range k.l.Tasks() {
		text += fmt.Sprintf("%+v\n", t)
	}
	return text
}

// worker is a task.
type worker struct {
	n        *node
	l        *ringo.Loop
	task     *ringo.Task
	canceled bool
	since    time.Duration // when it was canceled
}

func (k *worker) p() *program { return k.n.p }

// begin starts a task, which has the labels of who starts it.
func (k *worker) begin(l *ringo.Loop, fn func(k *worker)) *ringo.Task {
	c := &worker{n: k.n, l: l}
	mine := labels.Current()
	c.task = l.Go(func() {
		if got := labels.Current(); got != mine {
			k.p().w.Errorf("a task begins with labels %v, and was started with %v", got, mine)
		}
		c.n.tasks++
		defer func() { c.n.tasks-- }()
		fn(c)
	})
	return c.task
}

// child is begin of a task that is to be cancelled.
func (k *worker) child(fn func(k *worker)) *worker {
	c := &worker{n: k.n, l: k.anyLoop()}
	c.task = c.l.Go(func() {
		c.n.tasks++
		defer func() { c.n.tasks-- }()
		fn(c)
	})
	return c
}

func (k *worker) cancel() {
	if !k.canceled {
		k.canceled, k.since = true, k.p().w.Elapsed()
	}
	k.task.Cancel()
}

// anyLoop is where a task may run that uses what belongs to the worker's loop.
func (k *worker) anyLoop() *ringo.Loop {
	if k.p().mixed {
		return k.n.loops[k.p().rand.IntN(len(k.n.loops))]
	}
	return k.l
}

// labelled has the task have labels of its own from now on.
func (k *worker) labelled() {
	set := pprof.Labels("who", fmt.Sprint(k.p().rand.Uint32()))
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), set))
}

// sleep is never short.
func (k *worker) sleep(d time.Duration) error {
	w := k.p().w
	begun := w.Elapsed()
	err := k.l.Sleep(d)
	if took := w.Elapsed() - begun; err == nil && (took < d || took > d+slack) {
		w.Errorf("a sleep of %v has taken %v", d, took)
	}
	return k.judge("a sleep", begun, 0, nil, err)
}

// pause waits for nothing, a moment or a while.
func (k *worker) pause() error {
	switch p := k.p(); p.rand.IntN(4) {
	case 0:
		k.l.Yield()
		return nil
	case 1:
		return k.sleep(p.upTo(100 * time.Microsecond))
	case 2:
		return k.sleep(p.upTo(10 * time.Millisecond))
	}
	return k.sleep(k.p().upTo(300 * time.Millisecond))
}

// burst is many tasks at once, now and then.
func (k *worker) burst() {
	for !k.p().over {
		if k.sleep(k.p().upTo(lasts/2)) != nil {
			return
		}
		k.labelled()
		for range k.p().rand.IntN(100) {
			k.begin(k.n.loops[k.p().rand.IntN(2)], func(k *worker) {
				if k.p().chance(2) {
					k.labelled()
				}
				k.pause()
			})
		}
	}
}

// call makes a call that has to end within limit, if that is not 0, and judges how it does. may gives the errors that
// are in order, when it has ended.
func (k *worker) call(what string, limit time.Duration, fn func() error, may func() []error) error {
	begun := k.p().w.Elapsed()
	run := fn
	if k.p().chance(4) {
		run = func() error { return pulled(fn) }
	}
	if limit == 0 {
		err := run()
		return k.judge(what, begun, limit, may(), err)
	}
	err := k.l.WithTimeout(limit, run)
	return k.judge(what, begun, limit, append(may(), os.ErrDeadlineExceeded, context.DeadlineExceeded), err)
}

// only is errors that are always in order.
func only(may ...error) func() []error { return func() []error { return may } }

// pulled calls fn in an iterator.
func pulled(fn func() error) error {
	next, stop := iter.Pull(func(yield func(error) bool) { yield(fn()) })
	defer stop()
	err, _ := next()
	return err
}

// judge looks at how a call has ended.
func (k *worker) judge(what string, begun, limit time.Duration, may []error, err error) error {
	p, now := k.p(), k.p().w.Elapsed()
	if limit > 0 && now-begun > limit+slack {
		p.w.Errorf("%s: %s with %v of time has taken %v: %v", k.n.h.Name(), what, limit, now-begun, err)
	}
	if late := now - max(begun, k.since); k.canceled && late > slack {
		p.w.Errorf("%s: %s has ended %v after it was cancelled: %v", k.n.h.Name(), what, late, err)
	}
	if err == nil {
		return nil
	}
	for _, e := range may {
		if errors.Is(err, e) {
			return err
		}
	}
	switch {
	case errors.Is(err, context.Canceled) && (k.canceled || k.n.ends),
		k.n.ends && (errors.Is(err, ringo.ErrDraining) || errors.Is(err, ringo.ErrEnded) ||
			errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) || errors.Is(err, errDriver)):
		return err
	}
	p.w.Errorf("%s: %s has given an error without a reason (cancelled: %v, the end: %v): %v", k.n.h.Name(), what,
		k.canceled, k.n.ends, err)
	return err
}
