//go:build linux

package loop_test

import (
	"testing"
	"time"

	"ringo/internal/census"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/timer"
)

// perTurn counts how much happens in each turn.
type perTurn struct {
	last     uint64
	in, most int
	all      int
}

func (p *perTurn) count(l *loop.Loop) {
	if now := turn(l); now != p.last {
		p.last, p.in = now, 0
	}
	p.in++
	p.all++
	p.most = max(p.most, p.in)
}

// However much mail there is for what exists, a turn handles four times the budget
// of it, and not less while there is more.
func TestMailOfATurn(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Budget = 4
		err := run(t, cfg, func(l *loop.Loop) error {
			const mails = 1000
			var calls perTurn
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for range mails {
					l.Call(func() { calls.count(l) })
				}
			}()
			<-sent // the loop is held meanwhile, so all mail is there at once
			for calls.all < mails {
				l.Sleep(0)
			}
			if want := 4 * cfg.Budget; calls.most != want {
				t.Errorf("%d calls in one turn, want %d at most, and in some turn so many", calls.most, want)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// tally is a sink that counts completions by their turns.
type tally struct {
	perTurn
	l *loop.Loop
}

func (c *tally) Complete(o *op.Op, _ int32, _ uint32) {
	c.count(c.l)
	c.l.Ops().Free(o)
}

// However many ops end at once, a turn tells of four times the budget of them.
func TestCompletionsOfATurn(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Budget = 2
		err := run(t, cfg, func(l *loop.Loop) error {
			const many = 60
			ended := &tally{l: l}
			for range many {
				p := openPipe(t)
				defer p.close(l)
				o := l.Ops().New(op.Read)
				o.FD, o.Off, o.Buf, o.Sink = &p.r, -1, make([]byte, 1), ended
				l.Ops().Submit(o)
				p.write(t)
			}
			for ended.all < many {
				l.Sleep(0)
			}
			if limit := 4 * cfg.Budget; ended.most > limit || ended.most < 2 {
				t.Errorf("%d completions in one turn, want %d at most", ended.most, limit)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Fire counts a timer that is due.
func (c *tally) Fire(*timer.Timer) { c.count(c.l) }

// However many timers are due, a turn fires as many as the budget says, and not less while there are more.
func TestTimersOfATurn(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Budget = 3
		err := run(t, cfg, func(l *loop.Loop) error {
			fired := &tally{l: l}
			timers := make([]timer.Timer, 50)
			for i := range timers {
				timers[i].Owner = fired
				l.Timers().Arm(&timers[i], l.NowNS())
			}
			for fired.all < len(timers) {
				l.YieldTurn()
			}
			if fired.most != cfg.Budget {
				t.Errorf("%d timers in one turn, want %d at most, and in some turn so many", fired.most, cfg.Budget)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Mail that finds the loop awake is counted as a wake spared, and what is counted
// is not taken back.
func TestWakesSpared(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		err := run(t, cfg, func(l *loop.Loop) error {
			const rounds, posts = 20, 50
			ran, last := 0, uint64(0)
			look := func() {
				s := census.StatsOf(l)
				if s.WakesSpared < last || s.WakesSpared > s.Mails {
					t.Errorf("%d wakes spared after %d, of %d mails", s.WakesSpared, last, s.Mails)
				}
				last = s.WakesSpared
			}
			wakeInVain(l, look) // more wakes than mail
			for range rounds {
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					for range posts {
						l.Post(func() { ran++; look() })
					}
				}()
				<-sent // the loop is awake: it waits here
				look()
				l.Sleep(1)
				look()
			}
			for ran < rounds*posts {
				l.Sleep(0)
			}
			wakeInVain(l, look) // more wakes than mail since the last look
			if s := census.StatsOf(l); s.Mails < rounds*posts || s.WakesSpared < rounds*posts/2 {
				t.Errorf("%d wakes spared of %d mails, most of which found the loop awake", s.WakesSpared, s.Mails)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// wakeInVain wakes a sleeping loop when there is no mail, a few times, as a wake
// does that is overtaken: the mail is read before it comes.
func wakeInVain(l *loop.Loop, look func()) {
	const wakes = 3
	stop, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for d := loop.Driver(l); ; d.Wake() {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Microsecond):
			}
		}
	}()
	for before := census.StatsOf(l).Driver.WakesSent; census.StatsOf(l).Driver.WakesSent < before+wakes; look() {
		l.Sleep(time.Millisecond)
	}
	close(stop)
	<-gone
	look()
}
