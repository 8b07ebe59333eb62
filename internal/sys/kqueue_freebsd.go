//go:build freebsd

package sys

const (
	haveReceipt  = true
	filterExcept = 0 // there is none
	noteOOB      = 0
)

func tellsEnd(int32) bool { return true }
