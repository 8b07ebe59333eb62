package loop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"ringo/internal/kernel"
	"ringo/internal/lane"
	"ringo/internal/places"
	"ringo/internal/rt/sched"
)

// Set is the loops of one Run.
type Set struct {
	number int // of the Run, from 1
	cfg    *Config
	world  World
	loops  []*Loop
	epoch  time.Time
	// epochNS is epoch by kernel.Monotonic; 0 in a world with a clock of its own.
	epochNS int64
	values  *values

	// Shared is for packages above: what the loops of one Run share.
	Shared sync.Map

	mu       sync.Mutex
	err      error // the first
	grace    time.Duration
	draining bool
	stopping bool
	over     bool     // all loops have ended, or Run has given up on them
	onDrain  []func() // called once, when the Run drains or ends
	paces    map[*Class]*pace
	gaveUp   chan struct{}
	waited   time.Duration  // how long giveUp says that Run waited for cancelled tasks
	telling  sync.WaitGroup // reports being written; Run waits for them before it returns
	alarms   [alarms]alarm

	together atomic.Bool // see EndTogether
	lulls    atomic.Int32

	lanes    lane.Set
	short    Seldom
	observer RunObserver // nil if there is no observer
}

// An alarm is a timer of a Run. A call stops it and reports whether that was in time; nil if none is set.
type alarm func() (stopped bool)

func (a alarm) stop() {
	if a != nil {
		a()
	}
}

// The alarms of a Run: the end of Grace, and the time to give up on tasks that were cancelled.
const (
	graceAlarm = iota
	hardAlarm
	alarms
)

// runNumbers counts the Runs of the process.
var runNumbers atomic.Int64

// Number returns the number of the Run in its process, from 1. G.
func (s *Set) Number() int {
	if s == nil {
		return 0
	}
	return s.number
}

// Config returns the Run's configuration, which callers must not change. G.
func (s *Set) Config() *Config { return s.cfg }

// Values returns Run's context without its end. G.
func (s *Set) Values() context.Context { return s.values }

// World returns the world that the loops run in. G.
func (s *Set) World() World { return s.world }

// Loops returns the loops by index.
func (s *Set) Loops() []*Loop {
	if s == nil {
		return nil
	}
	return s.loops
}

// EndTogether makes loops without tasks wait for the others': each ends only when no loop has a task left. G.
func (s *Set) EndTogether() { s.together.Store(true) }

// rests reports whether all loops rest, and whether none of them has anything to start. It looks at all loops twice.
// If both looks find each loop in the same rest, all of them rested at once at some moment in between, and nothing was
// under way then that a third look could find: a loop that takes mail in ends its rest first. G.
func (s *Set) rests() (all, none bool) {
	before, noneBefore, ok := s.restOnce()
	if !ok {
		return false, false
	}
	after, none, ok := s.restOnce()
	return ok && after == before, none && noneBefore
}

// restOnce sums the loops' counts of rests begun and ended, if all loops rest.
func (s *Set) restOnce() (sum uint64, none, all bool) {
	none = true
	for _, l := range s.loops {
		empty := l.inbox.starts.Empty() // looked at before the rest, which ends before the loop takes any
		n := l.life.rests.Load()
		if n&1 == 0 {
			return 0, false, false
		}
		none = none && empty && !l.life.starts.Load()
		sum += n
	}
	return sum, none, true
}

// newSet makes the loops. It does not start them.
func newSet(ctx context.Context, cfg *Config) *Set {
	s := &Set{number: int(runNumbers.Add(1)), cfg: cfg, world: cfg.world(), epoch: cfg.Clock(), values: valuesOf(ctx),
		grace: cfg.Grace, gaveUp: make(chan struct{})}
	if s.world.Beside() {
		s.epochNS = kernel.Monotonic()
	}
	s.lanes.Open(lanesOf(cfg))
	for i := range cfg.Loops {
		l := &Loop{set: s, index: i, cfg: cfg, kernel: cfg.kernel()}
		l.life.l, l.ready.l = l, l
		s.loops = append(s.loops, l)
	}
	s.observe()
	return s
}

func lanesOf(cfg *Config) lane.Config {
	c := lane.Config{Offload: cfg.Offload, Compute: computeMax(cfg.Loops, len(cfg.Plan.Rest)), Every: ComplainEvery}
	if cfg.Tells() {
		c.Tell = func(what, text string) { cfg.Tell(what, text) }
	}
	return c
}

// closeLanes waits for the goroutines that still have calls to run, a second at most; not at all after Run has given
// up.
func (s *Set) closeLanes() {
	select {
	case <-s.gaveUp:
		s.lanes.Close(0)
	default:
		s.lanes.Close(time.Second)
	}
}

// Lanes returns the lanes that run the calls of the Run's tasks. G.
func (s *Set) Lanes() *lane.Set { return &s.lanes }

// Run makes all loops, calls fn on each as its first task, and returns when all loops have ended.
func Run(ctx context.Context, cfg *Config, fn func(*Loop) error) (err error) {
	if kernel.InBubble() {
		return ErrBubble
	}
	if err := sched.StartNetpoll(); err != nil {
		return err
	}
	cfg.Warn("%s", cfg.Plan.Why)
	defer raiseProcs(cfg.Loops, len(cfg.Plan.Rest), cfg.Warn)() // first: else the runtime follows the threads' places
	undo, err := confine(cfg)
	if err != nil {
		return err
	}
	defer undo(&err)
	s := newSet(ctx, cfg)
	begins, runs := func() func() { return func() {} }, func() func() { return func() {} }
	if s.observer != nil {
		begins, runs = s.observer.Begins, s.observer.Runs
	}
	defer begins()()
	defer s.closeLanes()

	var ending sync.WaitGroup
	start := make(chan bool)
	ready := make(chan error, cfg.Loops)
	for _, l := range s.loops {
		ending.Go(func() { l.life.run(ready, start, fn) })
	}
	var errs []error
	for range s.loops {
		if err := <-ready; err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		close(start)
		ending.Wait()
		return errors.Join(dedup(errs)...)
	}
	defer runs()()
	for range s.loops {
		start <- true
	}
	drained := make(chan struct{})
	stopDrain := context.AfterFunc(ctx, func() { defer close(drained); s.drain() })

	ended := make(chan struct{})
	go func() { ending.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-s.gaveUp:
		s.giveUp()
	}
	if !stopDrain() {
		<-drained // or it would log, and begin Grace, after the Run's end
	}
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.tellDrain()
	s.telling.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.alarms {
		a.stop()
	}
	return s.err
}

// confine keeps all threads but the loops' on the CPUs that the plan leaves to them, until undo.
func confine(cfg *Config) (undo func(err *error), err error) {
	rest := cfg.Plan.Rest
	if rest == nil {
		return func(*error) {}, nil
	}
	release, err := kernel.Confine(rest)
	if err != nil {
		return nil, fmt.Errorf("ringo: Config.Reserve: %w", err)
	}
	cfg.Warn("all threads but the loops' are kept to CPUs %s", places.List(rest))
	return func(err *error) {
		if fault := release(); fault != nil {
			*err = errors.Join(*err, fmt.Errorf("ringo: Config.Reserve: giving back the CPUs: %w", fault))
		}
	}, nil
}

// fnEnded takes the error of a loop's fn: errors that the end of the Run explains do not fail it.
func (s *Set) fnEnded(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	orderly := s.draining && (errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded))
	late := s.stopping && errors.Is(err, context.Canceled)
	s.mu.Unlock()
	if !orderly && !late {
		s.fail(err)
	}
}

// fail keeps err, if it is the first error, and cancels the tasks of all loops.
func (s *Set) fail(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	s.cancelAll()
}

// drain stops the accepts, and gives open connections and running tasks until the end of Grace.
func (s *Set) drain() {
	s.cfg.Log("drain begins", slog.Duration("grace", s.Grace()))
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
	s.tellDrain()
	for _, l := range s.loops {
		l.Call(l.life.drain)
	}
	s.awaitGrace()
}

// Grace returns how long the drain lasts. G.
func (s *Set) Grace() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grace
}

// WithinGrace returns d, or half of Grace if that is less: how long a drain may wait for peers that say nothing. If
// they had all of Grace it would end with a report of them. G.
func (s *Set) WithinGrace(d time.Duration) time.Duration {
	if s == nil {
		return d
	}
	return min(d, max(s.Grace()/2, 0))
}

// SetGrace changes how long the drain lasts: counted from now, if it has begun. G.
func (s *Set) SetGrace(d time.Duration) {
	s.mu.Lock()
	s.grace = d
	begun := s.draining
	s.mu.Unlock()
	if begun {
		s.awaitGrace()
	}
}

// awaitGrace cancels all tasks when Grace is over.
func (s *Set) awaitGrace() {
	if d := s.Grace(); d > 0 {
		s.later(graceAlarm, d, s.graceOver)
		return
	}
	s.cancelAll()
}

// cancelAll cancels all tasks, and gives up on them after a while.
func (s *Set) cancelAll() {
	s.mu.Lock()
	again := s.stopping
	s.stopping = true
	s.mu.Unlock()
	if again {
		return
	}
	s.tellDrain()
	for _, l := range s.loops {
		l.life.queued, _ = threadQueued(l.thread.id)
		l.Call(l.life.cancelAll)
	}
	s.awaitEnds(s.elapsed())
}

// awaitEnds makes Run give up on the tasks that were cancelled at the time canceled: once none of them has ended for
// HardStop, not counting time that a loop's thread has waited for a processor, or UntilGivenUp after the cancel. It
// goes on as long as tasks end, because many tasks need time.
func (s *Set) awaitEnds(canceled int64) {
	last, queued := canceled, int64(0)
	for _, l := range s.loops {
		last = max(last, l.life.lastEnd.Load())
		if ns, ok := threadQueued(l.thread.id); ok && !l.Ended() { // else the number may be another thread's by now
			queued = max(queued, ns-l.life.queued)
		}
	}
	now, least, most := s.elapsed(), last+int64(s.cfg.HardStop)+queued, canceled+int64(s.UntilGivenUp())
	if wait := min(least, most) - now; wait > 0 {
		s.later(hardAlarm, time.Duration(wait), func() { s.awaitEnds(canceled) })
		return
	}
	if s.waited = s.cfg.HardStop; now >= most {
		s.waited = s.UntilGivenUp()
	}
	close(s.gaveUp)
}

// threadQueued is a variable for tests.
var threadQueued = kernel.ThreadQueued

// UntilGivenUp returns the longest that Run waits for its tasks once they are cancelled.
func (s *Set) UntilGivenUp() time.Duration { return 6 * s.cfg.HardStop }

// later sets an alarm in place of the one that was set before.
func (s *Set) later(which int, d time.Duration, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.alarms[which].stop()
	s.alarms[which] = s.world.After(d, f)
}

// graceOver cancels the tasks that the drain has waited for.
func (s *Set) graceOver() {
	s.mu.Lock()
	if s.stopping || s.over {
		s.mu.Unlock()
		return
	}
	s.telling.Add(1)
	s.mu.Unlock()
	defer s.telling.Done()
	tell := func() {}
	if s.observer != nil {
		tell = s.observer.GraceOver()
	}
	s.cancelAll()
	tell()
}

// giveUp sets the error with which Run returns although tasks are left.
func (s *Set) giveUp() {
	err := fmt.Errorf("ringo: not ended %v after being cancelled: %s", s.waited, s.unended())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		err = errors.Join(s.err, err)
	}
	s.err = err
}

// unended describes the tasks that have not ended, for an error.
func (s *Set) unended() string {
	if s.observer == nil {
		return "its tasks"
	}
	return s.observer.Unended()
}

// dedup drops errors with equal texts: all loops tend to fail alike.
func dedup(errs []error) []error {
	seen := map[string]bool{}
	var out []error
	for _, err := range errs {
		if !seen[err.Error()] {
			seen[err.Error()] = true
			out = append(out, err)
		}
	}
	return out
}
