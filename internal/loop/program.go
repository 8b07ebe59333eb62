package loop

import (
	"context"
	"errors"
)

// Resolve checks a ringo.Config, and fills in the defaults: the package above puts it here for those who make a
// Program.
var Resolve func(config any) (*Config, error)

// Program is a Run whose loops are given their turns by somebody else: in a world that has nothing beside them.
type Program struct {
	set   *Set
	fn    func(*Loop) error
	ended int
	tried int  // loops that are open, or could not be
	begun bool // all are open, and fn has been called, or will be
	drain bool // as soon as it has begun
	errs  []error
}

// NewProgram is Run in such a world, which Config.World is: it makes the loops, and leaves it to the caller to call Run
// for each of them in a coroutine of its own.
func NewProgram(ctx context.Context, cfg *Config, fn func(*Loop) error) *Program {
	return &Program{set: newSet(ctx, cfg), fn: fn}
}

// Loops are its loops.
func (p *Program) Loops() []*Loop { return p.set.loops }

// Run is all of a loop, from its begin to its end: the coroutine's function.
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

// begin has each loop call fn, unless one of them could not be opened: from then on they may send each other tasks.
// last is the loop that was opened last, while the others sleep.
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
		l.life.killed = true
		l.charged.items = l.cfg.Budget // a turn under way resumes nobody else
	}
}

// perish ends a killed loop: its tasks are unwound by runtime.Goexit, so that memory is freed. What their deferred
// functions do reaches nobody.
func (*Program) perish(l *Loop) {
	l.inbox.refuse()
	l.life.refuseReady()
	l.life.tellAll() // before tasks that are unwound free the ops
	for len(l.workers.all) > 0 {
		l.workers.all[len(l.workers.all)-1].unwind()
	}
	l.workers.idle, l.workers.unused, l.workers.doomed = nil, nil, nil
	l.life.abandon() // or lists of what is open would keep all of the world
	l.drv.Close(&l.done)
	l.life.tellAll()
	l.out.giveBack()
	l.life.ended.Store(true)
}

// unwind ends a worker where it stands.
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
