package measure

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

// RSS returns the process's resident memory in bytes, VmRSS of /proc/PID/status.
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

// DiskRead returns how many bytes were read from disks for the process: read_bytes of /proc/PID/io.
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

// Busy returns the time for which the machine's CPUs have not been idle, summed over the CPUs, in steps of 10 ms: from
// /proc/stat.
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
