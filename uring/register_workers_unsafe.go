package uring

import (
	"fmt"
	"unsafe"

	"ringo/internal/abi"
)

// IOWQMaxWorkers limits the number of the kernel's worker threads for this thread's rings. Bounded ones serve files and
// block devices, unbounded ones everything else that can't wait by poll. 0 keeps a limit. It returns the previous
// limits.
//
// Only the owner may call it. Since Linux 5.15. See io_uring_register_iowq_max_workers(3).
func (r *Ring) IOWQMaxWorkers(bounded, unbounded uint32) (oldBounded, oldUnbounded uint32, err error) {
	n := [2]uint32{bounded, unbounded}
	_, err = r.register("io_uring_register(IOWQ_MAX_WORKERS)", abi.IORING_REGISTER_IOWQ_MAX_WORKERS,
		unsafe.Pointer(&n), len(n))
	return n[0], n[1], err
}

// RegisterIOWQAffinity keeps the kernel's worker threads of this thread's rings on the processors with these numbers;
// with Config.SQPoll, the worker threads of the polling thread. EINVAL: a processor that this thread may not use.
//
// Only the owner may call it. Since Linux 5.14. See io_uring_register_iowq_aff(3).
func (r *Ring) RegisterIOWQAffinity(cpus []int) error {
	step := fmt.Sprintf("io_uring_register(IOWQ_AFF, %v)", cpus)
	var set [cpuMax / 64]uint64
	for _, cpu := range cpus {
		if cpu < 0 || cpu >= cpuMax {
			return fmt.Errorf("uring: %s: want processors 0 to %d", step, cpuMax-1)
		}
		set[cpu/64] |= 1 << (cpu % 64)
	}
	_, err := r.register(step, abi.IORING_REGISTER_IOWQ_AFF, unsafe.Pointer(&set), int(unsafe.Sizeof(set)))
	return err
}

// cpuMax limits the processors of a set, as glibc does. The kernel's set consists of longs. Their bytes are in the same
// order as those of this array of 64-bit words, on 64-bit machines and on little-endian 32-bit ones.
const cpuMax = 1024

// UnregisterIOWQAffinity undoes RegisterIOWQAffinity.
//
// Only the owner may call it. Since Linux 5.14. See io_uring_unregister_iowq_aff(3).
func (r *Ring) UnregisterIOWQAffinity() error {
	_, err := r.register("io_uring_unregister(IOWQ_AFF)", abi.IORING_UNREGISTER_IOWQ_AFF, nil, 0)
	return err
}
