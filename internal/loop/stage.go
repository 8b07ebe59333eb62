package loop

import (
	"context"
	"errors"
	"math"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ringo/internal/driver"
	"ringo/internal/rt/labels"
	"ringo/internal/rt/sched"
)

// Stage is one thread on which the loops of any number of Runs take turns, in a world that has a clock of its own. All
// that belongs to it happens on that thread, one thing at a time: no goroutine is begun, and no timer of Go's. Who
// makes it gives the loops their turns: each is a coroutine, whose driver gives the thread away in its Wait.
type Stage struct {
	// After has fn called on the stage's thread, on no loop, when its clock has gone on by d.
	After func(d time.Duration, fn func()) (stop func() bool)
	// Rand is the world's chance.
	Rand func() uint64
	// Left is told of a call that is not made from a task where it had to be: by a goroutine, or by who gives the
	// turns. G.
	Left func(what string, stack []byte)
	// Exits is told of a task that ends itself by runtime.Goexit. nil: nobody is.
	Exits func(l *Loop)

	seat sched.Seat
	// current is the loop that has its turn; nil: none has.
	current *Loop
	turns   uint64 // of its loops
	watched []*watchedContext
}

// ErrLeft is the error of calls on what belongs to a simulated world that don't come from a task on its host.
var ErrLeft = errors.New("ringo: only tasks on its own host may use what is in a simulated world")

// stages are those of the process.
var stages struct {
	sync.Mutex
	list atomic.Pointer[[]*Stage]
}

// Open has the calling goroutine, which has locked its thread, be the stage's.
func (s *Stage) Open() {
	s.seat = sched.CurrentSeat()
	stages.Lock()
	defer stages.Unlock()
	var list []*Stage
	if p := stages.list.Load(); p != nil {
		list = slices.Clone(*p)
	}
	list = append(list, s)
	stages.list.Store(&list)
}

// Close ends it, after all its loops.
func (s *Stage) Close() {
	stages.Lock()
	defer stages.Unlock()
	list := slices.DeleteFunc(slices.Clone(*stages.list.Load()), func(o *Stage) bool { return o == s })
	stages.list.Store(&list)
}

// here reports whether the caller is on the stage's thread. G.
func (s *Stage) here() bool { return s.seat.IsCurrent() }

// stageHere is the stage on whose thread the caller is; nil: none.
func stageHere(mine sched.Seat) *Stage {
	if p := stages.list.Load(); p != nil {
		for _, s := range *p {
			if s.seat == mine {
				return s
			}
		}
	}
	return nil
}

// StandsStill reports whether the caller gives the turns of the loop's stage, so that all of its loops stand still. G.
func (l *Loop) StandsStill() bool {
	s := l.stage()
	return s != nil && s.here() && s.current == nil
}

// TurnBegins says that a loop of the stage has the thread now.
func (s *Stage) TurnBegins(l *Loop) { s.current = l }

// TurnEnds says that it has it no more. What contexts have ended meanwhile is looked at.
func (s *Stage) TurnEnds() {
	s.current = nil
	if len(s.watched) > 0 {
		s.lookAtContexts()
	}
}

// leaves tells that a call was made from where it may not be.
func (s *Stage) leaves(what string) error {
	s.Left(what, debug.Stack())
	return ErrLeft
}

// Outsider is ErrLeft if the loop is in a simulated world, and the caller is no task on the same host. The stage is
// told what it has called. G.
func (l *Loop) Outsider(what string) error {
	if !l.Staged() {
		return nil
	}
	return l.Stranger(what)
}

// stage is the one that the loop is on; nil: it has a thread of its own. G.
func (l *Loop) stage() *Stage {
	if l.set == nil { // no Run has made it
		return nil
	}
	return l.cfg.Stage
}

// Staged reports whether the loop is in a simulated world. G.
func (l *Loop) Staged() bool { return !l.unmade() && l.cfg.Stage != nil }

// Names looks a host's name up in the loop's world. T, may park.
func (l *Loop) Names(host string) ([]netip.Addr, error) { return l.cfg.Names(l, host) }

// watchedContext is a context whose end somebody waits for.
type watchedContext struct {
	ctx context.Context
	fn  func()
}

// AfterContext is context.AfterFunc, which calls fn on a goroutine of its own, but on a stage: there fn, which must not
// wait, is called between turns. G.
func (l *Loop) AfterContext(ctx context.Context, fn func()) (stop func() bool) {
	if !l.Staged() {
		return context.AfterFunc(ctx, fn)
	}
	s, w := l.cfg.Stage, &watchedContext{ctx, fn}
	s.watched = append(s.watched, w)
	return func() bool {
		i := slices.Index(s.watched, w)
		if i >= 0 {
			s.watched = slices.Delete(s.watched, i, i+1)
		}
		return i >= 0
	}
}

// lookAtContexts tells of those that have ended.
func (s *Stage) lookAtContexts() {
	for i := 0; i < len(s.watched); {
		w := s.watched[i]
		if w.ctx.Err() == nil {
			i++
			continue
		}
		s.watched = slices.Delete(s.watched, i, i+1)
		w.fn()
		i = 0 // it may have ended others
	}
}

// realGrain is what times of Go's own clock are rounded up to, as seen from now: a deadline of time.Now().Add(d) is d
// from now in the world, however long the program has taken from there to here.
const realGrain = 100 * time.Millisecond

// stagedMoment is Moment on a stage. A time with a monotonic reading is of Go's clock, since a world's times have none.
func (l *Loop) stagedMoment(t time.Time) int64 {
	now := l.set.elapsed()
	d := t.Sub(l.cfg.Clock())
	if t != t.Round(0) {
		if d = time.Until(t); d > 0 {
			d = (d + realGrain - 1).Truncate(realGrain)
		}
	}
	if d > 0 && int64(d) > math.MaxInt64-now {
		return math.MaxInt64
	}
	return max(1, now+int64(d))
}

// offloadStaged runs what was to be offloaded in the task itself, a turn later.
func (l *Loop) offloadStaged(in Lane, fn func(context.Context) error) (err error) {
	if l.Canceled() {
		l.ChargeAndYield()
		return l.Cause()
	}
	if in == LaneStandIns {
		return l.cfg.Stage.leaves("a wait for a handle of another loop, or for one outside of the world,")
	}
	l.YieldTurn()
	if l.Canceled() {
		return l.Cause()
	}
	c := &call{lane: &lane{sort: in}, task: l.cur, ctx: l.Context(), fn: fn, labels: labels.Current()}
	c.runHere()
	if l.cfg.Owed != nil {
		if d := l.cfg.Owed(); d > 0 {
			l.Sleep(d)
		}
	}
	if c.panicked != nil {
		panic(l.cfg.showPanic(c.panicked))
	}
	return late(c.ctx, c.err)
}

// Resolve checks a ringo.Config, and fills in the defaults: the package above puts it here for those who make a
// Program.
var Resolve func(config any) (*Config, error)

// Program is a Run whose loops take their turns on a stage.
type Program struct {
	set   *Set
	fn    func(*Loop) error
	ctx   context.Context
	ended int
	tried int  // loops that are open, or could not be
	begun bool // all are open, and fn has been called, or will be
	drain bool // as soon as it has begun
	errs  []error
}

// NewProgram is Run for a stage, which Config.Stage names: it makes the loops, and leaves it to the caller to call Loop
// for each of them in a coroutine of its own.
func NewProgram(ctx context.Context, cfg *Config, fn func(*Loop) error) *Program {
	s := &Set{number: int(runNumbers.Add(1)), cfg: cfg, epoch: cfg.Clock(), values: valuesOf(ctx),
		gaveUp: make(chan struct{})}
	s.openLanes() // which nothing comes into
	for i := range cfg.Loops {
		s.loops = append(s.loops, &Loop{set: s, index: i, cfg: cfg, kernel: cfg.kernel()})
	}
	s.observe()
	return &Program{set: s, fn: fn, ctx: ctx}
}

// Loops are its loops.
func (p *Program) Loops() []*Loop { return p.set.loops }

// Run is all of a loop, from its begin to its end: the coroutine's function.
func (p *Program) Run(l *Loop) {
	defer func() { p.ended++ }()
	if l.state.killed {
		l.state.ended.Store(true)
		return
	}
	err := l.open()
	if err != nil {
		p.errs = append(p.errs, err)
		l.drv = nil
	}
	if p.tried++; p.tried == len(p.set.loops) {
		p.begin(l)
	}
	if err != nil {
		l.state.ended.Store(true)
		return
	}
	err = l.turns(func() bool {
		return l.tasks.main != nil && l.tasks.main.finished || l.tasks.main == nil && len(p.errs) > 0
	})
	switch {
	case l.state.killed:
		l.perish()
	case err != nil:
		l.abort()
	default:
		l.close()
	}
}

// begin has each loop call fn, unless one of them could not be opened: from then on they may send each other tasks.
// last is the loop that was opened last, while the others sleep.
func (p *Program) begin(last *Loop) {
	p.begun = len(p.errs) == 0
	if !p.begun {
		p.set.err = errors.Join(dedup(p.errs)...)
	}
	for _, l := range p.set.loops {
		if p.begun {
			l.tasks.main = l.startMain(p.fn)
		}
		if l.drv != nil && l != last {
			l.drv.Wake()
		}
	}
	if p.drain && p.begun {
		p.Drain()
	}
}

// Drain begins an orderly end, as that of Run's context does.
func (p *Program) Drain() {
	if p.drain = !p.begun; p.begun {
		p.set.drain()
	}
}

// Ended reports whether all its loops have.
func (p *Program) Ended() bool { return p.ended == len(p.set.loops) }

// Err is its first error. Before its end that is nil, or what ends it.
func (p *Program) Err() error {
	p.set.mu.Lock()
	defer p.set.mu.Unlock()
	return p.set.err
}

// Kill has all loops end as if their host had lost power: no task runs on. Each loop has to have one more turn.
func (p *Program) Kill() {
	for _, l := range p.set.loops {
		l.state.killed = true
		l.charged.items = l.cfg.Budget // a turn under way resumes nobody else
	}
}

// counted reports whether the loop is among those of the process, see Running and Totals. One on a stage is its
// world's.
func (l *Loop) counted() bool { return l.cfg.Stage == nil }

// Crashed reports whether the caller is a task whose host has crashed, of which deferred functions alone run. G.
func Crashed() bool {
	l, _ := Current()
	return l.Staged() && l.state.killed
}

// Killed reports whether the loop is to end at once. Its driver waits for nothing then.
func (l *Loop) Killed() bool { return l.state.killed }

// perish ends a killed loop: its tasks are unwound by runtime.Goexit, so that memory is freed. What their deferred
// functions do reaches nobody.
func (l *Loop) perish() {
	l.refuseMail()
	for l.done.Len() > 0 { // before tasks that are unwound free the ops
		l.complete()
	}
	for len(l.workers.all) > 0 {
		l.unwind(l.workers.all[len(l.workers.all)-1])
	}
	l.workers.idle, l.workers.unused, l.workers.doomed = nil, nil, nil
	l.abandon() // or lists of what is open would keep all of the world
	l.drv.Close(&l.done)
	for l.done.Len() > 0 {
		l.complete()
	}
	l.out.giveBack()
	l.state.ended.Store(true)
}

// Outwait has a loop that ends let the others go on until done, as those do who have what is to be closed; for
// HardStop at most, since a task that a broken driver has lost goes nowhere. A loop that is killed waits for nobody.
func (l *Loop) Outwait(done func() bool) {
	for end := l.Elapsed() + int64(l.cfg.HardStop); !done() && !l.state.killed && l.Elapsed() < end; {
		l.drv.Wait(driver.Poll, &l.done)
	}
}

// unwind ends a worker where it stands.
func (l *Loop) unwind(w *worker) {
	defer func() {
		if v := recover(); v != nil && v != any(sentinel) {
			panic(v)
		}
	}()
	l.cur = w.task
	if w.task == nil {
		w.retire()
		return
	}
	l.switchTo(w)
}
