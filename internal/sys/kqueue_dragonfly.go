//go:build dragonfly

package sys

import "golang.org/x/sys/unix"

const (
	haveReceipt  = true
	filterExcept = unix.EVFILT_EXCEPT
	noteOOB      = unix.NOTE_OOB
)

func tellsEnd(int32) bool { return true }
