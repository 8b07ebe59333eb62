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
	// eventsMax bounds the events of one Wait; more are left for the next.
	eventsMax = 256
	// attemptsMax bounds the attempts on one direction of a descriptor in one Wait, as
	// the kernel's does for a multishot receive. What is left goes on in the next
	// Wait, which then doesn't sleep.
	attemptsMax = 32
	// ringEntriesMin is the least size of a ring's submission queue.
	ringEntriesMin = 32
	// wakeKey is the key of the eventfd. No registration has that index.
	wakeKey = ^uint64(0)
)

// How an op waits, in its Mode. The offload's mode is op.ModeFile.
const (
	modeQueued      uint8 = iota // submitted, and not looked at yet
	modeInDirection              // in a direction of its registration
	modeWatch                    // a Poll op, in the watchers of its registration
	modeTimer                    // in the timers
	modeEnded                    // cancelled; its completion is for the next Wait
)

// engine is the driver. The thread that opened it owns it.
type engine struct {
	driver.Host

	p     poller.Poller
	edge  bool  // p is edge-triggered
	bound int32 // p's, of descriptors
	slab  *op.Slab
	pool  *bufs.Pool
	now   func() int64

	outbox *driver.Outbox // nil: the loop has none

	regs   regTable
	queue  op.List       // submitted, for the next Wait
	ended  op.List       // cancelled while waiting, for the next Wait
	hot    *registration // registrations to go on with, linked by hot
	timers timers

	resting *registration // registrations whose readiness is of no use for a while, linked by rests
	rested  int64         // when it is over

	files files

	gate   mailbox.Gate
	called atomic.Bool   // a Wake came from outside, and not only from a job
	sent   atomic.Uint64 // calls of Wake that signalled
	waker  sys.Waker

	done   *driver.Queue // of the present Wait
	events [eventsMax]poller.Event
	reason string
	stats  stats.Driver
	thread int32        // the owner, in builds with invariants
	fault  func() error // Config.Fault
	dead   error
	closed bool
}

// OpenEpoll makes a driver over epoll, whose name it bears. The error is a
// *driver.SetupError.
func OpenEpoll(cfg driver.Config) (driver.Driver, error) {
	return open(cfg, "epoll", poller.OpenEpoll)
}

// OpenKqueue makes a driver over kqueue, whose name it bears. The error is a
// *driver.SetupError.
func OpenKqueue(cfg driver.Config) (driver.Driver, error) {
	return open(cfg, "kqueue", poller.OpenKqueue)
}

// OpenPoll makes a driver over poll, whose name it bears. The error is a
// *driver.SetupError.
func OpenPoll(cfg driver.Config) (driver.Driver, error) {
	return open(cfg, "poll", poller.OpenPoll)
}

// OpenSelect makes a driver over select, whose name it bears. A descriptor that
// select can't watch ends the op that makes it, or that would wait on it, with
// -EMFILE. The error is a *driver.SetupError.
func OpenSelect(cfg driver.Config) (driver.Driver, error) {
	return open(cfg, "select", poller.OpenSelect)
}

// OpenRing makes a driver over an io_uring that only polls, named "uring-poll". The
// caller stays locked to its thread until Close. The error is a *driver.SetupError.
func OpenRing(cfg driver.Config) (driver.Driver, error) {
	return open(cfg, "uring-poll", func(without []string) (poller.Poller, error) {
		return poller.OpenRing(max(cfg.Entries, ringEntriesMin), without)
	})
}

// open makes a driver over the poller that mk gives, which is given cfg.Without.
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

// refusal is a poller's result as an error.
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

// Bound is that of the poller.
func (d *engine) Bound() (int32, error) {
	if uint64(d.bound) >= sys.FilesMax() {
		return d.bound, nil
	}
	return d.bound, poller.ErrBound
}

// own panics on any thread but the owner's, in builds with invariants.
func (d *engine) own(method string) {
	if invariant.Enabled {
		if here := sys.Gettid(); here != d.thread {
			panic(fmt.Sprintf("driver/soft: %s on thread %d, the driver is of thread %d", method, here, d.thread))
		}
	}
}
