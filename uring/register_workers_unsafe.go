package uring

import (
	"fmt"
	"unsafe"

	"ringo/internal/abi"
)

// IOWQMaxWorkers bounds the kernel's worker threads of this thread's rings: bounded ones serve files and block devices,
// unbounded ones everything else that cannot wait by poll. 0 keeps a bound. It returns the previous bounds.
//
// Only the owner may call it. Since Linux 5.15. See io_uring_register_iowq_max_workers(3).
func (r *Ring) IOWQMaxWorkers(bounded, unbounded uint32) (oldBounded, oldUnbounded uint32, err error) {
	n := [2]uint32{bounded, unbounded}
	_, err = r.register("io_uring_register(IOWQ_MAX_WORKERS)", abi.IORING_REGISTER_IOWQ_MAX_WORKERS,
		unsafe.Pointer(&n), len(n))
	return n[0], n[1], err
}

// RegisterIOWQAffinity keeps the kernel's worker threads of this thread's rings on the processors with these numbers,
// or, with Config.SQPoll, those of the polling thread. EINVAL: a processor that this thread may not use.
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

// cpuMax bounds the processors of a set, as glibc does. The set's words are longs, whose bytes stand in the same order
// on machines of 64 bits and on small-endian ones of 32.
const cpuMax = 1024

// UnregisterIOWQAffinity undoes RegisterIOWQAffinity.
//
// Only the owner may call it. Since Linux 5.14. See io_uring_unregister_iowq_aff(3).
func (r *Ring) UnregisterIOWQAffinity() error {
	_, err := r.register("io_uring_unregister(IOWQ_AFF)", abi.IORING_UNREGISTER_IOWQ_AFF, nil, 0)
	return err
}
