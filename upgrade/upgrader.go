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
	// Signals are the signals on which the Upgrader calls Upgrade, and logs the result. Without any, only a call of
	// Upgrade starts a successor.
	Signals []os.Signal
	// Command returns the command that starts the successor, and must not have started it. It is called on a goroutine.
	// nil means the program's own file, whatever is at its path by then, with the same arguments, environment, working
	// directory and standard files.
	Command func() (*exec.Cmd, error)
	// Within is how long the successor may take until it is ready; 0 means a minute. After that it is killed.
	Within time.Duration
	// Service is notified of loops that start, of upgrades, and of the process that serves afterwards. If it is nil,
	// the Upgrader makes a Manager, and closes it.
	Service *service.Manager
	// Log receives the Upgrader's messages; nil means slog.Default.
	Log *slog.Logger
}

// Why an Upgrader's Context has ended, and why Upgrade fails.
var (
	// ErrReplaced is the cause with which Context ends when a successor is ready. From then on Upgrade fails with it.
	ErrReplaced = errors.New("upgrade: a successor has taken over")
	// ErrNotReady is the error of Upgrade before the program has called Ready.
	ErrNotReady = errors.New("upgrade: the program itself is not ready yet")
	// ErrUnderWay is the error of Upgrade while another call is starting a successor.
	ErrUnderWay = errors.New("upgrade: a successor is being started already")
)

// An Upgrader connects a program with its predecessor, if it has one, and with its successor. New makes it.
type Upgrader struct {
	cfg Config
	log *slog.Logger
	of  context.Context // New's ctx
	ctx context.Context
	end context.CancelCauseFunc

	program string // the path of the program's file, as it was started
	from    *predecessor
	signals chan os.Signal
	service *service.Manager
	starts  perloop.Starts

	mu       sync.Mutex
	ready    bool
	started  []*ringo.Loop      // for the service manager's watchdog, once this process is ready
	starting context.CancelFunc // ends a call of Upgrade that is under way
	passed   []passed
	next     *successor // the successor that is ready; nil: none
	closed   bool
}

// New makes the program's Upgrader, and takes what the predecessor has passed on, if one has started the program. ctx
// is the context of the whole program, for example of signal.NotifyContext: when it ends, no upgrade begins any more,
// one that is under way is given up, and Context ends as well. Call New once, early in the program: before other
// processes are started, and before a Run. It may wait for the predecessor. A nil Config is the zero one.
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

// programFile returns the path by which the program was started: a link at that path may lead to a new build by the
// next start, unlike os.Executable's path. The first argument only hints at the path, and may name another program in
// PATH.
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

// watch calls Upgrade at each signal.
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

// Context returns the context for ringo.Run and servers. It ends when a successor is ready, with the cause ErrReplaced,
// when New's ctx ends, or at Close. Any goroutine may call it.
func (u *Upgrader) Context() context.Context { return u.ctx }

// Inherited reports whether the program is a successor. Any goroutine may call it.
func (u *Upgrader) Inherited() bool { return u.from != nil }

// Started tells the Upgrader that a loop has started: call it on each loop, as in ringo.Config.Start. Once each loop of
// the Run has called it, and so turns, Started calls Ready. It also makes the service manager's watchdog watch l
// (service.Manager.Watch), at once or, in a successor, once Ready has succeeded: until then the predecessor is the
// service. Only a task of l may call it; it parks.
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

// watchOnce makes the service manager's watchdog watch l, at once or, in a successor that is not ready yet, at Ready.
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

// Ready tells the predecessor that this program serves: from now on the predecessor drains, and whatever it passed on
// that was not taken is closed. So call Ready once every socket is taken and being served. Before Ready, Upgrade fails.
// Any goroutine may call it, even without a predecessor; a task parks. Calling it again does nothing. After Close it
// fails with net.ErrClosed. If New's ctx has ended, it fails with the cause of that, and the predecessor serves on. If
// the predecessor has ended by itself, this process takes over all the same. A predecessor that has given this process
// up, since it was too slow, kills it.
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
	default: // otherwise the predecessor does it, since the manager still listens to that
		u.tell(u.service.Ready())
	}
	return nil
}

// tell logs a message to the service manager that has failed: the program serves all the same.
func (u *Upgrader) tell(err error) {
	if err != nil {
		u.log.Warn("upgrade: the service manager can't be told", "error", err)
	}
}

// Upgrade starts a successor, and waits until it is ready, which ends Context. If that fails, the program is as it was,
// nothing is left of the successor, and the error says why. The end of ctx ends the wait and the successor; a nil ctx
// never ends. Any goroutine may call it; a task parks.
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
	defer func() { // even if a function of the program panics
		u.mu.Lock()
		defer u.mu.Unlock()
		u.starting = nil
	}()
	return u.service.Reload(func() error { return u.replace(ctx) })
}

// replace starts a successor, waits until it is ready, and hands over to it.
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

// follows makes s the program's successor, and reports whether it has: not if the program is ending.
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

// begin makes the caller the only one that starts a successor, or returns why there can be none. cancel ends that
// start.
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
// whatever the predecessor has passed on that was not taken. Call it when the program ends. It waits only for a message
// that is on its way to the service manager. Any goroutine may call it; a task parks. Closing again returns
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

// close is Close without the service manager. It reports false if the Upgrader was closed before.
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
