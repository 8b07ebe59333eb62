//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// inGroup gives a test, made by exec.CommandContext, a group of processes of its own. It returns the function that
// kills what is left of it.
func inGroup(test *exec.Cmd) (end func()) {
	test.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	end = func() {
		if test.Process != nil {
			syscall.Kill(-test.Process.Pid, syscall.SIGKILL)
		}
	}
	test.Cancel = func() error { end(); return nil }
	return end
}
