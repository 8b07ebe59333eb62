//go:build darwin

package sys

import "golang.org/x/sys/unix"

const (
	haveReceipt  = true
	filterExcept = unix.EVFILT_EXCEPT
	noteOOB      = unix.NOTE_OOB
)

// tellsEnd reports whether the end of what comes on fd is told. That a FIFO's last writer has gone is not (go#24164),
// that a pipe's has, is. A pipe is of no device: pipe_stat in xnu's bsd/kern/sys_pipe.c leaves that at zero.
func tellsEnd(fd int32) bool {
	var st unix.Stat_t
	return unix.Fstat(int(fd), &st) != nil || st.Mode&SIfmt != SIfifo || st.Dev == 0
}
