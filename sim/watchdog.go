package sim

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"sync/atomic"
	"time"
)

// watchdog watches from outside whether the world goes on: a task that waits by other means than Ringo's stops it for
// good.
type watchdog struct {
	w     *World
	host  atomic.Pointer[Host] // the host whose turn it is
	timer *time.Timer
	last  *time.Timer // see lasts; nil: there is no deadline
	// happening says that events happen or a condition is asked, and steps counts these.
	happening atomic.Bool
	steps     atomic.Uint64
	seen      uint64
	lets      uint64
	// entries and waited are the last results of Waits.
	entries uint64
	waited  bool
	wrong   atomic.Pointer[error] // reported by goroutines other than the world's
}

// stuckAfter is how long a turn, or an event, may take in real time.
const stuckAfter = 10 * time.Second

// watchOver starts a watchdog.
func watchOver(w *World) *watchdog {
	d := &watchdog{w: w}
	d.timer = time.AfterFunc(stuckAfter, d.look)
	return d
}

func (d *watchdog) stop() {
	d.timer.Stop()
	if d.last != nil {
		d.last.Stop()
	}
}

// begin records a turn.
func (d *watchdog) begin(a *actor) { d.host.Store(a.p.host) }

// ends records that the turn has ended.
func (d *watchdog) ends() {
	d.host.Store(nil)
	d.takeIn()
}

// takeIn fails the world because of what other goroutines have reported.
func (d *watchdog) takeIn() {
	if err := d.wrong.Load(); err != nil {
		d.w.fail((*err).Error())
	}
}

// left reports an error. G.
func (d *watchdog) left(err error) { d.wrong.CompareAndSwap(nil, &err) }

// stands reports whether a turn, or the function of an event or a condition, has not ended since the last call. It
// returns the turn's host; nil if it is no turn.
func (d *watchdog) stands() (h *Host, still bool) {
	h, n := d.host.Load(), d.w.w.Turns()+d.steps.Load()
	if n != d.seen {
		d.seen = n
		return nil, false
	}
	return h, h != nil || d.happening.Load() && !d.letting()
}

// letting reports whether goroutines run, of which letsLong knows more.
func (d *watchdog) letting() bool {
	s := d.w.letting.Load()
	if s == nil {
		return false
	}
	_, now := s.Lets()
	return now
}

// letsLong reports whether goroutines have been running since the last call, and have not come to rest.
func (d *watchdog) letsLong() bool {
	s := d.w.letting.Load()
	if s == nil {
		return false
	}
	n, now := s.Lets()
	was := d.lets
	d.lets = n
	return now && n == was
}

// waitedFor reports whether a goroutine has been waiting for the script since the last call.
func (d *watchdog) waitedFor() bool {
	s := d.w.letting.Load()
	if s == nil {
		return false
	}
	n, now := s.Waits()
	was, did := d.entries, d.waited
	d.entries, d.waited = n, now
	return now && did && n == was
}

// debugged reports whether a debugger is attached, so that the time that passes means nothing.
func debugged() bool {
	status, err := os.ReadFile("/proc/self/status")
	return err == nil && tracer.Match(status)
}

// tracer matches the line about the process that traces this one, if there is one.
var tracer = regexp.MustCompile(`(?m)^TracerPid:\s*[1-9]`)

// look finds a turn or an event that does not end, or goroutines that don't come to rest. Nothing can end them, so it
// ends the process.
func (d *watchdog) look() {
	what, stacks := "", ""
	h, still := d.stands()
	if h != nil {
		what = fmt.Sprintf("a task of %s has left the world: it has held it for more than %v of real time. A task "+
			"waits only through Ringo.", h.name, stuckAfter)
		stacks = "The stacks of all goroutines, among them its own:\n" + allStacks()
	} else if d.letsLong() {
		what = fmt.Sprintf("a goroutine has left the world, which has waited for it for more than %v of real time. "+
			"Goroutines of a world wait through Ringo, for channels and times, and not for a lock whose holder waits, "+
			"nor in the system.", stuckAfter)
		stacks = "Their stacks:\n" + bubbled(true) + "\n\nThe stacks of those that wait, which may have locks:\n" +
			bubbled(false)
	} else if still {
		what = fmt.Sprintf("the function of an event, or a condition, has held the world for more than %v of "+
			"real time. Only tasks wait, and only through Ringo.", stuckAfter)
		stacks = "The stacks of all goroutines, among them its own:\n" + allStacks()
	}
	if d.waitedFor() && what == "" {
		what = fmt.Sprintf("the script holds the world for more than %v of real time, and a goroutine waits for it. "+
			"The script waits only in World.Wait, RunFor and RunUntil.", stuckAfter)
		stacks = "The stacks of all goroutines, among them its own:\n" + allStacks()
	}
	if what == "" || debugged() {
		d.timer.Reset(stuckAfter)
		return
	}
	d.dies(what, stacks)
}

// lasts ends the process before go test does, which would not name the seed: the test's time is about to be over, and
// the world has not stopped for that.
func (d *watchdog) lasts() {
	if !debugged() {
		d.dies("the test's time is about to be over, and this world does not stop: its script, or what it has called, "+
			"waits or computes.", "The stacks of all goroutines, among them its own:\n"+allStacks())
	}
}

// dies ends the process.
func (d *watchdog) dies(what, stacks string) {
	endProcess(fmt.Sprintf("sim: seed %d: %s To run it again: %s=%d %s\n%s\n", d.w.seed, what, seedVariable, d.w.seed,
		command(d.w.t.Name()), stacks))
}

// endProcess is replaced by a test.
var endProcess = func(text string) {
	fmt.Fprint(os.Stderr, text)
	os.Exit(2)
}

func allStacks() string {
	stacks := make([]byte, 1<<20)
	return string(stacks[:runtime.Stack(stacks, true)])
}
