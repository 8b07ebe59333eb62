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
	seen  uint64
	lets  uint64
	// entries and waited are the last results of Waits.
	entries uint64
	waited  bool
	wrong   atomic.Pointer[error] // reported by goroutines other than the world's
}

// stuckAfter is how long a turn may take, in real time.
const stuckAfter = 10 * time.Second

// watchOver starts a watchdog.
func watchOver(w *World) *watchdog {
	d := &watchdog{w: w}
	d.timer = time.AfterFunc(stuckAfter, d.look)
	return d
}

func (d *watchdog) stop() { d.timer.Stop() }

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

// stands returns the host whose turn has not ended since the last call; nil if the world goes on.
func (d *watchdog) stands() *Host {
	h, n := d.host.Load(), d.w.w.Turns()
	if n != d.seen {
		d.seen, h = n, nil
	}
	return h
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

// look finds a turn that does not end, or goroutines that don't come to rest. Nothing can end them, so it ends the
// process.
func (d *watchdog) look() {
	what, stacks := "", ""
	if h := d.stands(); h != nil {
		what = fmt.Sprintf("a task of %s has left the world: it has held it for more than %v of real time. A task "+
			"waits only through Ringo.", h.name, stuckAfter)
		stacks = "The stacks of all goroutines, among them its own:\n" + allStacks()
	} else if d.letsLong() {
		what = fmt.Sprintf("a goroutine has left the world, which has waited for it for more than %v of real time. "+
			"Goroutines of a world wait through Ringo, for channels and times, and not for a lock whose holder waits, "+
			"nor in the system.", stuckAfter)
		stacks = "Their stacks:\n" + bubbled(true) + "\n\nThe stacks of those that wait, which may have locks:\n" +
			bubbled(false)
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
	fmt.Fprintf(os.Stderr, "sim: seed %d: %s To run it again: %s=%d %s\n%s\n", d.w.seed, what, seedVariable, d.w.seed,
		command(d.w.t.Name()), stacks)
	os.Exit(2)
}

func allStacks() string {
	stacks := make([]byte, 1<<20)
	return string(stacks[:runtime.Stack(stacks, true)])
}
