//go:build linux

package proc

import "syscall"

// bound reports whether what is asked for holds for the thread that starts the process.
func bound(a *syscall.SysProcAttr) bool { return a.Ptrace || a.Pdeathsig != 0 }
