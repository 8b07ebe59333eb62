//go:build linux

package ringo_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/sys"
)

// allowed is where the calling thread may run, in the kernel's words.
func allowed(t *testing.T) string {
	t.Helper()
	status, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		t.Error(err)
	}
	for line := range strings.Lines(string(status)) {
		if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			return strings.TrimSpace(list)
		}
	}
	t.Error("no Cpus_allowed_list")
	return ""
}

// Pin gives each loop's thread its processor, and no other thread any.
func TestPin(t *testing.T) {
	cpus, err := sys.CPUs()
	if err != nil {
		t.Fatal(err)
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		before := allowed(t)
		cfg.Loops, cfg.Pin = len(cpus), true
		err := run(t, cfg, func(l *ringo.Loop) error {
			check := func() {
				equal(t, fmt.Sprintf("processors of loop %d", l.Index()), allowed(t), fmt.Sprint(cpus[l.Index()]))
			}
			check()
			l.Sleep(0)
			l.Go(check).Wait()
			// A thread that the runtime starts while a pinned one runs must not inherit.
			return l.Offload(func(context.Context) error {
				equal(t, "processors of a goroutine", allowed(t), before)
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "processors of the test", allowed(t), before)
	})
}

func TestPinMoreLoopsThanProcessors(t *testing.T) {
	cpus, err := sys.CPUs()
	if err != nil {
		t.Fatal(err)
	}
	cfg := anyDriver(t)
	cfg.Pin, cfg.Loops = true, len(cpus)+1
	got := refusal(t, &cfg)
	if got == nil || !strings.Contains(got.Error(), fmt.Sprintf("%d loops", cfg.Loops)) ||
		!strings.Contains(got.Error(), fmt.Sprintf("%d CPUs", len(cpus))) {
		t.Errorf("%v, want both numbers", got)
	}
}

// The processors to pin to are those that the process may use, not the machine's.
func TestPinWithinTheProcessesSet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		text, code := output(t, child(t, "pin", "RINGO_TEST_DRIVER="+cfg.Driver))
		cpus, _ := sys.CPUs()
		want := fmt.Sprintf("on %d\n<nil>\nringo: Config.Pin: 2 loops, but the process may use 1 CPUs\n",
			cpus[len(cpus)-1:])
		if text != want || code != 0 {
			t.Errorf("exit status %d, %q\nwant 0, %q", code, text, want)
		}
	})
}

func init() {
	children["pin"] = func() {
		cpus, _ := sys.CPUs()
		var last unix.CPUSet
		last.Set(cpus[len(cpus)-1])
		threads, _ := os.ReadDir("/proc/self/task")
		for _, thread := range threads {
			tid, _ := strconv.Atoi(thread.Name())
			unix.SchedSetaffinity(tid, &last)
		}
		for loops := 1; loops <= 2; loops++ {
			cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
			cfg.Pin, cfg.Loops = true, loops
			fmt.Println(ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
				cpus, _ := sys.CPUs()
				fmt.Println("on", cpus)
				return nil
			}))
		}
	}
}
