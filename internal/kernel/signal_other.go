//go:build !plan9

package kernel

import "syscall"

// NoSignal is a signal that does nothing: sending it shows whether a process exists.
const NoSignal = syscall.Signal(0)
