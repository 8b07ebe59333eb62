//go:build linux

package watch_test

import (
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo/internal/census"
	"ringo/internal/loop"
	"ringo/internal/test/alloctest"
	"ringo/internal/watch"
	"ringo/stats"
)

// find looks for a hold whose line has all these words, until there is one.
func find(holds []stats.Hold, words ...string) *stats.Hold {
	for i, h := range holds {
		all := true
		for _, w := range words {
			all = all && strings.Contains(h.String(), w)
		}
		if all {
			return &holds[i]
		}
	}
	return nil
}

// holdUntilSeen has a task hold its loop again and again until the watcher has charged one to the place that the words
// tell, and gives it. The first may end before it looks, and a busy machine may hide others from it: each lasts longer
// than the one before.
func holdUntilSeen(t *testing.T, l *loop.Loop, hold func(d time.Duration), words ...string) (h stats.Hold) {
	t.Helper()
	d := 10 * time.Millisecond
	for end := time.Now().Add(limit / 2); ; l.Sleep(time.Millisecond) { // before the end of Run is overdue
		hold(d)
		d = min(d+d/2, time.Second)
		l.Sleep(0) // a turn's end
		if h := find(watch.Holds(l), words...); h != nil {
			return *h
		}
		if !time.Now().After(end) {
			continue
		}
		if h := find(watch.Holds(l), "did not run the loop"); h != nil {
			t.Logf("the machine is too busy to tell what computes from what would: %q", watch.Holds(l))
			return *h
		}
		t.Fatalf("no hold with %q in %q", words, watch.Holds(l))
	}
}

// What a task does when it holds its loop for some milliseconds is told with its place and its state.
func TestHolds(t *testing.T) {
	ways := []struct {
		name string
		make func() (hold, release func())
		want []string
	}{
		{"channel", byChannel, []string{", blocked in receive from a channel <- ", "watch_test.byChannel.func"}},
		{"mutex", byMutex, []string{", blocked in sync.(*Mutex).Lock"}},
		{"cond", byCond, []string{", blocked in sync.(*Cond).Wait <- ", "watch_test.byCond.func"}},
		{"sleep", bySleep, []string{", blocked in time.Sleep <- ", "watch_test.bySleep.func"}},
		{"computing", byComputing, []string{", computing in ", "watch_test.byComputing.func"}},
		{"read", byRead, []string{", in a system call, syscall.", "syscall.Read <- ", "watch_test.byRead.func"}},
	}
	charged := func(t *testing.T, cfg *loop.Config, way func() (hold, release func()), want []string) {
		cfg.Hold = watch.HoldMin
		err := run(t, cfg, func(l *loop.Loop) error {
			h := holdUntilSeen(t, l, func(d time.Duration) {
				doHold, release := way()
				time.AfterFunc(d, release)
				doHold()
			}, slices.Concat(want, []string{"watch_test.TestHolds.", " (hold_linux_test.go:"})...)
			if h.Times < 1 || h.Total < h.Longest || h.Longest < cfg.Hold {
				t.Errorf("%+v", h)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	// Those that wait do so side by side. Who computes does it before them: it is charged for what it has had a
	// processor for.
	all := func(t *testing.T, each func(*testing.T, func(*testing.T, *loop.Config))) {
		for _, c := range ways {
			t.Run(c.name, func(t *testing.T) {
				if c.name != "computing" {
					t.Parallel()
				}
				each(t, func(t *testing.T, cfg *loop.Config) { charged(t, cfg, c.make, c.want) })
			})
		}
	}
	t.Run("alone", func(t *testing.T) { all(t, eachDriver) })
	defer watch.SetPeeksNever()() // as where a goroutine can't be looked at alone
	t.Run("by all stacks", func(t *testing.T) {
		all(t, func(t *testing.T, f func(*testing.T, *loop.Config)) { f(t, small(anyDriver(t))) })
	})
}

// The loop's own goroutine, an iterator of a task, and a task among thousands are found, too.
func TestHoldsOfAllSorts(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(l *loop.Loop, blocks func())
		want []string
	}{
		{"a post", func(l *loop.Loop, blocks func()) { l.Post(blocks); l.Sleep(0) }, []string{"time.Sleep"}},
		{"a task that has parked", func(l *loop.Loop, blocks func()) { l.Go(func() { l.Sleep(0); blocks() }).Wait() },
			[]string{"time.Sleep"}},
		{"a call of the loop's", func(l *loop.Loop, blocks func()) { l.Call(blocks); l.Sleep(0) },
			[]string{"the loop itself held its loop", "time.Sleep"}},
		{"an iterator", func(_ *loop.Loop, blocks func()) { inIterator(blocks) },
			[]string{"TestHoldsOfAllSorts", "time.Sleep"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			eachDriver(t, func(t *testing.T, cfg *loop.Config) {
				cfg.Hold = watch.HoldMin
				err := run(t, cfg, func(l *loop.Loop) error {
					holdUntilSeen(t, l, func(d time.Duration) { c.run(l, func() { time.Sleep(d) }) }, c.want...)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A turn that is long because many tasks did a little is nobody's hold.
func TestManyTogetherAreNoHold(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Hold = 20 * time.Millisecond
		err := run(t, cfg, func(l *loop.Loop) error {
			holdUntilSeen(t, l, func(d time.Duration) {
				for range 2 * d / (100 * time.Microsecond) {
					l.Go(func() { time.Sleep(100 * time.Microsecond) })
				}
				l.Sleep(0)
			}, "many tasks together")
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// What is found among many goroutines is found by looking at one: nobody stops the program for them.
func TestHoldAmongMany(t *testing.T) {
	if !watch.Peeks() {
		t.Skip("a goroutine can't be looked at alone here")
	}
	cfg := small(anyDriver(t))
	cfg.Hold = watch.HoldMin
	err := run(t, cfg, func(l *loop.Loop) error {
		crowd := make([]*loop.Task, 5000)
		for i := range crowd {
			crowd[i] = l.Go(func() { l.Park(nil) })
		}
		for l.Look().Sizes().Workers <= len(crowd) { // each is parked in one
			l.Sleep(0)
		}
		holdUntilSeen(t, l, func(d time.Duration) { time.Sleep(d) }, "blocked in time.Sleep")
		holdUntilSeen(t, l, func(d time.Duration) {
			for began := time.Now(); time.Since(began) < d; {
			}
		}, "TestHoldAmongMany", ", computing in time.Since")
		for _, task := range crowd {
			l.Ready(task)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Without limit nobody looks.
func TestNoHoldsWithoutLimit(t *testing.T) {
	cfg := small(anyDriver(t))
	cfg.Hold = -1
	cfg.Complain = func(text string) { t.Error(text) }
	err := run(t, cfg, func(l *loop.Loop) error {
		time.Sleep(20 * time.Millisecond)
		l.Sleep(0)
		if h := watch.Holds(l); len(h) > 0 {
			t.Errorf("holds %q", h)
		}
		s := census.StatsOf(l)
		if s.Recent < 20*time.Millisecond || s.Longest < s.Recent || s.TurnTimes.Max() != s.Longest {
			t.Errorf("the longest turn took %v, %v of late, %v by the histogram", s.Longest, s.Recent,
				s.TurnTimes.Max())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Holds are reported at the end of Run at the latest, and not before they are worth it.
func TestHoldsAreReported(t *testing.T) {
	for _, enough := range []bool{false, true} {
		eachDriver(t, func(t *testing.T, cfg *loop.Config) {
			cfg.Hold, cfg.HoldsShown = watch.HoldMin, time.Hour
			if enough {
				cfg.HoldsShown = time.Millisecond
			}
			said := make(chan string, 10)
			cfg.Complain = func(text string) { said <- text }
			seen := false
			err := run(t, cfg, func(l *loop.Loop) error {
				h := holdUntilSeen(t, l, func(d time.Duration) { time.Sleep(d) }, "blocked in time.Sleep")
				seen = h.State == "blocked"
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if !seen {
				t.Skip("the machine is too busy to have a hold charged to its place")
			}
			close(said)
			text := "" // on a busy machine there may be one before the end
			for part := range said {
				text += part
			}
			if enough != strings.Contains(text, "  loop 0: ") || enough != strings.Contains(text, "time.Sleep") ||
				enough != strings.Contains(text, "Config.HoldLimit") {
				t.Errorf("reported %q", text)
			}
		})
	}
}

// A loop has so many places, and one for all others.
func TestPlacesAreBounded(t *testing.T) {
	var h watch.HoldList
	for i := range 1000 {
		h.Add(strings.Repeat("x", i+1), time.Millisecond)
	}
	all := h.List()
	var times uint64
	for _, o := range all {
		times += o.Times
	}
	if len(all) != watch.PlacesMax+1 || times != 1000 || all[0].Task != "others" ||
		all[0].Total != time.Duration(1000-watch.PlacesMax)*time.Millisecond {
		t.Errorf("%d places, %d holds, first %+v", len(all), times, all[0])
	}
}

// inIterator runs f in a coroutine that the task makes.
func inIterator(f func()) {
	next, stop := iter.Pull(func(func(int) bool) { f() })
	defer stop()
	next()
}

// Reports are of tasks with a place: what nobody can act on is kept, and neither told of alone nor counted.
func TestReportsHavePlaces(t *testing.T) {
	const ms = time.Millisecond
	nobody := []stats.Hold{{State: "runnable", Total: 100 * ms}, {State: "not seen", Total: 100 * ms},
		{State: "shared", Total: 100 * ms}, {Task: "a task", State: "running", Total: 280 * ms}}
	small := stats.Hold{Task: "main.serve", At: "main.go:9", State: "blocked", Total: 19 * ms}
	large := stats.Hold{Task: "main.serve", At: "main.go:9", State: "blocked", Total: ms}
	var h watch.HoldList
	for _, o := range nobody {
		h.AddAt(o)
	}
	h.AddAt(small)
	if said := h.Unsaid(20 * ms); len(said) != 0 {
		t.Errorf("told of %q", said)
	}
	if n := len(h.List()); n != len(nobody)+1 {
		t.Errorf("%d places are kept", n)
	}
	h.AddAt(large)
	if said := h.Unsaid(20 * ms); len(said) != len(nobody)+1 || find(said, "main.serve", "20ms in all") == nil {
		t.Errorf("told of %q", said)
	}
	h.AddAt(nobody[3])
	if said := h.Unsaid(0); len(said) != 1 { // RINGO_DEBUG=stall= asks for all
		t.Errorf("asked for all: %q", said)
	}
}

// A task that computes is charged for what it has had a processor for, once it was seen twice, and not for what the
// machine gave to others or for what the turn's other tasks did.
func TestComputingIsByProcessor(t *testing.T) {
	const ms = time.Millisecond
	const running, base = "running", 1000 * ms
	pc, _, _, _ := runtime.Caller(0)
	for _, c := range []struct {
		name  string
		looks []watch.Glance
		ended time.Duration
		after time.Duration
		want  map[string]time.Duration
	}{
		{"computes", []watch.Glance{{0, base, 0, ""}, {3 * ms, base + 3*ms, 1, running},
			{6 * ms, base + 6*ms, 1, running}}, 8 * ms, base + 8*ms, map[string]time.Duration{running: 8 * ms}},
		{"has half a processor", []watch.Glance{{0, base, 0, ""}, {3 * ms, base + 1500*time.Microsecond, 1, running},
			{6 * ms, base + 3*ms, 1, running}}, 8 * ms, base + 4*ms, map[string]time.Duration{}},
		{"has half for long", []watch.Glance{{0, base, 0, ""}, {4 * ms, base + 2*ms, 1, running},
			{9 * ms, base + 5*ms, 1, running}, {14 * ms, base + 9*ms, 1, running}}, 14 * ms, base + 9*ms,
			map[string]time.Duration{running: 9 * ms, "runnable": 5 * ms}},
		{"nobody knows", []watch.Glance{{0, base, 0, ""}, {4 * ms, base + 4*ms, 1, ""},
			{8 * ms, base + 8*ms, 1, ""}}, 9 * ms, base + 9*ms, map[string]time.Duration{"not seen": 9 * ms}},
		{"many in a turn, and a late look", []watch.Glance{{0, base, 0, ""}, {3 * ms, base + 3*ms, 3, running},
			{12 * ms, base + 12*ms, 12, running}}, 20 * ms, base + 20*ms,
			map[string]time.Duration{"shared": 8 * ms, "not seen": 12 * ms}},
	} {
		var h watch.HoldList
		h.ChargeTurn(0, c.ended, 5*ms, []uintptr{pc}, c.looks, c.after)
		got := map[string]time.Duration{}
		for _, o := range h.List() {
			got[o.State] += o.Total
		}
		if !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// To look at a task that waits, or at nothing, allocates nothing once its place is known.
func TestLooksDoNotAllocate(t *testing.T) {
	if !watch.Peeks() {
		t.Skip("a goroutine can't be looked at alone here")
	}
	cfg := small(anyDriver(t))
	cfg.Hold = -1 // the test looks
	err := run(t, cfg, func(l *loop.Loop) error {
		looked := make(chan float64)
		go func() {
			look := watch.LookAtHolds(l)
			deadline := time.Now().Add(2 * watch.HoldMin)
			for time.Now().Before(deadline) {
				look()
			}
			looked <- alloctest.Least(1000, 0.1, look)
		}()
		allocs := <-looked // which holds the loop
		if allocs > 0.1 {
			t.Errorf("a look allocates %v times", allocs)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
