//go:build !linux

package proc

import "syscall"

// bound reports whether a asks for something that is tied to the thread that starts the process: only on Linux.
func bound(*syscall.SysProcAttr) bool { return false }
