package soft

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"ringo/internal/bufs"
	"ringo/internal/driver"
	"ringo/internal/invariant"
	"ringo/internal/mailbox"
	"ringo/internal/op"
	"ringo/internal/poller"
	"ringo/internal/posix"
	"ringo/internal/sys"
	"ringo/stats"
	"ringo/uring"
)

const (
	// eventsMax is the most events that one Wait takes from the poller. The next Wait takes the rest.
	eventsMax = 256
	// attemptsMax is the most attempts on one direction of a descriptor in one Wait, as many as the kernel makes for a
	// multishot receive. The next Wait makes the rest, and does not sleep before.
	attemptsMax = 32
	// ringEntriesMin is the smallest size of a ring's submission queue.
	ringEntriesMin = 32
	// wakeKey is the poller's key of the waker's descriptor. No registration has it.
	wakeKey = ^uint64(0)
)

// The values of an op's Mode, which say how it waits. An op that another thread does has op.ModeFile.
const (
	modeQueued      uint8 = iota // in engine.queue: submitted, not attempted yet
	modeInDirection              // in a direction of its registration
	modeWatch                    // a Poll op, in its registration's watch
	modeTimer                    // in engine.timers
	modeEnded                    // in engine.ended: cancelled, completes in the next Wait
)

// engine is the driver. Only the thread that opened it calls its methods, except for Wake.
type engine struct {
	driver.Host

	p     poller.Poller
	edge  bool  // p is edge-triggered
	bound int32 // descriptors must be less, see poller.Poller.Bound
	slab  *op.Slab
	pool  *bufs.Pool
	now   func() int64

	outbox *driver.Outbox // nil: the loop has none

	regs   regTable
	queue  op.List       // submitted; the next Wait attempts them
	ended  op.List       // cancelled while they waited; the next Wait completes them
	hot    *registration // registrations with more to attempt, linked by their hot
	timers timers

	resting *registration // registrations whose readiness is ignored for a while, linked by their rests
	rested  int64         // when that ends

	files files

	gate   mailbox.Gate
	called atomic.Bool   // Wake was called, not only by a job that has ended
	sent   atomic.Uint64 // calls of Wake that wrote to the waker
	waker  sys.Waker

	done   *driver.Queue // where the present Wait puts completions
	events [eventsMax]poller.Event
	reason string
	stats  stats.Driver
	thread int32        // that owns the driver, in builds with invariants
	fault  func() error // Config.Fault
	dead   error
	closed bool
}

// OpenEpoll opens a driver over epoll, named "epoll". An error is a *driver.SetupError.
func OpenEpoll(cfg driver.Config) (driver.Driver, error) {
	return open(cfg, "epoll", poller.OpenEpoll)
}

// OpenKqueue opens a driver over kqueue, named "kqueue". An error is a *driver.SetupError.
func OpenKqueue(cfg driver.Config) (driver.Driver, error) {
	return open(cfg, "kqueue", poller.OpenKqueue)
}

// OpenPoll opens a driver over poll, named "poll". An error is a *driver.SetupError.
func OpenPoll(cfg driver.Config) (driver.Driver, error) {
	return open(cfg, "poll", poller.OpenPoll)
}

// OpenSelect opens a driver over select, named "select". An op that makes or would wait on a descriptor that select
// can't watch ends with -EMFILE. An error is a *driver.SetupError.
func OpenSelect(cfg driver.Config) (driver.Driver, error) {
	return open(cfg, "select", poller.OpenSelect)
}

// OpenRing opens a driver over an io_uring that only polls, named "uring-poll". The caller must stay locked to its
// thread until Close. An error is a *driver.SetupError.
func OpenRing(cfg driver.Config) (driver.Driver, error) {
	return open(cfg, "uring-poll", func(without []string) (poller.Poller, error) {
		return poller.OpenRing(max(cfg.Entries, ringEntriesMin), without)
	})
}

// open opens a driver over the poller that mk returns. mk gets cfg.Without.
func open(cfg driver.Config, name string, mk func(without []string) (poller.Poller, error)) (driver.Driver, error) {
	if cfg.Slab == nil || cfg.Now == nil {
		panic("driver/soft: a Config without Slab or Now")
	}
	p, err := mk(cfg.Without)
	if err != nil {
		return nil, setupError(name, err)
	}
	d := &engine{p: p, edge: p.EdgeTriggered(), bound: p.Bound(), slab: cfg.Slab, pool: cfg.Ring, now: cfg.Now,
		reason: cfg.Reason, fault: cfg.Fault, outbox: cfg.Outbox}
	if invariant.Enabled {
		d.thread = sys.Gettid()
	}
	var res int32
	if d.waker, res = sys.NewWaker(); res < 0 {
		p.Close()
		return nil, setupError(name, os.NewSyscallError(sys.WakerCall, posix.Of(res)))
	}
	if res = p.Add(d.waker.In, sys.PollIn, wakeKey); res < 0 {
		d.waker.Close()
		p.Close()
		return nil, setupError(name, os.NewSyscallError("adding the waker", refusal(res)))
	}
	d.files.open(cfg.Without, func() { d.signal() })
	return d, nil
}

// refusal returns the error of a poller's negative result.
func refusal(res int32) error {
	if res == -sys.EMFILE {
		return poller.ErrBound
	}
	return posix.Of(res)
}

func setupError(name string, err error) error {
	e := &driver.SetupError{Driver: name, Step: "open", Err: err}
	var ring *uring.SetupError
	var call *os.SyscallError
	switch {
	case errors.As(err, &ring):
		e.Step, e.Hint, e.Err = ring.Step, ring.Hint, ring.Err
		return e
	case errors.As(err, &call):
		e.Step, e.Err = call.Syscall, call.Err
	}
	switch {
	case errors.Is(err, poller.ErrBound):
		e.Err, e.Hint = posix.EMFILE, poller.ErrBound.Error()
	case errors.Is(err, posix.ENOSYS):
		e.Hint = "this system has no such poller"
	case errors.Is(err, posix.EPERM):
		e.Hint = "a seccomp filter forbids it"
	case errors.Is(err, posix.EMFILE), errors.Is(err, posix.ENFILE):
		e.Hint = "out of descriptors: raise RLIMIT_NOFILE (ulimit -n)"
	case errors.Is(err, posix.ENOSPC):
		e.Hint = "fs.epoll.max_user_watches is used up"
	}
	return e
}

// Info describes the driver.
func (d *engine) Info() driver.Info {
	d.stats.WakesSent = d.sent.Load()
	info := driver.Info{
		Info:  stats.Info{Name: d.p.Name(), Reason: d.reason, Features: d.files.features(d.p.Features())},
		Edges: d.edge, Stats: d.stats,
	}
	if ring, ok := d.p.(interface{ Entries() int }); ok {
		info.Entries = ring.Entries()
	}
	return info
}

// Bound returns the poller's bound of descriptors, and poller.ErrBound if the process may have more of them.
func (d *engine) Bound() (int32, error) {
	if uint64(d.bound) >= sys.FilesMax() {
		return d.bound, nil
	}
	return d.bound, poller.ErrBound
}

// own panics if another thread than the owner calls it, in builds with invariants.
func (d *engine) own(method string) {
	if invariant.Enabled {
		if here := sys.Gettid(); here != d.thread {
			panic(fmt.Sprintf("driver/soft: %s on thread %d, the driver is of thread %d", method, here, d.thread))
		}
	}
}
