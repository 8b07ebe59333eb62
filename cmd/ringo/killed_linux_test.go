//go:build linux

package main

import (
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"ringo/internal/test/seccomptest"
)

// A filter that kills gives no error to go by: the first look at io_uring is the
// end, and only who says so before is safe. That is what the docs promise.
func TestKilled(t *testing.T) {
	needUring(t)
	for _, driver := range []string{"epoll", "poll", "select"} {
		cmd := denied(t, seccomptest.KillUring(), "echo", "-listen", anyPort)
		cmd.Env = append(cmd.Env, "RINGO_DRIVER="+driver)
		p := start(t, cmd)
		addr := p.addr()
		if line := p.line("listening"); !strings.Contains(line, " driver="+driver+" ") {
			t.Errorf("%q, want driver=%s", line, driver)
		}
		exchangeAll(t, addr, 1, 64, 10_000)
		p.finish()
	}
	err := denied(t, seccomptest.KillUring(), "echo", "-listen", anyPort).Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGSYS {
		t.Errorf("auto ended with %v: the filter does not kill, and this test shows nothing", err)
	}
}
