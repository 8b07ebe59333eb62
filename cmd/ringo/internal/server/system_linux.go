//go:build linux

package server

import (
	"os"
	"syscall"
)

// HangUp is the signal at which files are read, or opened, again.
var HangUp os.Signal = syscall.SIGHUP
