//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ringo/examples/programs/internal/rig"
)

// What quic-go does on sockets of package net it does here, too: packets leave many at once (UDP_SEGMENT), with their
// marks of congestion (the TOS), arrive with them, and are fetched several at a time. The kernel's side of it is what
// strace saw of TestBodies.
func TestOffloads(t *testing.T) {
	if out, err := exec.Command("strace", "-f", "--seccomp-bpf", "-o", "/dev/null",
		"true").CombinedOutput(); err != nil {
		t.Skipf("strace: %v\n%s", err, out) // a debugger may hold us, and a container forbid it
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	each := func(t *testing.T, driver, way string) {
		file := filepath.Join(t.TempDir(), "calls")
		traced := exec.Command("strace", "-f", "--seccomp-bpf", "-qq", "-e", "signal=none", "-e",
			"trace=sendmsg,recvmmsg", "-o", file, self, "-test.run", "^TestBodies$/^"+driver+"$/^"+way+"$",
			"-test.count", "1")
		rig.Within(t, func() {
			if out, err := traced.CombinedOutput(); err != nil {
				t.Fatalf("TestBodies under strace: %v\n%s", err, out)
			}
		})
		calls, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for what, sign := range signs {
			n := 0
			for call := range strings.Lines(string(calls)) {
				if has(call, sign) {
					n++
				}
			}
			if n == 0 {
				t.Errorf("no call of the kernel %s", what)
			}
			t.Logf("%d calls %s", n, what)
		}
	}
	rig.EachDriver(t, drivers, func(t *testing.T, driver string) {
		for _, way := range ways {
			t.Run(way.name, func(t *testing.T) { each(t, driver, way.name) })
		}
	})
}

// signs are parts of what strace says of a call, which come in this order. An older strace has a number for
// UDP_SEGMENT.
var signs = map[string][]*regexp.Regexp{
	"sent several packets with UDP_SEGMENT": parts(`sendmsg\(`, `iov_len=[2-9][0-9]{3}`,
		`cmsg_type=(0x67|UDP_SEGMENT)`),
	"sent with ECN in the TOS":   parts(`sendmsg\(`, `cmsg_type=IP_TOS, cmsg_data=\[0x2\]`),
	"received with the TOS":      parts(`recvmmsg`, `cmsg_type=IP_TOS, cmsg_data=\[0x2\]`),
	"received several at a time": parts(`recvmmsg`, `= [2-9]\n`),
}

func parts(patterns ...string) (all []*regexp.Regexp) {
	for _, p := range patterns {
		all = append(all, regexp.MustCompile(p))
	}
	return all
}

func has(text string, sign []*regexp.Regexp) bool {
	for _, p := range sign {
		at := p.FindStringIndex(text)
		if at == nil {
			return false
		}
		text = text[at[1]:]
	}
	return true
}
