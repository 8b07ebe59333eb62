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

// Max is how long a process without headway may take, and processorMax how much of processors. The former is a variable
// of the environment's for whoever plants mistakes and wants to know of a hang sooner: RINGO_TEST_PATIENCE=30s. go test
// ends a process after ten minutes, with stacks and no word on what is missing: a wait gives up a while before.
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

// headway counts waits that have begun or ended, of the whole process.
var headway atomic.Int64

// A watch is one wait's view of the process: what there was when it last saw headway.
type watch struct {
	headway   int64
	since     time.Time
	processor time.Duration
}

func begin() *watch {
	headway.Add(1)
	return &watch{headway.Load(), time.Now(), processorTime()}
}

// end is called when what was waited for has come.
func (w *watch) end() { headway.Add(1) }

// givenUp says that a wait of this process was given up: it has failed, and the waits behind have a twentieth of the
// patience, so that one who breaks many hears of it before go test's alarm.
var givenUp atomic.Bool

// over says why the wait is to be given up; "" if it is not. The processor is charged from when the wait looked first
// after the last headway, so it is asked now and then.
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

// cameForward reports whether there was headway since the last look at it.
func (w *watch) cameForward() bool {
	seen := headway.Load()
	if seen == w.headway {
		return false
	}
	*w = watch{seen, time.Now(), processorTime()}
	return true
}

// Guard ends the process with all stacks if nothing comes forward in it for twice as long as Max, and it does next to
// nothing: it hangs in what knows no patience, as a Close behind a test that has failed. For how long is counted in
// looks, since a process may be stopped meanwhile.
func Guard() {
	if processorTime() == 0 { // it is not known here
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

// alarmed reports whether go test is about to end this process, in which nothing has come forward for d.
func alarmed(d time.Duration) bool {
	alarm := alarm()
	return alarm > 0 && time.Since(born) >= alarm-alarm/20 && d >= alarm/60
}

// alarm is after which time go test ends this process; 0: never.
func alarm() (d time.Duration) {
	if f := flag.Lookup("test.timeout"); f != nil {
		d, _ = f.Value.(flag.Getter).Get().(time.Duration)
	}
	return d
}

var born = time.Now()

// lookEvery is between two looks of a wait that is told when what it waits for comes.
const lookEvery = time.Second

// Until waits until ok says so, and fails the test if that doesn't come. It is for what nobody tells: what happens in
// the kernel, on other threads, in other processes. Call it from any goroutine but a loop's; a task uses UntilBy.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	UntilBy(t, what, nil, ok)
}

// UntilBy is Until for callers who let others go on in their own way between two looks: pause.
func UntilBy(t testing.TB, what string, pause func(), ok func() bool) {
	t.Helper()
	if err := Poll(pause, ok); err != nil {
		t.Fatalf("%s: %v\n\n%s", what, err, Stacks())
	}
}

// Poll is UntilBy for those who have no test to fail. A nil pause is Until's.
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

// Recv takes a value from ch, the zero one if it is closed, and fails the test if neither comes.
func Recv[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	v, err := Receive(ch)
	if err != nil {
		t.Fatalf("%s: %v\n\n%s", what, err, Stacks())
	}
	return v
}

// Done waits until ch is closed or gives a value, and reports an error of the test's, without ending it, if neither
// comes: any goroutine may call it.
func Done[T any](t testing.TB, what string, ch <-chan T) bool {
	t.Helper()
	_, err := Receive(ch)
	if err != nil {
		t.Errorf("%s: %v\n\n%s", what, err, Stacks())
	}
	return err == nil
}

// Receive is Recv for those who have no test to fail.
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

// Within runs f. If f hangs it ends the process with all stacks, since whoever hangs holds what the next tests would
// need. Tasks may call it.
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

// Deadline is for peers of a test whose calls would otherwise hang it: so far away that it passes in tests only that
// fail, but ahead of go test's alarm.
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

// Context is Deadline for what takes a context; it ends with the test.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithDeadline(t.Context(), Deadline())
	t.Cleanup(cancel)
	return ctx
}

// Stacks is what all goroutines do.
func Stacks() string {
	buf := make([]byte, 16<<20)
	return string(buf[:runtime.Stack(buf, true)])
}
