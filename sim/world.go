package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringo/internal/census"
	"ringo/internal/sim/memkernel"
	"ringo/internal/sim/stage"
	"ringo/internal/sim/world"
)

// A World is a simulated world. The script, functions of its events and, unless a method says otherwise, tasks of its
// programs may call its methods, which do not park. Only the script may call Wait, RunFor and RunUntil; they panic if a
// task, an event's function or a condition calls them.
type World struct {
	// Link configures the network between hosts for which Connect was not called. The zero Link delivers everything at
	// once.
	Link Link

	t          testing.TB
	seed       uint64
	w          *world.World
	net        *memkernel.Network
	stage      *stage.Stage
	letting    atomic.Pointer[stage.Stage] // the same, for observers on other goroutines
	hosts      []*Host
	named      map[string]*Host // hosts by the names that look-ups use
	links      map[[2]*Host]Link
	cuts       map[[2]*Host][]*partition // by way, what has cut it: see cut
	names      map[string]string         // names that Name has given to hosts
	programs   []*Program
	trace      trace
	faults     faults
	watch      *watchdog
	failure    *Failure
	rightLink  Link // World.Link, when it was checked last
	stopped    bool
	over       bool        // the script has ended
	ended      bool        // nothing runs any more, except deferred functions
	goroutines bool        // there may be some, see Goroutines
	quit       bool        // the script, or a task, has called t.FailNow, t.SkipNow or runtime.Goexit
	late       atomic.Bool // the test is about to run out of real time
	alarm      *time.Timer // sets late; nil: there is no deadline
	logs       []string    // the last lines
	logged     int         // the number of all lines
	// happening says that the running code is not the script's: a task, an event's function, or a condition.
	happening bool
}

// Start is the time on the wall clocks of a world's hosts when the world begins.
var Start = time.Unix(memkernel.WallStart, 0).UTC()

// newWorld makes a world, which begins when enter is called.
func newWorld(o *options) *World {
	w := &World{t: o.t, goroutines: o.bubble != nil, seed: o.seed, w: world.NewTape(o.seed, o.tape),
		links: map[[2]*Host]Link{}, cuts: map[[2]*Host][]*partition{}, names: map[string]string{},
		named: map[string]*Host{}}
	w.faults = faults{w: w, counts: map[faultSite]uint64{}, only: o.only}
	w.trace.open()
	if o.trace != nil {
		w.TraceTo(o.trace)
	}
	w.net = memkernel.NewNetwork(w.w)
	w.net.Between = w.between
	w.net.Chance, w.net.Overtaken = w.mishap, w.overtaken
	w.net.Seen = w.packet
	w.watch = watchOver(w)
	if t, ok := o.t.(interface{ Deadline() (time.Time, bool) }); ok {
		if end, set := t.Deadline(); set {
			left := max(time.Until(end), 0)
			rest := min(left/10, 10*time.Second)
			w.alarm = time.AfterFunc(left-rest, func() { w.late.Store(true) })
			w.watch.last = time.AfterFunc(left-rest+max(rest/2, time.Second), w.watch.lasts)
		}
	}
	return w
}

// enter gives the world to the calling goroutine until end. The goroutine is in a bubble, or has locked its thread.
func (w *World) enter() {
	rules := stage.Rules{After: w.after, Left: w.left, Exits: w.exits, Rand: w.w.Rand().Uint64}
	if w.goroutines {
		time.Sleep(time.Until(Start))
		w.stage = stage.OpenWithGoroutines(rules, w.w)
		w.w.Turnwise(true)
	} else {
		runtime.LockOSThread()
		w.stage = stage.Open(rules)
	}
	w.letting.Store(w.stage)
}

// end ends what still runs. Afterwards the world has no coroutine left.
func (w *World) end() {
	if !w.goroutines {
		defer runtime.UnlockOSThread()
	}
	defer w.stage.Close()
	w.happening, w.ended = true, true
	for _, h := range w.hosts {
		for len(h.actors)+len(h.dying) > 0 { // a deferred function that panics must not keep the others from running
			func() {
				defer func() {
					if v := recover(); v != nil {
						w.panicked("the world's end", v)
					}
				}()
				h.kill()
			}()
		}
	}
}

// Seed returns the world's seed.
func (w *World) Seed() uint64 { return w.seed }

// Rand returns the world's random generator. Its numbers depend on the order of calls, which the seed decides.
func (w *World) Rand() *rand.Rand { return w.w.Rand() }

// Now returns the world's time, from which hosts' clocks may differ.
func (w *World) Now() time.Time { return Start.Add(w.Elapsed()) }

// Elapsed returns the time since the world began.
func (w *World) Elapsed() time.Duration { return time.Duration(w.now() - world.Start) }

// now returns the clock's time, for goroutines too.
func (w *World) now() int64 {
	defer w.stage.Enter()()
	return w.w.Now()
}

// After calls fn when d has passed, not on a loop: it must not park.
func (w *World) After(d time.Duration, fn func()) { w.after(d, fn) }

func (w *World) after(d time.Duration, fn func()) (stop func() bool) {
	defer w.stage.Enter()()
	wantFunc(fn != nil, "World.After")
	e := w.w.After(max(d, 0), fn)
	return func() bool {
		defer w.stage.Enter()()
		return w.w.Drop(e)
	}
}

// RunFor lets time pass. A world lasts 292 years; later events never happen, and a script that waits longer fails.
func (w *World) RunFor(d time.Duration) {
	w.forScript("World.RunFor")
	end := w.w.Later(d)
	w.step(end, func() bool { return false })
	w.w.MoveTo(end)
}

// RunUntil lets time pass until cond, called after each event, returns true, but at most for d. It reports whether cond
// returned true.
func (w *World) RunUntil(d time.Duration, cond func() bool) bool {
	w.forScript("World.RunUntil")
	wantFunc(cond != nil, "World.RunUntil")
	end := w.w.Later(d)
	done := false
	asks := func() bool {
		defer w.happens()()
		done = cond()
		return done
	}
	if !asks() {
		was := w.w.Turnwise(true)
		defer w.w.Turnwise(was)
		w.step(end, asks)
	}
	if !done {
		w.w.MoveTo(end)
	}
	return done
}

// forScript panics if the call, which lets time pass, does not come from the script.
func (w *World) forScript(what string) {
	if w.happening {
		panic("sim: " + what + " is for the script only, not for tasks, events and conditions")
	}
}

// happens records that code runs that is not the script, until end is called.
func (w *World) happens() (end func()) {
	was := w.happening
	w.happening = true
	w.watch.steps.Add(1)
	w.watch.happening.Store(true)
	return func() {
		w.happening = was
		w.watch.happening.Store(was)
	}
}

// step lets things happen until the clock reaches limit, or done returns true. It returns false if nothing is left to
// happen by then.
func (w *World) step(limit int64, done func() bool) bool {
	defer w.happens()()
	if w.w.Now() == world.Never {
		w.fail("the world's time is over: the clock would overflow")
	}
	for {
		w.watch.steps.Add(1)
		if w.stopped {
			panic(errScriptEnds)
		}
		if !w.happensNext(limit) {
			return false
		}
		if w.late.Load() {
			w.fail("the test's time is about to be over, and this world still runs:" + w.running())
		}
		if done() {
			return true
		}
	}
}

// happensNext lets the next event happen. It returns false if there is none by the limit. Goroutines run before it, and
// may move the clock: then no event need happen.
func (w *World) happensNext(limit int64) bool {
	if !w.goroutines {
		return w.w.Step(limit)
	}
	w.stage.Let(limit)
	return w.w.Step(min(limit, w.w.Now())) || w.w.Now() < limit
}

// errScriptEnds is the panic value with which a script ends when its test has failed.
var errScriptEnds = errors.New("the world has stopped")

// The bounds of Wait. Programs that sleep may do so for a year. If something always happens, such as a server's
// heartbeat, a program that still runs after a day and a million events is assumed to hang.
const waitMost = 365 * 24 * time.Hour

var (
	waitBusy          = 24 * time.Hour
	waitEvents uint64 = 1_000_000
)

// Wait lets time pass until programs have ended or their hosts are down, and returns their errors, joined. The test
// fails if the programs wait for events that will never happen, if they take longer than a year, or, while other events
// happen, if they still run after a day and a million of those. RunUntil has no such bound.
func (w *World) Wait(programs ...*Program) error {
	w.forScript("World.Wait")
	for _, p := range programs {
		w.wantOwn("World.Wait", p.of())
	}
	ended := func() bool {
		for _, p := range programs {
			if !p.Ended() {
				return false
			}
		}
		return true
	}
	begun, events := w.w.Now(), w.trace.all
	over := func() bool {
		if w.w.Now()-begun > int64(waitBusy) && w.trace.all-events > waitEvents {
			w.fail(fmt.Sprintf("after %v and %d events they still run:", time.Duration(w.w.Now()-begun),
				w.trace.all-events) + w.running())
			return true
		}
		return ended()
	}
	if !ended() && !w.step(w.w.Later(waitMost), over) {
		if _, more := w.w.Next(); more {
			w.fail(fmt.Sprintf("after %v they still run:", waitMost) + w.running())
		} else {
			w.fail("deadlock: all tasks wait, and no event will ever happen:" + w.running())
		}
	}
	var errs []error
	for _, p := range programs {
		errs = append(errs, p.Err())
	}
	return errors.Join(errs...)
}

// running lists the programs that have not ended, a line each, with what their tasks wait for.
func (w *World) running() string {
	var b strings.Builder
	for _, p := range w.programs {
		if !p.Ended() && p.p != nil {
			fmt.Fprintf(&b, "\n%s: %s", p.host.name, census.Running(p.p.Loops()))
		}
	}
	return b.String()
}

// Failed reports whether the test has failed in this world.
func (w *World) Failed() bool {
	defer w.stage.Enter()()
	return w.failure != nil
}

// Errorf fails the test. The world stops at its next event: only the first failure is reported.
func (w *World) Errorf(format string, args ...any) {
	text := fmt.Sprintf(format, args...) // its formatting may wait
	defer w.stage.Enter()()
	w.fail(text)
}

// Check fails the test if err is not nil, and reports whether it is nil.
func (w *World) Check(err error) bool {
	if err != nil {
		w.Errorf("%v", err)
	}
	return err == nil
}

// Logf logs a line that is reported if the test fails: the last 40 lines, and how many came before.
func (w *World) Logf(format string, args ...any) {
	text := fmt.Sprintf(format, args...) // its formatting may wait
	defer w.stage.Enter()()
	line := fmt.Sprintf("%12v  ", w.Elapsed()) + text
	if w.logged++; len(w.logs) == logsShown {
		copy(w.logs, w.logs[1:])
		w.logs[logsShown-1] = line
		return
	}
	w.logs = append(w.logs, line)
}

// fail records the first failure, and stops the world.
func (w *World) fail(text string) {
	if w.failure == nil {
		w.failure = &Failure{Seed: w.seed, Text: text, At: w.Elapsed()}
	}
	w.stopped = true
	w.w.Interrupt()
}

// Name makes look-ups of name, anywhere in the world, return the addresses of the host called host. Hosts can always be
// looked up by their own names. Look-ups ignore case and a final dot.
func (w *World) Name(name, host string) {
	defer w.stage.Enter()()
	w.names[plain(name)] = host
}

// plain returns the normal form of a name.
func plain(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// lookup returns the addresses of a host.
func (w *World) lookup(name string) (addrs []netip.Addr) {
	name = plain(name)
	if to, ok := w.names[name]; ok {
		name = plain(to)
	}
	if h := w.named[name]; h != nil {
		return slices.Clone(h.addrs) // a copy, because the dialer sorts them
	}
	return nil
}
