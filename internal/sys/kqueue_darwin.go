//go:build darwin

package sys

import "golang.org/x/sys/unix"

const (
	haveReceipt  = true
	filterExcept = unix.EVFILT_EXCEPT
	noteOOB      = unix.NOTE_OOB
)

// tellsEnd reports whether kqueue reports the end of what comes on fd. It does not for a FIFO whose last writer has
// gone (go#24164), but does for a pipe. A pipe has no device: pipe_stat in xnu's bsd/kern/sys_pipe.c leaves that at
// zero.
func tellsEnd(fd int32) bool {
	var st unix.Stat_t
	return unix.Fstat(int(fd), &st) != nil || st.Mode&SIfmt != SIfifo || st.Dev == 0
}
