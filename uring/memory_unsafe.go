package uring

import (
	"fmt"
	"math/bits"
	"os"
	"unsafe"

	"ringo/internal/abi"
)

// ringHeader is how many bytes the control words of both rings take before the CQEs. The kernel reports this since 6.19
// (QueryRings); it has been 64 in every kernel that has NO_MMAP.
const ringHeader = 64

// MemorySize returns how many bytes Config.Memory needs for a ring with the given entries and configuration; cfg may be
// nil. The result is a multiple of the page size. Unless Memory is a huge page, the ring also counts with this many
// bytes against RLIMIT_MEMLOCK. Any goroutine may call it.
func MemorySize(entries int, cfg *Config) (int, error) {
	if cfg == nil {
		cfg = &Config{}
	}
	sized := *cfg
	sized.Memory = nil
	if err := sized.check(entries); err != nil {
		return 0, err
	}
	sqes, rings := sized.memory(entries)
	return sqes + rings, nil
}

// memory returns how many bytes the SQEs take and how many the rings, each rounded up to whole pages.
func (c *Config) memory(entries int) (sqes, rings int) {
	sq := powerOfTwo(entries)
	cq := powerOfTwo(c.cqEntries(entries))
	page := os.Getpagesize()
	f := c.flags()
	sqes = roundUp(sq<<sqeShift(f), page)
	// Always count the array of indices: only setup shows whether the kernel can do without it.
	rings = roundUp(ringHeader+cq<<cqeShift(f)+4*sq, page)
	return sqes, rings
}

// cqEntries returns the CQ size to ask for.
func (c *Config) cqEntries(entries int) int {
	if c.CQEntries != 0 {
		return c.CQEntries
	}
	return min(4*entries, CQEntriesMax)
}

func powerOfTwo(n int) int { return 1 << bits.Len(uint(n-1)) }

// checkMemory checks the size and the alignment of Memory.
func (c *Config) checkMemory(entries int) error {
	if c.Memory == nil || entries < EntriesMin || entries > EntriesMax {
		return nil
	}
	sqes, rings := c.memory(entries)
	page := os.Getpagesize()
	if at := uintptr(unsafe.Pointer(unsafe.SliceData(c.Memory))); len(c.Memory) < sqes+rings || at%uintptr(page) != 0 {
		return fmt.Errorf("uring: Memory of %d bytes at %#x: want %d at least, aligned to %d", len(c.Memory), at,
			sqes+rings, page)
	}
	return nil
}

// lend stores in p where the caller's memory is: first the SQEs, then both rings.
func (c *Config) lend(p *abi.Io_uring_params, entries int) {
	if c.Memory == nil {
		return
	}
	sqes, _ := c.memory(entries)
	base := unsafe.Pointer(unsafe.SliceData(c.Memory))
	p.Sq_off.Resv2 = ptr(base)
	p.Cq_off.Resv2 = ptr(unsafe.Add(base, sqes))
}

// overlap reports whether two pieces of memory have a byte in common.
func overlap(a, b []byte) bool {
	from, at := uintptr(unsafe.Pointer(unsafe.SliceData(a))), uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return at < from+uintptr(len(a)) && from < at+uintptr(len(b))
}
