//go:build linux

package main

import (
	"encoding/json"
	"maps"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func probeJSON(t *testing.T, cmd *exec.Cmd) *finding {
	t.Helper()
	stdout, stderr, code := runTool(t, cmd)
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d, stderr %q; want 0, none", code, stderr)
	}
	f := new(finding)
	if err := json.Unmarshal([]byte(stdout), f); err != nil {
		t.Fatalf("%v in:\n%s", err, stdout)
	}
	return f
}

// TestProbe: both forms tell the same, and what is so.
func TestProbe(t *testing.T) {
	t.Parallel()
	needUring(t)
	f := probeJSON(t, tool(t, "probe", "-json"))
	if f.Go != runtime.Version() || f.CPUs != runtime.NumCPU() || f.GOMAXPROCS < 1 || f.Ringo == "" {
		t.Errorf("go %q, %d CPUs, GOMAXPROCS %d, ringo %q", f.Go, f.CPUs, f.GOMAXPROCS, f.Ringo)
	}
	if f.Auto.Driver != "uring" || f.Auto.Entries != 1024 || len(f.Auto.Features) == 0 || f.Auto.Error != "" || f.Override != nil {
		t.Errorf("auto %+v, override %+v", f.Auto, f.Override)
	}
	if !f.Uring.Usable || !slices.Contains(f.OpsUsed, "ACCEPT") || !slices.Contains(f.OpsUsed, "RECV") || len(f.OpsLacking) != 0 {
		t.Errorf("usable %t, ops used %v, lacking %v", f.Uring.Usable, f.OpsUsed, f.OpsLacking)
	}
	for _, o := range f.OpsUsed {
		if !slices.Contains(f.Uring.OpNames, o) {
			t.Errorf("%s is in use, and not among what the kernel has: %v", o, f.Uring.OpNames)
		}
	}
	stdout, stderr, code := runTool(t, tool(t, "probe"))
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d, stderr %q; want 0, none", code, stderr)
	}
	for _, want := range []string{f.Ringo, f.Go, "auto takes uring: " + f.Auto.Reason, strings.Join(f.Auto.Features, " "),
		strings.Join(f.OpsUsed, " "), f.Uring.System, "setup flags", "checks", "largest ring"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in the report:\n%s", want, stdout)
		}
	}
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
	hasKeys(t, "the report", all.Top, "ringo", "go", "cpus", "gomaxprocs", "auto", "override", "ops_used", "ops_lacking", "advice", "uring")
	hasKeys(t, "auto", all.Auto, "asked", "driver", "reason", "features", "sq_entries")
	hasKeys(t, "override", all.Override, "asked", "driver", "reason")
	hasKeys(t, "uring", all.Uring, "system", "usable", "seccomp", "setup_flags", "features", "ops", "checks", "sq_entries_max", "cq_entries_max")
}

func hasKeys[V any](t *testing.T, what string, m map[string]V, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if _, ok := m[key]; !ok {
			t.Errorf("%s has no key %q: %q", what, key, slices.Sorted(maps.Keys(m)))
		}
	}
}
