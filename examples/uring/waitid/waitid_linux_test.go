//go:build linux

package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ringo/internal/test/testmain"
	"ringo/uring"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// TestRun: each way of a child's to end is told, and no child is left.
func TestRun(t *testing.T) {
	r, err := uring.ProbeFor(nil)
	if err == nil {
		err = r.Require()
	}
	if err != nil {
		t.Skip("no io_uring here: ", err)
	}
	if !r.Ops.Has(uring.OpWaitid) {
		t.Skip("needs WAITID, Linux 6.7")
	}
	var out bytes.Buffer
	if err := run(&out, []string{"exit 0", "exit 7", "kill -9 $$"}); err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	slices.Sort(got) // they end in any order
	want := []string{"exit 0: exit code 0", "exit 7: exit code 7", "kill -9 $$: killed by killed"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("child %d is left: %v", pid, err)
	}
	if err := run(&out, make([]string, atOnce+1)); err == nil {
		t.Error("too many: no error")
	}
}
