//go:build linux

package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"ringo/cmd/ringo/probe"
	"ringo/internal/test/seccomptest"
)

// A refusal is a way in which a seccomp filter keeps programs from io_uring, with
// what a user must be told.
type refusal struct {
	name   string
	policy seccomptest.Policy
	step   string // the system call
	errno  string
	hint   string
}

// cause is a pattern of the whole message. The step may tell the call's arguments.
func (r *refusal) cause() string {
	return r.step + `(\([^()]+\))?: ` + r.errno + ` \(` + r.hint + `\)`
}

func matches(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }

var refusals = []refusal{
	{"all EPERM", seccomptest.DenyUring(), "io_uring_setup", "operation not permitted",
		"a seccomp filter, as container runtimes install one"},
	{"all ENOSYS", seccomptest.DenyUringENOSYS(), "io_uring_setup", "function not implemented",
		"a seccomp filter, or a kernel without io_uring"},
	{"enter", seccomptest.DenyEnter(), "io_uring_enter", "operation not permitted",
		"a seccomp filter, as container runtimes install one"},
	{"register", seccomptest.DenyRegister(), "io_uring_register", "operation not permitted",
		"a seccomp filter, as container runtimes install one"},
}

// TestRefusedAuto: auto runs on epoll, says why, and serves.
func TestRefusedAuto(t *testing.T) {
	t.Parallel()
	for _, r := range refusals {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			needUring(t)
			p := start(t, denied(t, r.policy, "echo", "-listen", anyPort))
			addr := p.addr()
			if line := p.line("listening"); !strings.Contains(line, " driver=epoll ") {
				t.Errorf("%q, want driver=epoll", line)
			}
			reason := p.line("driver epoll: ")
			if want := "^driver epoll: uring: " + r.cause() + "$"; !matches(want, reason) {
				t.Errorf("%q, want %s", reason, want)
			}
			exchangeAll(t, addr, 1, 64, 100_000)
			p.finish()
		})
	}
}

// TestRefusedExplicit: a driver that was asked for is had or is an error, whoever asked.
func TestRefusedExplicit(t *testing.T) {
	t.Parallel()
	for _, r := range refusals {
		for _, by := range []string{"flag", "environment"} {
			t.Run(r.name+"/"+by, func(t *testing.T) {
				t.Parallel()
				needUring(t)
				cmd, who := denied(t, r.policy, "echo", "-listen", anyPort, "-driver", "uring", "-loops", "3"), ""
				if by == "environment" {
					cmd = denied(t, r.policy, "echo", "-listen", anyPort, "-driver", "epoll")
					cmd.Env = append(cmd.Env, "RINGO_DRIVER=uring")
					who = "RINGO_DRIVER asks for uring: "
				}
				_, stderr, code := runTool(t, cmd)
				if want := "^ringo echo: " + who + "uring: " + r.cause() + "\n$"; code != 1 || !matches(want, stderr) {
					t.Errorf("exit code %d, stderr %q; want 1, %s", code, stderr, want)
				}
			})
		}
	}
}

// TestOverride: the environment's driver is taken, not the flag's.
func TestOverride(t *testing.T) {
	t.Parallel()
	needUring(t)
	cmd := tool(t, "echo", "-listen", anyPort, "-driver", "uring")
	cmd.Env = append(cmd.Env, "RINGO_DRIVER=epoll")
	p := start(t, cmd)
	if line := p.line("listening"); !strings.Contains(line, " driver=epoll ") {
		t.Errorf("%q, want driver=epoll", line)
	}
	if line := p.line("driver epoll: "); line != "driver epoll: RINGO_DRIVER asks for it" {
		t.Errorf("%q, want who asks", line)
	}
	p.finish()
}

// TestRefusedProbe: the report is made all the same, and says what to change.
func TestRefusedProbe(t *testing.T) {
	t.Parallel()
	const advice = "let the seccomp filter allow io_uring_setup, io_uring_enter and io_uring_register"
	for _, r := range refusals {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			needUring(t)
			stdout, stderr, code := runTool(t, denied(t, r.policy, "probe"))
			if code != 0 || stderr != "" {
				t.Errorf("exit code %d, stderr %q; want 0, none", code, stderr)
			}
			for _, want := range []string{"auto takes epoll: uring: " + r.cause(), "io_uring +refused: " + r.cause(),
				"a filter is active", advice} {
				if !matches(want, stdout) {
					t.Errorf("no %s in the report:\n%s", want, stdout)
				}
			}
			f := probeJSON(t, denied(t, r.policy, "probe", "-json"))
			if f.Auto.Driver != "epoll" || f.Uring.Usable || f.Uring.Refusal == nil || len(f.Advice) == 0 ||
				!strings.HasPrefix(f.Advice[0], advice) {
				t.Fatalf("driver %q, usable %t, refusal %v, advice %q", f.Auto.Driver, f.Uring.Usable,
					f.Uring.Refusal, f.Advice)
			}
			if got := *f.Uring.Refusal; !strings.HasPrefix(got.Step, r.step) ||
				got.Error != r.errno || got.Hint != r.hint {
				t.Errorf("refusal %+v, want %+v", got, r)
			}
		})
	}
}

// TestRefusedProbeExplicit: a report on a program that can't run here ends with 1.
func TestRefusedProbeExplicit(t *testing.T) {
	t.Parallel()
	needUring(t)
	cmd := denied(t, seccomptest.DenyUring(), "probe", "-json")
	cmd.Env = append(cmd.Env, "RINGO_DRIVER=uring")
	stdout, stderr, code := runTool(t, cmd)
	if code != 1 || !strings.HasPrefix(stderr, "ringo probe: RINGO_DRIVER asks for uring: uring: io_uring_setup") {
		t.Errorf("exit code %d, stderr %q; want 1 and why", code, stderr)
	}
	var f probe.Finding
	if err := json.Unmarshal([]byte(stdout), &f); err != nil {
		t.Fatal(err)
	}
	if o := f.Override; o == nil || o.Asked != "uring" || !strings.HasPrefix(o.Step, "io_uring_setup") ||
		o.Driver != "" {
		t.Errorf("override %+v, want uring refused at io_uring_setup", o)
	}
	if len(f.Advice) != 2 || f.Advice[0] != "unset RINGO_DRIVER: auto takes epoll" {
		t.Errorf("advice %q", f.Advice)
	}
}
