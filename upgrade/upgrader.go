package upgrade

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"ringo"
	"ringo/internal/caller"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/perloop"
	"ringo/service"
)

// A Config says how a program is replaced. The zero Config is ready to use.
type Config struct {
	// Signals make the Upgrader call Upgrade, and log the result. Without any, only a call of Upgrade starts a
	// successor.
	Signals []os.Signal
	// Command makes the successor's command, which must not have been started. It is called on a goroutine. nil means
	// the program's own file, whatever is at its path by then, with the same arguments, environment, working directory
	// and standard files.
	Command func() (*exec.Cmd, error)
	// Within is how long the successor may take until it is ready; 0 means a minute. After that it is killed.
	Within time.Duration
	// Service is notified of loops that start, of upgrades, and of the process that serves then. If it is nil the
	// Upgrader makes one, and closes it.
	Service *service.Manager
	// Log receives what happens; nil means slog.Default.
	Log *slog.Logger
}

// Why an Upgrader's Context has ended, and why there is no upgrade.
var (
	// ErrReplaced is the cause of the end of Context: a successor is ready. Upgrade fails with it afterwards.
	ErrReplaced = errors.New("upgrade: a successor has taken over")
	// ErrNotReady is why Upgrade fails before the program has called Ready.
	ErrNotReady = errors.New("upgrade: the program itself is not ready yet")
	// ErrUnderWay is why Upgrade fails while another call is at work.
	ErrUnderWay = errors.New("upgrade: a successor is being started already")
)

// An Upgrader is a program's place between its predecessor, if it has one, and its successor. New makes it.
type Upgrader struct {
	cfg Config
	log *slog.Logger
	of  context.Context // the program's
	ctx context.Context
	end context.CancelCauseFunc

	program string // the path of the program's file, as it was started
	from    *predecessor
	signals chan os.Signal
	service *service.Manager
	starts  perloop.Starts

	mu       sync.Mutex
	ready    bool
	started  []*ringo.Loop      // that the service manager's watchdog gets to know when all is ready
	starting context.CancelFunc // ends the start of a successor
	passed   []passed
	next     *successor // that is ready
	closed   bool
}

// New makes the program's Upgrader, with what its predecessor has passed on, if one has started it. ctx is the
// program's: when it ends, for example by signal.NotifyContext, no upgrade begins any more, one that has begun is given
// up, and Context ends as well. Call it once, early in the program: before other processes are started, and before a
// Run. It may wait for the predecessor. A nil Config is the zero one.
func New(ctx context.Context, cfg *Config) (*Upgrader, error) {
	if err := loop.Home().World().Passage(); err != nil {
		return nil, fmt.Errorf("upgrade: %w", err)
	}
	u := &Upgrader{program: programFile()}
	if cfg != nil {
		u.cfg = *cfg
	}
	if u.cfg.Within < 0 {
		return nil, fmt.Errorf("upgrade: Config.Within is %v: want 0 or more", u.cfg.Within)
	}
	if u.cfg.Within == 0 {
		u.cfg.Within = time.Minute
	}
	if u.log = u.cfg.Log; u.log == nil {
		u.log = slog.Default()
	}
	var err error
	if u.service = u.cfg.Service; u.service == nil {
		if u.service, err = service.New(&service.Config{Log: u.log}); err != nil {
			return nil, fmt.Errorf("upgrade: %w", err)
		}
	}
	if u.from, err = inherit(); err != nil {
		return nil, fmt.Errorf("upgrade: what the predecessor has passed on: %w", err)
	}
	u.of = ctx
	u.ctx, u.end = context.WithCancelCause(ctx)
	if u.from != nil {
		go u.from.receive(u.log)
	}
	if len(u.cfg.Signals) > 0 {
		u.signals = make(chan os.Signal, 1)
		signal.Notify(u.signals, u.cfg.Signals...)
		go u.watch()
	}
	return u, nil
}

// programFile is the path by which the program was started: a link there may lead elsewhere by the next time. The first
// argument only hints at it, and may be a name that is another program's in PATH.
func programFile() string {
	self, _ := os.Executable()
	path, err := exec.LookPath(os.Args[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil || !kernel.SameFile(path, self) {
		return self
	}
	return path
}

// watch starts a successor at each signal.
func (u *Upgrader) watch() {
	for {
		select {
		case <-u.ctx.Done():
			return
		case sig := <-u.signals:
			u.log.Info("upgrade: begins", "signal", sig.String())
			if err := u.Upgrade(u.ctx); err != nil && u.ctx.Err() == nil {
				u.log.Error("upgrade: this process serves on", "error", err)
			}
		}
	}
}

// Context returns the context for ringo.Run and servers: it ends when a successor is ready, with the cause ErrReplaced,
// when New's ctx ends, or at Close. Any goroutine may call it.
func (u *Upgrader) Context() context.Context { return u.ctx }

// Inherited reports whether the program is a successor. Any goroutine may call it.
func (u *Upgrader) Inherited() bool { return u.from != nil }

// Started is Ready for a Run: call it on each loop, as in ringo.Config.Start. Once each loop has called it, and so
// turns, it calls Ready. The service manager's watchdog watches l from then on (service.Manager.Watch), or, in a
// successor, once Ready has succeeded: until then the predecessor is the service. Only a task of l may call it; it
// parks.
func (u *Upgrader) Started(l *ringo.Loop) error {
	e := (*loop.Loop)(l)
	if !e.IsCurrent() {
		return fmt.Errorf("upgrade: Started: %w", ringo.ErrNotTask)
	}
	u.watchOnce(l)
	if !u.starts.All(e) {
		return nil
	}
	return u.Ready()
}

// watchOnce has the service manager's watchdog watch a loop, once that is this process' to ask for.
func (u *Upgrader) watchOnce(l *ringo.Loop) {
	u.mu.Lock()
	early := u.from != nil && !u.ready
	if early {
		u.started = append(u.started, l)
	}
	u.mu.Unlock()
	if !early {
		u.service.Watch(l)
	}
}

// Ready says that the program serves: the predecessor drains from now on, and whatever it passed on that was not taken
// is closed. So call it once every socket is taken and being served. Before Ready, Upgrade fails. Any goroutine may
// call it, even without a predecessor; a task parks. Calling it again does nothing. After Close it fails with
// net.ErrClosed, and if New's ctx has ended with the cause of that: then the predecessor serves on. If the predecessor
// has ended by itself, this process takes over all the same; a predecessor that has given this process up, since it was
// too slow, kills it.
func (u *Upgrader) Ready() error {
	u.mu.Lock()
	was := u.ready
	if u.closed {
		u.mu.Unlock()
		return fmt.Errorf("upgrade: Ready: %w", net.ErrClosed)
	}
	if !was && u.ctx.Err() != nil {
		u.mu.Unlock()
		return fmt.Errorf("upgrade: Ready: the program ends: %w", context.Cause(u.ctx))
	}
	if u.ready = true; !was && u.from != nil {
		u.ownFiles(true)
		u.from.tellReady()
		context.AfterFunc(u.of, u.from.endConns)
	}
	started := u.started
	u.started = nil
	u.mu.Unlock()
	for _, l := range started {
		u.service.Watch(l)
	}
	switch {
	case was:
	case u.from != nil:
		u.log.Info("upgrade: took over", "from", u.from.pid)
	default: // a predecessor says it for its successor, which is not yet the one to do so
		u.tell(u.service.Ready())
	}
	return nil
}

// tell logs what the service manager could not be told: the program serves all the same.
func (u *Upgrader) tell(err error) {
	if err != nil {
		u.log.Warn("upgrade: the service manager can't be told", "error", err)
	}
}

// Upgrade starts a successor, and waits until it is ready, which ends Context. If that fails the program is as it was,
// nothing is left of the successor, and the error says why. ctx ends the wait, and the successor; nil never does. Any
// goroutine may call it; a task parks.
func (u *Upgrader) Upgrade(ctx context.Context) error {
	if l := caller.Here(); l != nil {
		return caller.In(ctx, func(context.Context) error { return l.Offload(u.upgrade) })
	}
	return caller.In(ctx, u.upgrade)
}

// upgrade is Upgrade on a goroutine.
func (u *Upgrader) upgrade(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("upgrade: %w", context.Cause(ctx))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, u.cfg.Within, fmt.Errorf("%w: it was not ready within %v",
		os.ErrDeadlineExceeded, u.cfg.Within))
	defer cancel()
	if err := u.begin(cancel); err != nil {
		return err
	}
	defer context.AfterFunc(u.ctx, cancel)()
	defer func() { // also if a function of the program's panics
		u.mu.Lock()
		defer u.mu.Unlock()
		u.starting = nil
	}()
	return u.service.Reload(func() error { return u.replace(ctx) })
}

// replace starts a successor and has it follow.
func (u *Upgrader) replace(ctx context.Context) error {
	s, err := u.start(ctx)
	if err != nil {
		return err
	}
	if err := s.await(ctx); err != nil {
		return fmt.Errorf("upgrade: the successor, process %d: %w", s.pid(), err)
	}
	if !u.follows(s) { // it was ready too late
		s.end()
		return fmt.Errorf("upgrade: %w", context.Cause(u.ctx))
	}
	u.tell(u.service.Replaced(s.pid()))
	u.log.Info("upgrade: replaced, and drains", "by", s.pid())
	u.end(ErrReplaced)
	return nil
}

// follows makes a process the program's successor, unless the program ends.
func (u *Upgrader) follows(s *successor) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ctx.Err() != nil {
		return false
	}
	u.next = s
	u.ownFiles(false)
	go s.listen()
	return true
}

// begin makes the caller the one who starts a successor, unless there can be none.
func (u *Upgrader) begin(cancel context.CancelFunc) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.closed:
		return fmt.Errorf("upgrade: %w", net.ErrClosed)
	case u.next != nil:
		return ErrReplaced
	case u.ctx.Err() != nil:
		return fmt.Errorf("upgrade: the program ends: %w", context.Cause(u.ctx))
	case u.starting != nil:
		return ErrUnderWay
	case !u.ready:
		return ErrNotReady
	case service.EndsContainer():
		return fmt.Errorf("upgrade: %w: of a process with which its container ends: replace the container",
			errors.ErrUnsupported)
	}
	u.starting = cancel
	return nil
}

// Close ends the Upgrader's work: it no longer handles signals, kills a successor that is not ready, and closes
// whatever the predecessor has passed on that was not taken. Call it when the program ends. It waits for nothing but a
// message that is on its way to the service manager. Any goroutine may call it; a task parks. Closing again returns
// net.ErrClosed.
func (u *Upgrader) Close() error {
	if !u.close() {
		return net.ErrClosed
	}
	if u.cfg.Service == nil {
		u.service.Close()
	}
	return nil
}

// close is Close but for the service manager; false: it was closed before.
func (u *Upgrader) close() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return false
	}
	u.closed = true
	if u.signals != nil {
		signal.Stop(u.signals)
	}
	if u.starting != nil {
		u.starting()
	}
	u.end(net.ErrClosed)
	if u.from != nil {
		u.from.close()
	}
	if u.next != nil {
		u.next.close()
	}
	return true
}
