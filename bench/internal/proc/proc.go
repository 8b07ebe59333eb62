//go:build linux

// Package proc reads what the kernel has accounted to another process, CPU time and resident memory, and to the
// machine.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is the run time of all threads that the process has or had, in user space and in the kernel. It is the sum of
// what /proc/PID/task/*/schedstat shows, up to date to the nanosecond for a thread that runs now, and it keeps the time
// of threads that have ended (Linux 2.6.12, clock_getcpuclockid(3)).
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

// SchedstatCPU is the run time of the process's present threads as /proc/PID/task/*/schedstat shows it: a running
// thread's share is up to one tick old, and ended threads are missing. It is the cross-check of CPU.
func SchedstatCPU(pid int) (time.Duration, error) {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	threads, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, t := range threads {
		b, err := os.ReadFile(dir + "/" + t.Name() + "/schedstat")
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // ended since the directory was read
		}
		if err != nil {
			return 0, err
		}
		field, _, _ := bytes.Cut(b, []byte(" "))
		ns, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s/%s/schedstat: %w", dir, t.Name(), err)
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

// RSS is the process's resident memory in bytes, VmRSS of /proc/PID/status.
func RSS(pid int) (int64, error) {
	name := fmt.Sprintf("/proc/%d/status", pid)
	b, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(b) {
		var kb int64
		if _, err := fmt.Sscanf(string(line), "VmRSS: %d kB", &kb); err == nil {
			return kb << 10, nil
		}
	}
	return 0, fmt.Errorf("%s has no VmRSS (a kernel thread or a zombie)", name)
}

// DiskRead is how many bytes the process has had disks read for it: read_bytes of /proc/PID/io.
func DiskRead(pid int) (int64, error) {
	name := fmt.Sprintf("/proc/%d/io", pid)
	b, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(b) {
		var n int64
		if _, err := fmt.Sscanf(string(line), "read_bytes: %d", &n); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%s has no read_bytes", name)
}

// Busy is the time for which the machine's CPUs, taken together, have not been idle, in steps of 10 ms: /proc/stat.
func Busy() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	var user, nice, system, idle, iowait, irq, softirq, steal int64
	if _, err := fmt.Sscanf(string(b), "cpu %d %d %d %d %d %d %d %d",
		&user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal); err != nil {
		return 0, fmt.Errorf("/proc/stat: %w", err)
	}
	const tick = time.Second / 100 // USER_HZ, which is 100 on every architecture that Go runs on
	return time.Duration(user+nice+system+irq+softirq+steal) * tick, nil
}
