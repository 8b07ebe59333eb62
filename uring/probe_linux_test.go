//go:build linux

package uring

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/test/seccomptest"
)

func TestProbe(t *testing.T) {
	r, err := probed()
	if err != nil {
		t.Fatal(err)
	}
	if r.Usable != (r.Refusal == nil) {
		t.Fatalf("usable: %v, refusal: %v", r.Usable, r.Refusal)
	}
	if !r.Usable {
		t.Skip(r.Refusal)
	}
	ring := open(t, 8, nil)
	ops, err := ring.ProbeOps()
	if err != nil || ops != r.Ops || len(r.OpNames) != len(ops.List()) {
		t.Errorf("ops: ring says %v (%v), report says %v", ops.List(), err, r.OpNames)
	}
	if r.Features != ring.Features() || len(r.FeatureSet) == 0 {
		t.Errorf("features: ring says %v, report says %v", ring.Features(), r.FeatureSet)
	}
	for _, o := range r.SetupFlags {
		if f := flagNamed(o.Name); ring.Flags()&f != 0 && !o.OK {
			t.Errorf("%s: a ring has it, report says %s", o.Name, o.Error)
		}
	}
	if r.SQEntriesMax < ring.SQEntries() || r.CQEntriesMax < ring.CQEntries() {
		t.Errorf("largest ring %d and %d", r.SQEntriesMax, r.CQEntriesMax)
	}
	for _, c := range r.Checks {
		if !c.OK && newerThan(c.Since) {
			t.Errorf("check %s: %s on %s", c.Name, c.Error, r.System)
		}
	}
	if err := r.Require("no such check"); err == nil {
		t.Error("a check that does not exist passed")
	}
}

func TestProbeFor(t *testing.T) {
	need(t)
	all, err := probed()
	if err != nil {
		t.Fatal(err)
	}
	r, err := ProbeFor(nil, CheckBufRing, CheckExtArg)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Require(CheckBufRing,
		CheckExtArg); fmt.Sprint(got) != fmt.Sprint(all.Require(CheckBufRing, CheckExtArg)) {
		t.Errorf("Require: %v; Probe differs", got)
	}
	if len(r.Checks) != 4 || len(r.SetupFlags) != 0 || r.SQEntriesMax != 0 || !r.Usable || r.Ops != all.Ops {
		t.Errorf("asked for two checks, got %+v", r)
	}
	if err := r.Require(CheckMsgRing); err == nil {
		t.Error("a check that was not run passed")
	}
}

func flagNamed(name string) SetupFlags {
	return SetupFlags(1) << slices.Index(setupNames, name)
}

// TestProbeLeavesNothing: rings, sockets and the thread are gone. The gate of TestMain counts the rest.
func TestProbeLeavesNothing(t *testing.T) {
	need(t)
	fds, maps := openFDs(t), ringMappings(t)
	for range 3 {
		if _, err := Probe(); err != nil {
			t.Fatal(err)
		}
	}
	if n := openFDs(t); n != fds {
		t.Errorf("%d descriptors before, %d after", fds, n)
	}
	if n := ringMappings(t); n != maps {
		t.Errorf("%d mappings before, %d after", maps, n)
	}
}

// TestProbeUnderSeccomp: each of the three system calls may be the one that a filter forbids. The report says which,
// and that it was a filter.
func TestProbeUnderSeccomp(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy seccomptest.Policy
		step   string
		errno  syscall.Errno
	}{
		{"all", seccomptest.DenyUring(), "io_uring_setup(", syscall.EPERM},
		{"all as if absent", seccomptest.DenyUringENOSYS(), "io_uring_setup(", syscall.ENOSYS},
		{"enter", seccomptest.DenyEnter(), "io_uring_enter", syscall.EPERM},
		{"register", seccomptest.DenyRegister(), "io_uring_register", syscall.EPERM},
		{"security module", seccomptest.Deny(seccomptest.Rule{Number: unix.SYS_IO_URING_SETUP, Errno: syscall.EACCES}),
			"io_uring_setup(", syscall.EACCES},
	} {
		t.Run(c.name, func(t *testing.T) {
			need(t)
			r := probeUnder(t, c.policy)
			if r.Usable || r.Refusal == nil {
				t.Fatalf("usable: %v, refusal: %v", r.Usable, r.Refusal)
			}
			if !strings.HasPrefix(r.Refusal.Step, c.step) || r.Refusal.Error != c.errno.Error() || !r.Seccomp {
				t.Errorf("step %q, error %q, seccomp %v", r.Refusal.Step, r.Refusal.Error, r.Seccomp)
			}
			if c.errno != syscall.EACCES && !strings.Contains(r.Refusal.Hint, "seccomp") {
				t.Errorf("hint %q does not name the filter", r.Refusal.Hint)
			}
		})
	}
}

// TestSkipsWhereRefused runs all tests where a filter refuses all: none fails, and the skipped say why.
func TestSkipsWhereRefused(t *testing.T) {
	need(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := seccomptest.Command(t, seccomptest.DenyUring(), self, "-test.v")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- SKIP: TestPrep")) ||
		!bytes.Contains(out, []byte("--- PASS: FuzzSQ")) ||
		!bytes.Contains(out, []byte("(a seccomp filter")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// probeUnder runs Probe in a process under the policy.
func probeUnder(t *testing.T, p seccomptest.Policy) *Report {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := seccomptest.Command(t, p, self)
	cmd.Env = append(os.Environ(), childVar+"=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	r := new(Report)
	if err := json.Unmarshal(out, r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return r
}

func TestReportString(t *testing.T) {
	r, err := probed()
	if err != nil {
		t.Fatal(err)
	}
	text := r.String()
	for _, want := range []string{r.System, "memlock"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "%!") {
		t.Errorf("bad format in\n%s", text)
	}
	t.Log("\n" + text)
}
