//go:build plan9

package kernel

import "syscall"

// NoSignal is a signal that does nothing: to send it says whether there is a process.
const NoSignal = syscall.Note("")
