package census_test

import (
	"testing"
	"time"

	"ringo/internal/census"
	"ringo/internal/driver"
	"ringo/internal/loop"
	"ringo/internal/test/looptest"
	"ringo/stats"
)

// watchedDriver is a driver whose loop may be looked at while it waits.
type watchedDriver struct {
	driver.Driver
	waits func()
}

func (d *watchedDriver) Wait(deadline int64, done *driver.Queue) error {
	d.waits()
	return d.Driver.Wait(deadline, done)
}

// A turn that seems to last while its driver is asked is told of for longer than the loop counts it. Nobody is told
// less in the totals when the loop has ended.
func TestTotalsKeepWhatWasToldOfAHeldLoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		var clock looptest.Clock
		var held *loop.Loop
		var told stats.Loop
		cfg.Clock, cfg.Stall = clock.Now, 20*time.Millisecond
		open := cfg.Open
		cfg.Open = func(c driver.Config) (driver.Driver, error) {
			d, err := open(c)
			return &watchedDriver{d, func() {
				if held != nil {
					clock.Jump(time.Second)
					told, held = census.WhileHeld(held), nil
				}
			}}, err
		}
		var total census.Total
		var before stats.Loop // of the loops that had the number before
		err := run(t, cfg, func(l *loop.Loop) error {
			total = totalOf(t, l)
			all, own := total.Stats(), census.StatsOf(l)
			before.InTasks, before.Stalls = all.InTasks-own.InTasks, all.Stalls-own.Stalls
			held = l
			l.YieldTurn()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if told.Held < time.Second || told.InTasks < time.Second || told.Stalls == 0 {
			t.Fatalf("of a loop that is held %+v", told)
		}
		for _, o := range census.Totals() {
			if o.Run != total.Run || o.Index != total.Index {
				continue
			}
			s := o.Stats()
			if s.InTasks-before.InTasks < told.InTasks || s.Stalls-before.Stalls < told.Stalls {
				t.Errorf("in all %v in tasks, %d stalls; told before its end %v, %d", s.InTasks-before.InTasks,
					s.Stalls-before.Stalls, told.InTasks, told.Stalls)
			}
		}
	})
}

// countedTurns are the turns of a loop that are over and counted, while others still see them last.
type countedTurns struct {
	*census.Run
	clock *looptest.Clock
	seen  func(when string, l *loop.Loop)
}

func (o *countedTurns) On(l *loop.Loop) loop.Observer { return &countedTurn{o.Record(l), o, l} }

type countedTurn struct {
	*census.Record
	of *countedTurns
	l  *loop.Loop
}

func (o *countedTurn) TurnEnds(took time.Duration) {
	o.Record.TurnEnds(took)
	o.of.seen("the turn's end", o.l)
}

func (o *countedTurn) Refuses() {
	o.Record.Refuses()
	o.of.seen("the loop's end", o.l)
}

// A turn that is counted is not told of once more as one that lasts.
func TestTurnIsToldOfOnce(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		var clock looptest.Clock
		looks := map[string]bool{}
		cfg.Clock, cfg.Stall = clock.Now, 20*time.Millisecond
		cfg.Observe = func(s *loop.Set) loop.RunObserver {
			return &countedTurns{census.NewRun(s), &clock, func(when string, l *loop.Loop) {
				if looks[when] { // the stats are kept of the first
					return
				}
				looks[when] = true
				clock.Jump(time.Second)
				c, s := l.Look().Counts(), census.WhileHeld(l)
				if s.Held != 0 || s.InTasks != c.InTasks || s.Stalls != 1 {
					t.Errorf("at %s: held for %v, %v in tasks of %v, %d stalls, want 1", when, s.Held, s.InTasks,
						c.InTasks, s.Stalls)
				}
			}}
		}
		err := run(t, cfg, func(l *loop.Loop) error {
			clock.Jump(time.Second)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(looks) != 2 {
			t.Errorf("looked at %v", looks)
		}
	})
}

// Who has looked at a loop before its end, and tells of that behind it, does not tell more than the totals have.
func TestNothingIsPromisedBehindTheEnd(t *testing.T) {
	late := stats.Loop{InTasks: time.Hour, Stalls: 3, Held: time.Hour}
	if s := census.PromisedBehindTheEnd(stats.Loop{InTasks: time.Second, Turns: 7}, late); s.InTasks != time.Second ||
		s.Stalls != 0 || s.Turns != 7 {
		t.Errorf("%+v", s)
	}
}
