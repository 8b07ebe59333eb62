//go:build netbsd

package sys

const (
	haveReceipt  = false
	filterExcept = -1 // there is none; 0 is EVFILT_READ here
	noteOOB      = 0
)

func tellsEnd(int32) bool { return true }
