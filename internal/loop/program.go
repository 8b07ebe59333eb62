package loop

import (
	"context"
	"errors"
)

// Resolve checks a ringo.Config and fills in the defaults. Package ringo sets it, for packages that make a Program.
var Resolve func(config any) (*Config, error)

// Program is a Run in a world with nothing beside the loops: the caller gives the loops their turns.
type Program struct {
	set   *Set
	fn    func(*Loop) error
	ended int
	tried int  // loops that are open, or failed to open
	begun bool // all loops are open, and fn is their first task
	drain bool // Drain was called before the loops were open
	errs  []error
}

// NewProgram is Run for such a world, which Config.World must be. It makes the loops, and the caller has to call Run
// for each of them, in a coroutine of its own.
func NewProgram(ctx context.Context, cfg *Config, fn func(*Loop) error) *Program {
	return &Program{set: newSet(ctx, cfg), fn: fn}
}

// Loops returns the program's loops.
func (p *Program) Loops() []*Loop { return p.set.loops }

// Run runs a loop from its start to its end. It is the function of the loop's coroutine.
func (p *Program) Run(l *Loop) {
	defer func() { p.ended++ }()
	if l.life.killed {
		l.life.ended.Store(true)
		return
	}
	err := l.life.open()
	if err != nil {
		p.errs = append(p.errs, err)
		l.drv = nil
	}
	if p.tried++; p.tried == len(p.set.loops) {
		p.begin(l)
	}
	if err != nil {
		l.life.ended.Store(true)
		return
	}
	err = l.turns(func() bool {
		if l.tasks.main == nil {
			return len(p.errs) > 0
		}
		return l.tasks.main.finished && l.life.mayEnd()
	})
	switch {
	case l.life.killed:
		p.perish(l)
	case err != nil:
		l.life.abort()
	default:
		l.life.close()
	}
}

// begin makes fn the first task of each loop, unless one of them could not be opened. From then on they may send each
// other tasks. last is the loop that was opened last; the others sleep.
func (p *Program) begin(last *Loop) {
	p.begun = len(p.errs) == 0
	if !p.begun {
		p.set.err = errors.Join(dedup(p.errs)...)
	}
	for _, l := range p.set.loops {
		if p.begun {
			l.life.startMain(p.fn)
		}
		if l.drv != nil && l != last {
			l.drv.Wake()
		}
	}
	if p.drain && p.begun {
		p.Drain()
	}
}

// Drain begins an orderly end, as the end of Run's context does.
func (p *Program) Drain() {
	if p.drain = !p.begun; p.begun {
		p.set.drain()
	}
}

// Ended reports whether all loops have ended.
func (p *Program) Ended() bool { return p.ended == len(p.set.loops) }

// Err returns the first error. Before the end of the program it is nil, or the error that ends it.
func (p *Program) Err() error {
	p.set.mu.Lock()
	defer p.set.mu.Unlock()
	return p.set.err
}

// Kill ends all loops as if their host had lost power: no task goes on. Each loop needs one more turn to end.
func (p *Program) Kill() {
	for _, l := range p.set.loops {
		l.life.killed = true
		l.charged.items = l.cfg.Budget // a turn under way resumes no other task
	}
}

// perish ends a killed loop. It unwinds the tasks by runtime.Goexit, so that their memory is freed. Nothing that their
// deferred functions do has an effect outside.
func (*Program) perish(l *Loop) {
	l.inbox.refuse()
	l.life.refuseReady()
	l.life.tellAll() // before the unwound tasks free the ops
	for len(l.workers.all) > 0 {
		l.workers.all[len(l.workers.all)-1].unwind()
	}
	l.workers.idle, l.workers.unused, l.workers.doomed = nil, nil, nil
	l.life.abandon() // or the lists of open handles would keep the whole world alive
	l.drv.Close(&l.done)
	l.life.tellAll()
	l.out.giveBack()
	l.life.ended.Store(true)
}

// unwind ends a worker where it is parked.
func (w *worker) unwind() {
	defer func() {
		if v := recover(); v != nil && v != any(sentinel) {
			panic(v)
		}
	}()
	w.l.cur = w.task
	if w.task == nil {
		w.retire()
		return
	}
	w.l.switchTo(w)
}
