//go:build linux && !portable

package sys

import "golang.org/x/sys/unix"

// CPUs lists the processors that a thread may use, in ascending order; 0 is the calling one.
func CPUs(tid int) ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(tid, &set); err != nil {
		return nil, err
	}
	cpus := make([]int, 0, set.Count())
	for cpu := 0; len(cpus) < cap(cpus); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// SetCPUs binds a thread to processors; 0 is the calling one, which its goroutine must have locked before.
func SetCPUs(tid int, cpus []int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	return unix.SchedSetaffinity(tid, &set)
}
