package loop

import (
	"runtime"
	"testing"
	"time"

	"ringo/internal/rt/sched"
)

// unsaid is a warning that nobody wants.
func unsaid(string, ...any) {}

// wantProcs checks GOMAXPROCS.
func wantProcs(t *testing.T, when string, want int) {
	t.Helper()
	if got := runtime.GOMAXPROCS(0); got != want {
		t.Errorf("GOMAXPROCS is %d %s, want %d", got, when, want)
	}
}

// currentIdler is the idler of those who run.
func currentIdler() *idler {
	idlers.Lock()
	defer idlers.Unlock()
	return idlers.now
}

// unseen has idlers that begin look at nothing by themselves: in the test there are no loops, which they would take for
// idle ones where it is slow.
func unseen(t *testing.T) {
	t.Cleanup(SetIdleAfter(time.Hour * firstLook))
}

// What the idler of loops that have ended still says does not count for those that run.
func TestAnIdlerThatEndsLendsNothing(t *testing.T) {
	unseen(t)
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	release := raiseProcs(2, 0, unsaid)
	last := currentIdler()
	release()
	wantProcs(t, "after the loops", before)
	defer func() { wantProcs(t, "at the end", before) }()
	defer raiseProcs(3, 0, unsaid)()
	last.lendProcs(true)
	wantProcs(t, "with loops that run", before+3)
}

// Runs that overlap, begin and end while Ps are lent, and a program that sets GOMAXPROCS: what is added goes with those
// for whom it was, and what the program sets stands.
func TestProcsOfRunsThatOverlap(t *testing.T) {
	unseen(t)
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	first := raiseProcs(2, 0, unsaid)
	wantProcs(t, "with the first", before+2)
	currentIdler().lendProcs(true)
	wantProcs(t, "while lent", before)
	second := raiseProcs(1, 0, unsaid)
	wantProcs(t, "with the second, which runs tasks at once", before+3)
	currentIdler().lendProcs(true)
	first()
	wantProcs(t, "while lent, without the first", before)
	currentIdler().lendProcs(false)
	wantProcs(t, "without the first", before+1)
	third := raiseProcs(1, 0, unsaid)
	runtime.GOMAXPROCS(before + 7)
	currentIdler().lendProcs(true)
	wantProcs(t, "set by the program, idle", before+7)
	second()
	wantProcs(t, "set by the program, without the second", before+7)
	fourth := raiseProcs(2, 0, unsaid)
	wantProcs(t, "set by the program, with the fourth", before+9)
	third()
	fourth()
	wantProcs(t, "set by the program, with none", before+7)
	if sched.Procs() != before+7 {
		t.Errorf("Procs is %d, want %d", sched.Procs(), before+7)
	}
	if currentIdler() != nil {
		t.Error("the idler is left")
	}
}

// Where goroutines are kept to some CPUs they have so many Ps that a loop that wakes finds one, also when it has been
// idle. At the end it is as it was.
func TestProcsOfAReserve(t *testing.T) {
	unseen(t)
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	runtime.GOMAXPROCS(3)
	release := raiseProcs(2, 1, unsaid)
	wantProcs(t, "with a reserve", 8+2)
	currentIdler().lendProcs(true)
	wantProcs(t, "while idle", 8+2)
	other := raiseProcs(1, 0, unsaid)
	wantProcs(t, "with loops of another Run", 8+3)
	release()
	wantProcs(t, "without the reserve", 3+1)
	other()
	wantProcs(t, "at the end", 3)
	defer raiseProcs(2, 1, unsaid)()
	runtime.GOMAXPROCS(5)
	defer wantProcs(t, "as the program has set it", 5)
	defer raiseProcs(1, 0, unsaid)()
	wantProcs(t, "with another Run's loop", 5+1)
}
