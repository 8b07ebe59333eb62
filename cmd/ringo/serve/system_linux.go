//go:build linux

package serve

import (
	"os"
	"syscall"
)

// hangUp is the signal at which the access log is opened again.
var hangUp os.Signal = syscall.SIGHUP
