package uring

import (
	"fmt"
	"math/bits"
	"os"
	"unsafe"

	"ringo/internal/abi"
)

// ringHeader is what the words of both rings take before the CQEs. IORING_QUERY says so since 6.19 (QueryRings); it has
// been 64 bytes ever since there is NO_MMAP.
const ringHeader = 64

// MemorySize returns how many bytes Config.Memory needs for a ring with the given entries and configuration; cfg may be
// nil. It is a multiple of the page size. If Memory is not a huge page, this is also what counts against RLIMIT_MEMLOCK
// for a ring. Any goroutine may call it.
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

// memory returns the bytes that the SQEs take and those of the rings, each in pages of its own.
func (c *Config) memory(entries int) (sqes, rings int) {
	sq := powerOfTwo(entries)
	cq := powerOfTwo(c.cqEntries(entries))
	page := os.Getpagesize()
	f := c.flags()
	sqes = roundUp(sq<<sqeShift(f), page)
	// The array of indices is counted always: whether the kernel can do without it, only setup tells.
	rings = roundUp(ringHeader+cq<<cqeShift(f)+4*sq, page)
	return sqes, rings
}

// cqEntries is the CQ's size to ask for.
func (c *Config) cqEntries(entries int) int {
	if c.CQEntries != 0 {
		return c.CQEntries
	}
	return min(4*entries, CQEntriesMax)
}

func powerOfTwo(n int) int { return 1 << bits.Len(uint(n-1)) }

// checkMemory looks at the memory of the caller's.
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

// lend tells the kernel where the caller's memory is: the SQEs first, then both rings.
func (c *Config) lend(p *abi.Io_uring_params, entries int) {
	if c.Memory == nil {
		return
	}
	sqes, _ := c.memory(entries)
	base := unsafe.Pointer(unsafe.SliceData(c.Memory))
	p.Sq_off.Resv2 = ptr(base)
	p.Cq_off.Resv2 = ptr(unsafe.Add(base, sqes))
}

// overlap says whether two pieces of memory have a byte in common.
func overlap(a, b []byte) bool {
	from, at := uintptr(unsafe.Pointer(unsafe.SliceData(a))), uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return at < from+uintptr(len(a)) && from < at+uintptr(len(b))
}
