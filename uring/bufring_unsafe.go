package uring

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"ringo/internal/abi"
)

// A BufRing is a group of buffers lent to the kernel, which picks one when data is there and not before. The ring is a
// queue of entries (address, length, id) that this side fills and the kernel takes from:
//
//	Add, Add, …  write entries behind the tail, unseen
//	Commit       moves the tail: the kernel may use them
//	a CQE with CQEBuffer and an id: that buffer is ours again, until it is added again
//
// It belongs to its Ring's owner, as the Ring does.
type BufRing struct {
	r       *Ring
	entries unsafe.Pointer // *[mask+1]abi.Io_uring_buf
	mask    uint32
	next    uint16 // entries added; the tail is what the kernel was shown of it
	bid0    uint16 // id in entry 0, whose last two bytes are the tail
	group   uint16
	closed  bool
	ring    region

	arena region // buffers of our own, if any
	size  int    // bytes each
	count int
}

const bufSize = 16

// The most that a buffer ring can hold.
const BufRingMax = 32768

// RegisterBufRing makes an empty buffer ring for the group with room for so many entries, a power of two from 2 to
// BufRingMax (Linux 5.19). The group's number is the caller's choice and stands in the SQEs that pick from it. EEXIST:
// the ring has this group already; EINVAL: an older kernel. See io_uring_register(2), IORING_REGISTER_PBUF_RING.
//
// Only the owner of r may call it, and what it returns.
func (r *Ring) RegisterBufRing(group uint16, entries int) (*BufRing, error) {
	if entries < 2 || entries > BufRingMax || entries&(entries-1) != 0 {
		return nil, fmt.Errorf("uring: buffer ring of %d entries: want a power of two from 2 to %d", entries,
			BufRingMax)
	}
	step := fmt.Sprintf("io_uring_register(PBUF_RING, group %d, %d entries)", group, entries)
	size := roundUp(entries*bufSize, os.Getpagesize())
	p, errno := r.sysMap(-1, 0, size)
	if errno != 0 {
		return nil, setupError(step+": mmap", errno)
	}
	reg := abi.Io_uring_buf_reg{Ring_addr: ptr(p), Ring_entries: uint32(entries), Bgid: group}
	if _, err := r.register(step, abi.IORING_REGISTER_PBUF_RING, unsafe.Pointer(&reg), 1); err != nil {
		r.sysUnmap(p, size)
		return nil, err
	}
	return &BufRing{r: r, entries: p, mask: uint32(entries) - 1, group: group, ring: region{p, size}}, nil
}

// BufRing makes a buffer ring with n buffers of size bytes in memory of its own, outside the Go heap, and lends all of
// them to the kernel. n is 1 to BufRingMax; the ring has the next power of two as entries. Ids are 0 to n-1: Bytes(id)
// is the buffer, Return(id) lends it again.
func (r *Ring) BufRing(group uint16, n, size int) (*BufRing, error) {
	if n < 1 || n > BufRingMax || size < 1 || size > maxArena/n {
		return nil, fmt.Errorf("uring: %d buffers of %d bytes: want 1 to %d buffers, and %d bytes in all at most",
			n, size, BufRingMax, maxArena)
	}
	entries := 2
	for entries < n {
		entries *= 2
	}
	b, err := r.RegisterBufRing(group, entries)
	if err != nil {
		return nil, err
	}
	total := roundUp(n*size, os.Getpagesize())
	p, errno := r.sysMap(-1, 0, total)
	if errno != 0 {
		b.Close()
		return nil, setupError(fmt.Sprintf("mmap(%d buffers of %d bytes)", n, size), errno)
	}
	b.arena, b.size, b.count = region{p, total}, size, n
	for id := range n {
		b.Add(b.Bytes(uint16(id)), uint16(id))
	}
	b.Commit()
	return b, nil
}

// maxArena bounds a BufRing's memory, so that sizes fit an int on 32-bit machines.
const maxArena = 1 << 30

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// Group is the number that SQEs pick from this ring by.
func (b *BufRing) Group() uint16 { return b.group }

// Entries is how many buffers can be lent at a time.
func (b *BufRing) Entries() int { return int(b.mask) + 1 }

// Add puts a buffer behind those lent, under an id for the CQE. The kernel does not see it before Commit. No Go pointer
// is kept: mem must be on the heap or off it, reachable, and left alone until a CQE has brought the id back or the
// BufRing is closed. No more than Entries may be lent at a time; the caller counts.
func (b *BufRing) Add(mem []byte, bid uint16) {
	i := uint32(b.next) & b.mask
	b.next++
	e := (*abi.Io_uring_buf)(unsafe.Add(b.entries, uintptr(i)*bufSize))
	e.Addr = ptr(unsafe.Pointer(unsafe.SliceData(mem)))
	e.Len = uint32(min(len(mem), maxIO))
	if i == 0 {
		b.bid0 = bid // shares a word with the tail; Commit writes both
		return
	}
	e.Bid = bid
}

// Commit shows the kernel what was added.
//
// The tail is 16 bits, which Go cannot store atomically. It shares a 32-bit word with the id in entry 0, which only
// this side writes, so both go out at once. The store releases the entries; the kernel acquires the tail.
func (b *BufRing) Commit() {
	word := uint32(b.bid0) | uint32(b.next)<<16
	if abi.BigEndian {
		word = uint32(b.bid0)<<16 | uint32(b.next)
	}
	(*atomic.Uint32)(unsafe.Add(b.entries, bufSize-4)).Store(word)
}

// Bytes is the buffer with this id; only of a ring made by Ring.BufRing. It is the kernel's from Return until a CQE
// brings the id back, and gone after Close.
func (b *BufRing) Bytes(bid uint16) []byte {
	if int(bid) >= b.count {
		b.panicID(bid)
	}
	return unsafe.Slice((*byte)(unsafe.Add(b.arena.p, int(bid)*b.size)), b.size)
}

func (b *BufRing) panicID(bid uint16) {
	panic(fmt.Sprintf("uring: buffer %d of group %d, which has %d", bid, b.group, b.count))
}

// Return lends the buffer with this id to the kernel again, at once. It must have come back in a CQE, and be returned
// once. For many, Add(b.Bytes(id), id) each and one Commit are cheaper.
func (b *BufRing) Return(bid uint16) {
	b.Add(b.Bytes(bid), bid)
	b.Commit()
}

// Close takes the group away and frees the memory. It may be called more than once, before the Ring's Close or after.
// Requests that pick from the group must have ended: the kernel could still write into a buffer that one of them took.
func (b *BufRing) Close() error {
	if b.closed {
		return nil
	}
	b.closed = true
	var err error
	if !b.r.closed { // else the group went with the ring
		reg := abi.Io_uring_buf_reg{Bgid: b.group}
		_, err = b.r.register(fmt.Sprintf("io_uring_unregister(PBUF_RING, group %d)", b.group),
			abi.IORING_UNREGISTER_PBUF_RING, unsafe.Pointer(&reg), 1)
	}
	for _, m := range []region{b.ring, b.arena} {
		if m.p == nil {
			continue
		}
		if errno := b.r.sysUnmap(m.p, m.size); errno != 0 && err == nil {
			err = setupError("munmap", errno)
		}
	}
	b.entries, b.count = nil, 0
	return err
}
