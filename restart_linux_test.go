//go:build linux

package ringo_test

import (
	"bytes"
	"flag"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringo"
)

var long = flag.Bool("long", false, "a thousand Runs on each driver, not 200 or 50")

// footprint is what a process has that a loop could leave behind.
type footprint struct {
	descriptors, threads, goroutines, mappings int
	resident                                   int // KiB
}

func takeFootprint(t *testing.T) (f footprint) {
	t.Helper()
	for _, d := range []struct {
		dir string
		n   *int
	}{{"/proc/self/fd", &f.descriptors}, {"/proc/self/task", &f.threads}} {
		entries, err := os.ReadDir(d.dir)
		if err != nil {
			t.Skip(err)
		}
		*d.n = len(entries)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skip(err)
	}
	f.mappings = bytes.Count(maps, []byte("\n"))
	f.goroutines = runtime.NumGoroutine()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	_, rss, _ := bytes.Cut(status, []byte("VmRSS:"))
	rss, _, _ = bytes.Cut(rss, []byte("kB"))
	f.resident, _ = strconv.Atoi(string(bytes.TrimSpace(rss)))
	return f
}

// A thousand Runs, one after the other, each with a ring of the default size: none
// is refused, and the last leaves no more behind than the first few did. The kernel
// takes rings down behind the program's back; a Run that comes too soon must wait.
func TestRunAThousandTimes(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		runs := 50
		switch {
		case *long:
			runs = 1000
		case strings.HasPrefix(cfg.Driver, "uring"):
			runs = 200
		}
		cfg = ringo.Config{Driver: cfg.Driver, Loops: 1}
		once := func(n int) {
			for range n {
				ran := false
				mustRun(t, cfg, func(l *ringo.Loop) {
					l.Go(func() { l.Sleep(0); ran = true })
				})
				if !ran {
					t.Fatal("the task did not run")
				}
			}
		}
		once(runs / 10)
		before := settled(t, func(footprint) bool { return true })
		began := time.Now()
		once(runs)
		took := time.Since(began)
		same := func(now footprint) bool {
			return now.descriptors <= before.descriptors && now.goroutines <= before.goroutines &&
				now.threads <= before.threads+2 && now.mappings <= before.mappings+8 && // the runtime's own, made now and then
				now.resident <= before.resident+4<<10
		}
		if now := settled(t, same); !same(now) {
			t.Errorf("after %d runs: %+v, before: %+v", runs, now, before)
		} else {
			t.Logf("%d runs in %v: %+v, before: %+v", runs, took, now, before)
		}
	})
}

// settled gives the footprint once ok says so, or when no more is to be hoped for:
// threads and rings go in their own time.
func settled(t *testing.T, ok func(footprint) bool) (f footprint) {
	for end := time.Now().Add(limit / 2); time.Now().Before(end); runtime.Gosched() {
		debug.FreeOSMemory()
		if f = takeFootprint(t); ok(f) {
			break
		}
	}
	return f
}
