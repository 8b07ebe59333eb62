//go:build linux

package ringo_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/race"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
)

// footprint is what a process has that a loop could leave behind.
type footprint struct {
	descriptors, threads, goroutines, mappings int
	resident                                   int // KiB
}

// takeFootprint looks; a child has nobody to fail but itself.
func takeFootprint() (f footprint) {
	count := func(dir string) int {
		entries, err := os.ReadDir(dir)
		if err != nil {
			panic(err)
		}
		return len(entries)
	}
	read := func(file string) []byte {
		text, err := os.ReadFile(file)
		if err != nil {
			panic(err)
		}
		return text
	}
	f.descriptors, f.threads = count("/proc/self/fd"), count("/proc/self/task")
	f.mappings = bytes.Count(read("/proc/self/maps"), []byte("\n"))
	f.goroutines = runtime.NumGoroutine()
	_, rss, _ := bytes.Cut(read("/proc/self/status"), []byte("VmRSS:"))
	rss, _, _ = bytes.Cut(rss, []byte("kB"))
	f.resident, _ = strconv.Atoi(string(bytes.TrimSpace(rss)))
	return f
}

func init() {
	// Runs as often as the environment says, and exits with 1 if that leaves
	// anything behind. What it finds it says in any case.
	children["restarts"] = func() {
		runs, err := strconv.Atoi(os.Getenv("RINGO_TEST_RUNS"))
		if err != nil {
			panic(err)
		}
		cfg := ringo.Config{Driver: os.Getenv("RINGO_TEST_DRIVER"), Loops: 1}
		once := func(n int) {
			for range n {
				ran := false
				err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
					return l.Go(func() { l.Sleep(0); ran = true }).Wait()
				})
				if err != nil || !ran {
					panic(fmt.Sprint("the task ran: ", ran, ", ", err))
				}
			}
		}
		once(max(10, runs/10))
		any := func(footprint) bool { return true }
		before := settled(any, any)
		same := func(now footprint) bool {
			return now.descriptors <= before.descriptors && now.goroutines <= before.goroutines &&
				now.threads <= before.threads+4 // the runtime's own, made now and then
		}
		grown := func(now footprint) bool { // the detector's memory grows for long
			return !race.Enabled && now.resident > before.resident+4<<10 || now.mappings > before.mappings+runs/2
		}
		// What Runs leave behind grows with each round, a mapping with each Run. Huge pages, what is paged in, and how
		// the runtime and the detector cut their own memory into mappings, are not the loops'.
		for round := 1; ; round++ {
			began := time.Now()
			once(runs)
			took := time.Since(began)
			now := settled(same, func(f footprint) bool { return !grown(f) })
			fmt.Printf("%d runs in %v: %+v, before: %+v\n", runs, took, now, before)
			if !same(now) || grown(now) && round == 3 {
				os.Exit(1)
			}
			if !grown(now) {
				return
			}
			before.resident, before.mappings = now.resident, now.mappings
		}
	}
}

// A thousand Runs, one after the other, each with a ring of the default size: none
// is refused, and the last leaves no more behind than the first few did. The kernel
// takes rings down behind the program's back; a Run that comes too soon must wait.
func TestRunAThousandTimes(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		runs := 50
		switch {
		case testmain.Long():
			runs = 1000
		case strings.HasPrefix(cfg.Driver, "uring"):
			runs = 200
		}
		text, code := output(t, child(t, "restarts", "RINGO_TEST_DRIVER="+cfg.Driver,
			fmt.Sprint("RINGO_TEST_RUNS=", runs)))
		if t.Log(text); code != 0 {
			t.Error("left behind, or failed: exit status ", code)
		}
	})
}

// settled gives the footprint once ok says so, or when no more is to be hoped for: threads and rings go in their own
// time, which is awaited as long as such things are, and memory in a hundred looks or not at all.
func settled(gone, small func(footprint) bool) (f footprint) {
	patience.Poll(runtime.Gosched, func() bool {
		f = takeFootprint()
		return gone(f)
	})
	for range 100 {
		debug.FreeOSMemory()
		if f = takeFootprint(); small(f) {
			break
		}
	}
	return f
}
