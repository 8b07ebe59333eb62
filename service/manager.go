package service

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"ringo"
	"ringo/internal/caller"
	"ringo/internal/loop"
	"ringo/internal/perloop"
)

// A Config configures a Manager. The zero Config is ready to use.
type Config struct {
	// Log receives the errors of messages that the Manager sends by itself, and the loops that hold up pings; nil means
	// slog.Default.
	Log *slog.Logger
}

// A Manager connects the program with the service manager that has started it. New makes it.
type Manager struct {
	log   *slog.Logger
	to    string        // the manager's address; "": there is none
	every time.Duration // interval of pings; 0: none are sent

	ctx    context.Context // until Close
	end    context.CancelFunc
	beside sync.WaitGroup // the Manager's goroutines
	starts perloop.Starts
	asking chan struct{} // has room for the one round that is under way

	sending sync.Mutex // one message after the other

	mu       sync.Mutex
	watched  []*loop.Loop
	pings    bool // a goroutine sends them
	last     *round
	closed   bool
	stopping bool // STOPPING=1 was sent, or is about to be
	replaced bool
	reloads  int // calls of Reload under way
}

// New makes the program's Manager, from the variables NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. An error says
// which of them is wrong. A nil Config is the zero one. Call it on a goroutine, before other processes are started: if
// there is a watchdog and WATCHDOG_PID is not set, New sets it to this process, so that processes started later send no
// pings.
func New(cfg *Config) (*Manager, error) {
	if err := loop.Home().World().Passage(); err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	m := &Manager{log: slog.Default(), to: os.Getenv("NOTIFY_SOCKET"), asking: make(chan struct{}, 1), last: &round{}}
	if cfg != nil {
		m.log = cmp.Or(cfg.Log, m.log)
	}
	if m.to != "" && m.to[0] != '/' && (m.to[0] != '@' || m.to == "@") {
		return nil, fmt.Errorf("service: NOTIFY_SOCKET is %q: want a path, or @NAME", m.to)
	}
	var err error
	if m.every, err = pingEvery(); err != nil {
		return nil, err
	}
	if m.to == "" {
		m.every = 0
	}
	m.ctx, m.end = context.WithCancel(context.Background())
	return m, nil
}

// pingEvery returns the interval of pings: half of the time after which the manager takes the program for dead. 0 means
// that it never does. See sd_watchdog_enabled(3).
func pingEvery() (time.Duration, error) {
	limit, pid, self := os.Getenv("WATCHDOG_USEC"), os.Getenv("WATCHDOG_PID"), strconv.Itoa(os.Getpid())
	switch {
	case limit == "":
		return 0, nil
	case pid == "":
		os.Setenv("WATCHDOG_PID", self) // what this one starts is not to ping
	case pid != self:
		return 0, nil
	}
	us, err := strconv.ParseInt(limit, 10, 64)
	if err != nil || us <= 0 || us > int64(limitMax/time.Microsecond) {
		return 0, fmt.Errorf("service: WATCHDOG_USEC is %q: want a number of microseconds, 1 to %d", limit,
			limitMax/time.Microsecond)
	}
	return max(time.Duration(us)*time.Microsecond/2, everyMin), nil
}

const (
	// limitMax is the longest limit that a time.Duration has room for.
	limitMax = time.Duration(1<<63 - 1)
	// everyMin is the shortest interval of pings, so that they are no load of their own.
	everyMin = time.Millisecond
)

// Managed reports whether there is a manager to send messages to. Any goroutine may call it; it does not park.
func (m *Manager) Managed() bool { return m.to != "" }

// Started calls Watch and, once each loop of the Run has called Started, Ready: call it on each loop, as in
// ringo.Config.Start. Only a task of l may call it; it parks.
func (m *Manager) Started(l *ringo.Loop) error {
	if !(*loop.Loop)(l).IsCurrent() {
		return fmt.Errorf("service: Started: %w", ringo.ErrNotTask)
	}
	m.Watch(l)
	if !m.starts.All((*loop.Loop)(l)) {
		return nil
	}
	return m.Ready()
}

// Watch makes pings, and Turned, wait for a turn of l, until l ends. When the Run of l begins to drain, or ends without
// a drain, the Manager sends STOPPING=1, with the time that the end of the Run may take. So watch the Run with which
// the program ends. Any goroutine may call it; it does not park.
func (m *Manager) Watch(l *ringo.Loop) {
	e := (*loop.Loop)(l)
	m.mu.Lock()
	if m.closed || e.Ended() {
		m.mu.Unlock()
		return
	}
	known := false
	for _, other := range m.watched {
		if other == e {
			m.mu.Unlock()
			return
		}
		known = known || other.Set() == e.Set()
	}
	m.watched = append(m.watched, e)
	if m.every > 0 && !m.pings && !m.replaced {
		m.pings = true
		m.beside.Go(m.ping)
	}
	m.mu.Unlock()
	if !known {
		e.Set().OnDrain(func() { m.drains(e.Set()) })
	}
}

// drains sends STOPPING=1, with the time that the end of the Run may take. It is called on any thread, and must not
// wait, so a goroutine sends the message.
func (m *Manager) drains(s *loop.Set) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.mayStop() {
		return
	}
	behind := s.UntilGivenUp() + endsWithin
	text := "STOPPING=1\n" + extend(min(max(s.Grace(), 0), math.MaxInt64-behind)+behind)
	m.beside.Go(func() { m.inform(context.Background(), text, always) })
}

// endsWithin is how long the end of a Run takes beside its grace, including what the program does after the Run.
const endsWithin = 2 * time.Second

// mayStop reports whether to send STOPPING=1 now, and notes that it is sent: the manager gets it once. The caller holds
// m.mu.
func (m *Manager) mayStop() bool {
	if m.closed || m.stopping || m.replaced {
		return false
	}
	m.stopping = true
	return true
}

// Close ends the pings, and waits for messages that are on their way. Call it when the program ends, after Run. Closing
// again returns net.ErrClosed. Any goroutine may call it; a task parks.
func (m *Manager) Close() error {
	m.mu.Lock()
	was := m.closed
	m.closed = true
	m.mu.Unlock()
	if was {
		return net.ErrClosed
	}
	m.end()
	return onGoroutine(context.Background(), func(context.Context) error { m.beside.Wait(); return nil })
}

// onGoroutine calls f where it may block: on the caller's goroutine, or by Offload if the caller is a task.
func onGoroutine(ctx context.Context, f func(context.Context) error) error {
	if l := caller.Here(); l != nil {
		return caller.In(ctx, func(context.Context) error { return l.Offload(f) })
	}
	return caller.In(ctx, f)
}
