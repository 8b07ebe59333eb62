//go:build linux

package measure

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// CPU returns the run time of all threads that the process has or had, in user space and in the kernel. It is the sum
// of the times in /proc/PID/task/*/schedstat, but is up to date to the nanosecond for a thread that runs now, and
// includes threads that have ended (Linux 2.6.12, clock_getcpuclockid(3)).
func CPU(pid int) (time.Duration, error) {
	const perProcessSched = 2 // CPUCLOCK_SCHED without CPUCLOCK_PERTHREAD_MASK
	if pid <= 0 {
		return 0, fmt.Errorf("CPU clock: %d is no process id", pid)
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^uint32(pid))<<3|perProcessSched, &ts); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}
