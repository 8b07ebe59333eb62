//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/cmd/ringo/probe"
	"ringo/internal/test/seccomptest"
)

func probeJSON(t *testing.T, cmd *exec.Cmd) *probe.Finding {
	t.Helper()
	stdout, stderr, code := runTool(t, cmd)
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d, stderr %q; want 0, none", code, stderr)
	}
	f := new(probe.Finding)
	if err := json.Unmarshal([]byte(stdout), f); err != nil {
		t.Fatalf("%v in:\n%s", err, stdout)
	}
	return f
}

// checkPlaces: each policy has a plan, of as many loops as it says, and the first is that of Runs that say nothing.
func checkPlaces(t *testing.T, f *probe.Finding) {
	t.Helper()
	p := f.Places
	if p.CPUs == "" || p.Cores < 1 || p.Nodes < 1 || len(p.Plans) != 4 {
		t.Fatalf("places %+v", p)
	}
	for i, plan := range p.Plans {
		if plan.Place != ringo.Placement(i).String() || plan.Loops < 1 || plan.Error != "" ||
			!strings.HasPrefix(plan.Why, fmt.Sprintf("%d loop", plan.Loops)) || i > 0 && len(plan.CPUs) != plan.Loops {
			t.Errorf("plan %+v", plan)
		}
	}
	if n := runtime.GOMAXPROCS(0); n != f.GOMAXPROCS { // as with go test -cpu
		cmd := tool(t, "probe", "-json")
		cmd.Env = append(cmd.Environ(), fmt.Sprint("GOMAXPROCS=", n))
		p = probeJSON(t, cmd).Places
	}
	err := ringo.Run(t.Context(), &ringo.Config{Entries: 32, Buffers: 2, BufferSize: 64}, func(l *ringo.Loop) error {
		if plan := l.Info().Plan; plan != p.Plans[0].Why {
			t.Errorf("a Run has %q, and the probe says %q", plan, p.Plans[0].Why)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestProbe: both forms tell the same, and what is so.
func TestProbe(t *testing.T) {
	t.Parallel()
	needUring(t)
	f := probeJSON(t, tool(t, "probe", "-json"))
	if f.Go != runtime.Version() || f.CPUs != runtime.NumCPU() || f.GOMAXPROCS < 1 || f.Ringo == "" {
		t.Errorf("go %q, %d CPUs, GOMAXPROCS %d, ringo %q", f.Go, f.CPUs, f.GOMAXPROCS, f.Ringo)
	}
	if f.Auto.Driver != "uring" || f.Auto.Entries != 1024 || len(f.Auto.Features) == 0 ||
		f.Auto.Error != "" || f.Override != nil {
		t.Errorf("auto %+v, override %+v", f.Auto, f.Override)
	}
	if !f.Uring.Usable || f.Mask != "" {
		t.Errorf("usable %t, mask %q", f.Uring.Usable, f.Mask)
	}
	checkLadder(t, f, nil)
	checkPlaces(t, f)
	stdout, stderr, code := runTool(t, tool(t, "probe"))
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d, stderr %q; want 0, none", code, stderr)
	}
	for _, want := range []string{f.Ringo, f.Go, "auto takes uring: " + f.Auto.Reason,
		strings.Join(f.Auto.Features, " "),
		"  may use     CPUs " + f.Places.CPUs, "  Anywhere    " + f.Places.Plans[0].Why,
		"how uring runs each operation", f.Uring.System, "setup flags", "checks", "largest ring"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in the report:\n%s", want, stdout)
		}
	}
}

// TestProbeAIO: what a mask takes away is told with its cause.
func TestProbeAIO(t *testing.T) {
	t.Parallel()
	cmd := tool(t, "probe")
	cmd.Env = append(cmd.Environ(), "RINGO_MASK=aio")
	stdout, _, code := runTool(t, cmd)
	if want := "native AIO  no: io_setup: RINGO_MASK says so"; code != 0 || !strings.Contains(stdout, want) {
		t.Errorf("exit code %d, and no %q in:\n%s", code, want, stdout)
	}
}

// TestProbeAIORefused: AIO that can be set up and not used is none.
func TestProbeAIORefused(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]uint32{"io_setup": unix.SYS_IO_SETUP, "io_submit": unix.SYS_IO_SUBMIT,
		"io_getevents": unix.SYS_IO_GETEVENTS} {
		stdout, _, code := runTool(t,
			denied(t, seccomptest.Deny(seccomptest.Rule{Number: call, Errno: syscall.EPERM}), "probe"))
		if want := "native AIO  no: " + name + ": operation not permitted: a seccomp filter"; code != 0 ||
			!strings.Contains(stdout, want) {
			t.Errorf("exit code %d, and no %q in:\n%s", code, want, stdout)
		}
	}
}

// checkLadder wants every driver, those in refused with an error and the others
// with themselves, and for the ring a way for every operation.
func checkLadder(t *testing.T, f *probe.Finding, refused []string) {
	t.Helper()
	names := ringo.Drivers()[1:] // without auto
	if len(f.Ladder) != len(names) {
		t.Fatalf("%d drivers, want %v", len(f.Ladder), names)
	}
	for i, c := range f.Ladder {
		no := slices.Contains(refused, names[i])
		if c.Asked != names[i] || (c.Error != "") != no || (c.Driver == names[i]) == no {
			t.Errorf("%s: %+v, want it refused: %t", names[i], c, no)
		}
		if names[i] != "uring" || no {
			continue
		}
		for _, kind := range []string{"accept", "accept, multishot", "recv, multishot, buffer selected", "send",
			"read"} {
			if !slices.ContainsFunc(c.Ways, func(w probe.Way) bool { return w.Op == kind && w.Way != "" }) {
				t.Errorf("no way for %s: %+v", kind, c.Ways)
			}
		}
	}
}

// TestProbeMasked: the report says that it is not of the machine as it is, what is
// lost, and how operations make do.
func TestProbeMasked(t *testing.T) {
	t.Parallel()
	needUring(t)
	cmd := tool(t, "probe", "-json")
	cmd.Env = append(cmd.Env, "RINGO_MASK=kernel=5.10,poll")
	f := probeJSON(t, cmd)
	if f.Mask != "kernel=5.10,poll" {
		t.Errorf("mask %q", f.Mask)
	}
	checkLadder(t, f, []string{"poll"})
	want := probe.Way{Op: "accept, multishot", Way: "entries, one after the other", Lacks: "multishot_accept"}
	if !slices.Contains(f.Ladder[0].Ways, want) {
		t.Errorf("no %+v in %+v", want, f.Ladder[0].Ways)
	}
	cmd = tool(t, "probe")
	cmd.Env = append(cmd.Env, "RINGO_MASK=kernel=5.10,poll")
	stdout, _, _ := runTool(t, cmd)
	for _, text := range []string{"RINGO_MASK    kernel=5.10,poll", "for want of multishot_accept", "no: poll: "} {
		if !strings.Contains(stdout, text) {
			t.Errorf("no %q in the report:\n%s", text, stdout)
		}
	}
}

// TestProbeOfReleases: what works and is not used, is told with the reason, and what is
// here under a mask only in part names the mask.
func TestProbeOfReleases(t *testing.T) {
	t.Parallel()
	needUring(t)
	for release, want := range map[string][]string{
		"6.6": {"multishot_accept broken before Linux 6.8: ",
			"Linux 6.8 or newer: before it multishot_accept is broken", "no SQPOLL   uring: none under RINGO_MASK"},
		"6.0": {"multishot_recv broken before Linux 6.1: ",
			"uring       yes, when asked for: costs more than epoll here",
			"auto takes epoll: uring: works here, but costs more"},
	} {
		cmd := tool(t, "probe")
		cmd.Env = append(cmd.Env, "RINGO_MASK=kernel="+release)
		stdout, _, _ := runTool(t, cmd)
		for _, text := range want {
			if !strings.Contains(stdout, text) {
				t.Errorf("%s: no %q in the report:\n%s", release, text, stdout)
			}
		}
		if strings.Contains(stdout, "nothing: this is the best driver") {
			t.Errorf("%s: nothing to change:\n%s", release, stdout)
		}
	}
}

// TestProbeOverridden: what RINGO_DRIVER asks for stands beside auto and the ladder,
// and in the place of neither.
func TestProbeOverridden(t *testing.T) {
	t.Parallel()
	needUring(t)
	cmd := tool(t, "probe", "-json")
	cmd.Env = append(cmd.Env, "RINGO_DRIVER=poll", "RINGO_MASK=epoll")
	f := probeJSON(t, cmd)
	if f.Override == nil || f.Override.Asked != "poll" || f.Override.Driver != "poll" || f.Auto.Driver != "uring" {
		t.Errorf("override %+v, auto %+v; want poll and uring", f.Override, f.Auto)
	}
	checkLadder(t, f, []string{"epoll"})
}

// TestProbeKeys: programs may rely on these keys. New ones may come, none may go.
func TestProbeKeys(t *testing.T) {
	t.Parallel()
	needUring(t)
	cmd := tool(t, "probe", "-json")
	cmd.Env = append(cmd.Env, "RINGO_DRIVER=epoll")
	stdout, _, _ := runTool(t, cmd)
	var all struct {
		Top      map[string]json.RawMessage `json:"-"`
		Auto     map[string]any             `json:"auto"`
		Override map[string]any             `json:"override"`
		Uring    map[string]any             `json:"uring"`
	}
	if err := json.Unmarshal([]byte(stdout), &all); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(stdout), &all.Top); err != nil {
		t.Fatal(err)
	}
	hasKeys(t, "the report", all.Top, "ringo", "go", "cpus", "gomaxprocs", "auto", "override",
		"ladder", "advice", "uring")
	hasKeys(t, "auto", all.Auto, "asked", "driver", "reason", "features", "sq_entries")
	hasKeys(t, "override", all.Override, "asked", "driver", "reason")
	hasKeys(t, "uring", all.Uring, "system", "usable", "seccomp", "setup_flags", "features", "ops", "checks",
		"sq_entries_max", "cq_entries_max")
}

func hasKeys[V any](t *testing.T, what string, m map[string]V, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if _, ok := m[key]; !ok {
			t.Errorf("%s has no key %q: %q", what, key, slices.Sorted(maps.Keys(m)))
		}
	}
}
