//go:build !plan9

package cli

import (
	"os"
	"syscall"
)

// number returns a signal's number, if it has one.
func number(s os.Signal) (int, bool) {
	n, ok := s.(syscall.Signal)
	return int(n), ok
}
