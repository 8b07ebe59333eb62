package patience

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// Max is how long a process may go without headway, and processorMax how much processor time it may use meanwhile. To
// notice hangs sooner, as tests with planted bugs want, set Max by the environment: RINGO_TEST_PATIENCE=30s. go test
// ends a process after its timeout, ten minutes by default, with stacks but without saying what is missing, so waits
// give up a little before that; see alarmed.
var Max = longest()

const (
	processorMax = 120 * time.Second
	standardMax  = 10 * time.Minute
	maxEnv       = "RINGO_TEST_PATIENCE"
)

func longest() time.Duration {
	text := os.Getenv(maxEnv)
	if text == "" {
		return standardMax
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		panic(fmt.Sprintf("patience: %s=%q is no duration: 30s is one", maxEnv, text))
	}
	return d
}

// headway counts the waits of the whole process that have begun or ended.
var headway atomic.Int64

// A watch is one wait's view of the process, as it was when the wait last saw headway.
type watch struct {
	headway   int64
	since     time.Time
	processor time.Duration
}

func begin() *watch {
	headway.Add(1)
	return &watch{headway.Load(), time.Now(), processorTime()}
}

// end is called when the wait is over: what it waited for has come.
func (w *watch) end() { headway.Add(1) }

// givenUp is set once a wait of this process has given up. The test run has then failed, and later waits get a
// twentieth of the patience, so that a change that breaks many tests shows all of them before go test's timeout.
var givenUp atomic.Bool

// over returns why the wait should be given up, or "" if it should not. A wait counts processor time from its first
// check after the last headway, so over has to be called now and then.
func (w *watch) over() (why string) {
	if w.cameForward() {
		return ""
	}
	limit := Max
	if givenUp.Load() {
		limit /= 20
	}
	if d := time.Since(w.since); d >= limit || alarmed(d) {
		why = fmt.Sprintf("nothing came forward for %v", d.Round(time.Second))
	} else if d := processorTime() - w.processor; d >= processorMax {
		why = fmt.Sprintf("nothing came forward while the process used %v of processors", d.Round(time.Second))
	} else {
		return ""
	}
	givenUp.Store(true)
	return why
}

// cameForward reports whether there was headway since the last check, and notes it.
func (w *watch) cameForward() bool {
	seen := headway.Load()
	if seen == w.headway {
		return false
	}
	*w = watch{seen, time.Now(), processorTime()}
	return true
}

// Guard starts a goroutine that ends the process, with all stacks, if there is no headway for twice Max while the
// process uses less than a hundredth of a processor. Such a process hangs outside of any wait of this package, such as
// in a Close after a failed test. Guard counts ticks and not the clock's time, because a process may be stopped
// meanwhile.
func Guard() {
	if processorTime() == 0 { // processor time is unknown on this system
		return
	}
	go func() {
		w, every, looks := begin(), max(Max/60, min(lookEvery, Max)), time.Duration(0)
		for range time.Tick(every) {
			looks++
			if d := looks * every; w.cameForward() || processorTime()-w.processor > d/100 {
				looks, w.processor = 0, processorTime()
			} else if d >= 2*Max {
				panic(fmt.Sprintf("nothing came forward for %v, and the process rests\n\n%s",
					d.Round(time.Second), Stacks()))
			}
		}
	}()
}

// alarmed reports whether go test is about to end this process, which has made no headway for d.
func alarmed(d time.Duration) bool {
	alarm := alarm()
	return alarm > 0 && time.Since(born) >= alarm-alarm/20 && d >= alarm/60
}

// alarm returns go test's timeout for this process, or 0 for none.
func alarm() (d time.Duration) {
	if f := flag.Lookup("test.timeout"); f != nil {
		d, _ = f.Value.(flag.Getter).Get().(time.Duration)
	}
	return d
}

var born = time.Now()

// lookEvery is the interval at which a wait on a channel checks for headway.
const lookEvery = time.Second

// Until waits until ok returns true, and fails the test if patience runs out. It polls, and so is for changes that come
// without a notice: in the kernel, on other threads, in other processes. Call it from any goroutine but a loop's; a
// task uses UntilBy.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	UntilBy(t, what, nil, ok)
}

// UntilBy is Until for callers that let others run between two checks in their own way, by pause.
func UntilBy(t testing.TB, what string, pause func(), ok func() bool) {
	t.Helper()
	if err := Poll(pause, ok); err != nil {
		t.Fatalf("%s: %v\n\n%s", what, err, Stacks())
	}
}

// Poll is UntilBy without a test to fail: it returns an error. A nil pause sleeps as Until does.
func Poll(pause func(), ok func() bool) error {
	if pause == nil {
		d := 50 * time.Microsecond
		pause = func() {
			time.Sleep(d)
			d = min(2*d, 10*time.Millisecond)
		}
	}
	for w := begin(); ; pause() {
		if ok() {
			w.end()
			return nil
		}
		if why := w.over(); why != "" {
			return errors.New(why)
		}
	}
}

// Recv receives a value from ch, or the zero value if ch is closed, and fails the test if neither comes.
func Recv[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	v, err := Receive(ch)
	if err != nil {
		t.Fatalf("%s: %v\n\n%s", what, err, Stacks())
	}
	return v
}

// Done waits until ch is closed or a value comes, and reports whether that happened. If patience runs out, it marks the
// test as failed without ending it, so any goroutine may call it.
func Done[T any](t testing.TB, what string, ch <-chan T) bool {
	t.Helper()
	_, err := Receive(ch)
	if err != nil {
		t.Errorf("%s: %v\n\n%s", what, err, Stacks())
	}
	return err == nil
}

// Receive is Recv without a test to fail: it returns an error.
func Receive[T any](ch <-chan T) (v T, err error) {
	w := begin()
	tick := time.NewTicker(min(lookEvery, Max))
	defer tick.Stop()
	for {
		select {
		case v = <-ch:
			w.end()
			return v, nil
		case <-tick.C:
			if why := w.over(); why != "" {
				return v, errors.New(why)
			}
		}
	}
}

// Within runs f. If f hangs, Within ends the process with all stacks: f holds what the next tests would need. Tasks may
// call it.
func Within(what string, f func()) {
	w := begin()
	over := make(chan struct{})
	var alarm *time.Timer
	alarm = time.AfterFunc(time.Hour, func() {
		select {
		case <-over:
			return
		default:
		}
		if why := w.over(); why != "" {
			panic(fmt.Sprintf("%s: %s\n\n%s", what, why, Stacks()))
		}
		alarm.Reset(lookEvery)
	})
	alarm.Reset(min(lookEvery, Max))
	defer func() {
		close(over)
		alarm.Stop()
		w.end()
	}()
	f()
}

// Deadline returns a deadline for peers of a test whose calls could hang. It is so far away that it passes only in
// tests that fail anyway, but before go test's timeout.
func Deadline() time.Time {
	at := time.Now().Add(Max)
	if alarm := alarm(); alarm > 0 {
		last := born.Add(alarm - alarm/20)
		if soon := time.Now().Add(alarm / 60); last.Before(soon) {
			last = soon
		}
		if last.Before(at) {
			return last
		}
	}
	return at
}

// Context returns a context with that Deadline, which ends with the test.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithDeadline(t.Context(), Deadline())
	t.Cleanup(cancel)
	return ctx
}

// Stacks returns the stacks of all goroutines.
func Stacks() string {
	buf := make([]byte, 16<<20)
	return string(buf[:runtime.Stack(buf, true)])
}
