//go:build linux

package kernel

import (
	"errors"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"ringo/internal/places"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

func several(t *testing.T) []int {
	t.Helper()
	cpus, err := sys.CPUs(0)
	if err != nil {
		t.Fatal(err)
	}
	if len(cpus) < 2 {
		t.Skip("there is one CPU")
	}
	return cpus
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A process that is confined knows what it may use, its children may use that if they are started so, and the end is
// as the begin was.
func TestConfine(t *testing.T) {
	cpus, count := several(t), CPUCount()
	undo, err := Confine(cpus[:1])
	must(t, err)
	if all, err := CPUs(); err != nil || !slices.Equal(all, cpus) || CPUCount() != count {
		t.Errorf("CPUs are %v, %v, and %d, want %v, %d", all, err, CPUCount(), cpus, count)
	}
	child := func() string {
		out, err := exec.Command("grep", "Cpus_allowed_list", "/proc/self/status").Output()
		if err != nil {
			t.Error(err)
		}
		return strings.TrimSpace(strings.TrimPrefix(string(out), "Cpus_allowed_list:"))
	}
	must(t, Unconfined(func() error {
		if got := child(); got != places.List(cpus) {
			t.Errorf("a child may use %s, want %v", got, cpus)
		}
		return nil
	}))
	if got := child(); got != places.List(cpus[:1]) {
		t.Errorf("another child may use %s, want %v", got, cpus[:1])
	}
	done := make(chan bool)
	go func() { // a thread that the program has bound says where its children are
		defer close(done)
		runtime.LockOSThread() // for good
		err := sys.SetCPUs(0, cpus[1:2])
		if err == nil {
			err = Unconfined(func() error {
				if got := child(); got != places.List(cpus[1:2]) {
					t.Errorf("a child of a thread that is bound may use %s, want %v", got, cpus[1:2])
				}
				return nil
			})
		}
		if err != nil {
			t.Error(err)
		}
	}()
	<-done
	if _, err := Confine(cpus[1:]); !errors.Is(err, posix.EBUSY) {
		t.Errorf("twice: %v, want EBUSY", err)
	}
	must(t, undo())
	if got := child(); got != places.List(cpus) {
		t.Errorf("behind the end a child may use %s, want %v", got, cpus)
	}
	failed := errors.New("failed")
	if err := Unconfined(func() error { return failed }); err != failed {
		t.Error(err)
	}
}

// What the program has bound to the very CPUs that all are confined to stays there at the end, and so does what is
// bound meanwhile.
func TestConfineLeavesTheProgramsOwn(t *testing.T) {
	cpus := several(t)
	own := func(cpus []int) (at func() []int) {
		bound, asked, said := make(chan error), make(chan bool), make(chan []int)
		go func() {
			runtime.LockOSThread() // for good
			bound <- sys.SetCPUs(0, cpus)
			<-asked
			at, err := sys.CPUs(0)
			if err != nil {
				t.Error(err)
			}
			said <- at
		}()
		must(t, <-bound)
		return func() []int { asked <- true; return <-said }
	}
	before := own(cpus[:1])
	undo, err := Confine(cpus[:1])
	must(t, err)
	meanwhile := own(cpus[1:2])
	must(t, undo())
	if at := before(); !slices.Equal(at, cpus[:1]) {
		t.Errorf("what was bound to %v is on %v", cpus[:1], at)
	}
	if at := meanwhile(); !slices.Equal(at, cpus[1:2]) {
		t.Errorf("what was bound to %v meanwhile is on %v", cpus[1:2], at)
	}
}

// Threads that are bound stay so, at the begin to where the process may run, and at the end to where it was confined.
func TestConfineLeavesBoundThreads(t *testing.T) {
	cpus := several(t)
	bind := func(to []int) (check func()) {
		bound, asked, done := make(chan error), make(chan bool), make(chan bool)
		go func() {
			runtime.LockOSThread() // for good
			release, err := Bind(to)
			bound <- err
			for <-asked {
				if at, err := sys.CPUs(0); err != nil || !slices.Equal(at, to) {
					t.Errorf("what is bound to %v is on %v, %v", to, at, err)
				}
				done <- true
			}
			release()
		}()
		must(t, <-bound)
		t.Cleanup(func() { asked <- false })
		return func() { asked <- true; <-done }
	}
	before := bind(cpus)
	undo, err := Confine(cpus[:1])
	must(t, err)
	before()
	meanwhile := bind(cpus[:1])
	must(t, undo())
	before()
	meanwhile()
}

// What a thread is bound to is not where the process may run, neither for who asks on it nor for who confines there.
func TestCPUsOfABoundThread(t *testing.T) {
	all := several(t)
	done := make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good
		for _, to := range [][]int{all[:1], all[1:2]} {
			release, err := Bind(to)
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			if got, err := CPUs(); err != nil || !slices.Equal(got, all) {
				t.Errorf("CPUs on what is bound to %v are %v, %v; want %v", to, got, err, all)
			}
		}
		undo, err := Confine(all[:1])
		if err != nil {
			t.Error(err)
			return
		}
		if got, err := CPUs(); err != nil || !slices.Equal(got, all) {
			t.Errorf("CPUs while confined are %v, %v; want %v", got, err, all)
		}
		if err := undo(); err != nil {
			t.Error(err)
		}
	}()
	<-done
}

// A place that there is not is an error, and nobody is moved.
func TestConfineToNothing(t *testing.T) {
	cpus := several(t)
	if undo, err := Confine([]int{1023}); err == nil || !strings.Contains(err.Error(), "sched_setaffinity of thread") {
		t.Errorf("%v", err)
		undo()
	}
	if all, err := sys.CPUs(0); err != nil || !slices.Equal(all, cpus) {
		t.Errorf("CPUs are %v, %v, want %v", all, err, cpus)
	}
	undo, err := Confine(cpus[:1])
	must(t, err)
	must(t, undo())
}
