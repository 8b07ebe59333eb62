//go:build unix

package server

import (
	"os"
	"syscall"
)

// HangUp is the signal at which files are read or opened again, or with -config a successor starts.
var HangUp os.Signal = syscall.SIGHUP
