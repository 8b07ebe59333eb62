package sim

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"ringo/internal/kernel"
	"ringo/internal/rt/gmark"
)

// outcome is the result of a world.
type outcome struct {
	failure *Failure
	o       *options
	world   *World
	skips   bool // the script has skipped the test
}

// drainMost is how long programs may take to end after the script.
const drainMost = time.Hour

// play plays a world on a goroutine of its own: a script that calls runtime.Goexit, as t.Fatal does, ends only that.
func play(o *options, script func(w *World)) *outcome {
	if !gmark.Exact && kernel.ThreadID() == 0 {
		o.t.Fatalf("sim: tasks can't be told from other goroutines on %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	r := &outcome{o: o}
	before := o.t.Failed()
	w := newWorld(o)
	r.world = w
	happens := func() {
		over := make(chan struct{})
		go func() {
			defer close(over)
			w.enter()
			defer w.end()
			w.plays(script)
		}()
		<-over
	}
	if o.bubble == nil {
		happens()
	} else {
		w.inBubble(o.bubble, happens)
	}
	w.watch.stop()
	if w.alarm != nil {
		w.alarm.Stop()
	}
	r.concludes(o, before)
	return r
}

// plays runs the script, and afterwards what still runs.
func (w *World) plays(script func(w *World)) {
	returned := false
	defer func() {
		v := recover()
		switch {
		case v != nil && v != any(errScriptEnds):
			w.panicked("the script, or an event of it,", v)
		case v == nil && !returned:
			w.leaves("the script", goesBy())
		}
	}()
	script(w)
	w.drain()
	returned = true
}

// panicked fails the world because of a panic. It is called where that is recovered.
func (w *World) panicked(who string, v any) {
	w.fail(fmt.Sprintf("%s has panicked: %v\n%s", who, v, debug.Stack()))
}

// leaves fails the world because of a call of t.Fatal, or stops it because of t.Skip.
func (w *World) leaves(who string, how exit) {
	w.quit, w.stopped = true, true
	w.w.Interrupt()
	if how != exitsBySkip {
		w.fail(who + " has called t.Fatal, t.FailNow or runtime.Goexit; World.Errorf would be reported here")
	}
}

// exit says how a goroutine has ended by runtime.Goexit.
type exit int

const (
	exitsItself exit = iota
	exitsByFail
	exitsBySkip
)

// goesBy returns how the goroutine ends whose deferred functions are running: by t.Fatal, t.Skip or runtime.Goexit. The
// testing.T can't say: other worlds use it too, and may have failed it meanwhile.
func goesBy() exit {
	var pcs [64]uintptr
	for frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])]); ; {
		frame, more := frames.Next()
		switch {
		case strings.HasSuffix(frame.Function, ".FailNow"):
			return exitsByFail
		case strings.HasSuffix(frame.Function, ".SkipNow"):
			return exitsBySkip
		case !more:
			return exitsItself
		}
	}
}

// concludes finds out the result of a world. before says that the test had failed before it.
func (r *outcome) concludes(o *options, before bool) {
	w := r.world
	w.watch.takeIn() // for what the script has done last, or a goroutine since
	if err := w.trace.failed; err != nil {
		w.fail("the trace can't be written")
		w.failure.Text += fmt.Sprintf("\nthe trace ends early: %v", err)
	}
	r.skips = w.quit && w.failure == nil
	if w.failure == nil && !before && !o.many && o.t.Failed() {
		w.fail("the test has failed, but not by World.Errorf, which would report the reason with the seed")
	}
	if r.failure = w.failure; r.failure != nil {
		r.failure.Faults = w.faults.came
	}
}

// drain ends the running programs, and lets no host restart: a program that started later would never be ended.
func (w *World) drain() {
	w.over = true
	running := func() (n int) {
		for _, p := range w.programs {
			if !p.Ended() {
				n++
			}
		}
		return n
	}
	for _, p := range w.programs {
		p.dead = p.dead || p.p == nil // it was to begin with a restart
		p.Drain()
	}
	if running() > 0 {
		w.step(w.w.Later(drainMost), func() bool { return running() == 0 })
	}
	if w.goroutines {
		w.step(w.w.Now(), func() bool { return false }) // let what is due happen
	}
	if w.stopped || running() == 0 {
		return
	}
	w.fail(fmt.Sprintf("programs have not ended %v after the script's end and their drain:", drainMost) +
		w.running())
}
