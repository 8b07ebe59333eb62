//go:build linux

package proc

import "syscall"

// bound reports whether a asks for something that is tied to the thread that starts the process: only that thread can
// trace it (Ptrace), and Pdeathsig is sent when that thread ends, not when the program does (prctl(2)).
func bound(a *syscall.SysProcAttr) bool { return a.Ptrace || a.Pdeathsig != 0 }
