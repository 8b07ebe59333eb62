//go:build linux && !portable

package sys

import "golang.org/x/sys/unix"

// CPUs lists the processors that a thread may use, in ascending order; tid 0 is the calling thread.
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

// SetCPUs binds a thread to processors; tid 0 is the calling thread, which its goroutine must have locked.
func SetCPUs(tid int, cpus []int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	return unix.SchedSetaffinity(tid, &set)
}
