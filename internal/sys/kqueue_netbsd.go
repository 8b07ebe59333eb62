//go:build netbsd

package sys

const (
	haveReceipt  = false
	filterExcept = -1 // there is none
	noteOOB      = 0
)

func tellsEnd(int32) bool { return true }
