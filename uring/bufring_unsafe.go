package uring

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
)

// A BufRing is a group of buffers that the program lends to the kernel; the kernel picks one only when there is data.
// The ring is a queue of entries (address, length, id) that the program fills and the kernel takes from:
//
//	Add, Add, …  write entries behind the tail, where the kernel does not look
//	Commit       moves the tail: the kernel may use them
//	a CQE with CQEBuffer and an id: the program owns that buffer, until it is added again
//
// It belongs to its Ring's owner, as the Ring does.
type BufRing struct {
	r       *Ring
	entries unsafe.Pointer // *[mask+1]abi.Io_uring_buf
	mask    uint32
	next    uint16 // entries added; the tail is how many of them the kernel has been shown
	bid0    uint16 // id in entry 0; the entry's last two bytes are the tail
	group   uint16
	closed  bool
	ring    region

	arena region // the ring's own buffers, if any
	size  int    // bytes each
	count int

	used  []uint32 // of each buffer of an incremental ring, how many bytes the kernel has filled
	after []uint16 // of each buffer of a ring with Bundles, the buffer lent after it
	last  uint16   // the buffer lent last
}

const bufSize = 16

// BufRingMax is the maximum number of buffers in a buffer ring.
const BufRingMax = 32768

// BufRingConfig configures a buffer ring.
type BufRingConfig struct {
	// Group is the number by which SQEs name the ring, chosen by the caller.
	Group uint16

	// Entries is how many buffers can be lent at a time, a power of two from 2 to BufRingMax. 0 means the smallest that
	// is enough for Buffers.
	Entries int

	// Buffers is how many buffers the ring has, each of Size bytes, in memory of its own outside the Go heap.
	// OpenBufRing lends all of them to the kernel; their ids are 0 to Buffers-1. 0 means none: the caller adds its own.
	Buffers, Size int

	// Incremental makes the kernel use only the part of a buffer that it needs, and continue behind it the next time
	// (Linux 6.12): CQEBufMore in a CQE says that the kernel still owns the rest. Parts keeps count of this, and
	// PartsOf does for entries whose length the kernel counts, such as reads of files. Don't use MSG_TRUNC with such
	// rings: the kernel then counts bytes that it has not stored, across buffers that no CQE reports. See BufRing.Parts
	// for kernels with a bug.
	Incremental bool

	// MinLeft is the least number of bytes that may remain in an incremental buffer: with fewer the kernel gives the
	// buffer up (Linux 7.1, and 6.18's stable releases), so that a message header does not get a rest of three bytes.
	MinLeft int

	// Bundles makes the ring remember in what order buffers were lent. Parts needs this for receives into several
	// buffers (SQE.SetBundle). It requires Buffers.
	Bundles bool

	// Mapped makes the kernel allocate the ring's queue, which OpenBufRing then maps (Linux 6.4). It changes nothing in
	// use, only what counts against RLIMIT_MEMLOCK. It does not work for a Ring that has closed its descriptor.
	Mapped bool
}

// RegisterBufRing makes an empty buffer ring for the group with the given number of entries, a power of two from 2 to
// BufRingMax. EEXIST: the Ring has this group already; EINVAL: an older kernel.
//
// Only the owner may call it, and what it returns. Since Linux 5.19. See io_uring_setup_buf_ring(3).
func (r *Ring) RegisterBufRing(group uint16, entries int) (*BufRing, error) {
	return r.registerBufRing(&BufRingConfig{Group: group, Entries: entries})
}

// BufRing makes a buffer ring with n buffers of size bytes in memory of its own, outside the Go heap, and lends all of
// them to the kernel. n is 1 to BufRingMax; the ring has the next power of two as entries, 2 at least. Ids are 0 to
// n-1: Bytes(id) is the buffer, Return(id) lends it again.
//
// Only the owner may call it, and what it returns. Since Linux 5.19. See io_uring_setup_buf_ring(3).
func (r *Ring) BufRing(group uint16, n, size int) (*BufRing, error) {
	if n < 1 {
		return nil, fmt.Errorf("uring: %d buffers: want 1 at least", n)
	}
	return r.OpenBufRing(BufRingConfig{Group: group, Buffers: n, Size: size})
}

// OpenBufRing makes a buffer ring. EEXIST: the Ring has this group already; EINVAL: this kernel lacks something that
// cfg asks for.
//
// Only the owner may call it, and what it returns. Since Linux 5.19. See io_uring_register_buf_ring(3).
func (r *Ring) OpenBufRing(cfg BufRingConfig) (*BufRing, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	b, err := r.registerBufRing(&cfg)
	if err != nil || cfg.Buffers == 0 {
		return b, err
	}
	total := roundUp(cfg.Buffers*cfg.Size, os.Getpagesize())
	p, errno := r.sysFresh(total)
	if errno != 0 {
		b.Close()
		return nil, setupError(fmt.Sprintf("mmap(%d buffers of %d bytes)", cfg.Buffers, cfg.Size), errno)
	}
	b.arena, b.size, b.count = region{p: p, size: total}, cfg.Size, cfg.Buffers
	if cfg.Bundles {
		b.after = make([]uint16, cfg.Buffers)
	}
	if cfg.Incremental {
		b.used = make([]uint32, cfg.Buffers)
	}
	for id := range cfg.Buffers {
		b.Add(b.Bytes(uint16(id)), uint16(id))
	}
	b.Commit()
	return b, nil
}

func (cfg *BufRingConfig) check() error {
	if n := cfg.Buffers; n != 0 && (n < 0 || n > BufRingMax || cfg.Size < 1 || cfg.Size > maxArena/n) {
		return fmt.Errorf("uring: %d buffers of %d bytes: want 0 to %d buffers, and %d bytes in all at most",
			n, cfg.Size, BufRingMax, maxArena)
	}
	if cfg.Entries == 0 {
		cfg.Entries = max(2, powerOfTwo(cfg.Buffers))
	}
	if cfg.Entries < cfg.Buffers {
		return fmt.Errorf("uring: buffer ring of %d entries for %d buffers", cfg.Entries, cfg.Buffers)
	}
	if cfg.Bundles && cfg.Buffers == 0 {
		return errors.New("uring: buffer ring with Bundles: want Buffers")
	}
	if cfg.MinLeft < 0 || cfg.MinLeft > maxArena || cfg.MinLeft > 0 && !cfg.Incremental {
		return fmt.Errorf("uring: buffer ring with MinLeft %d: want a positive number, and Incremental", cfg.MinLeft)
	}
	return nil
}

func (r *Ring) registerBufRing(cfg *BufRingConfig) (*BufRing, error) {
	entries := cfg.Entries
	if entries < 2 || entries > BufRingMax || entries&(entries-1) != 0 {
		return nil, fmt.Errorf("uring: buffer ring of %d entries: want a power of two from 2 to %d", entries,
			BufRingMax)
	}
	step := fmt.Sprintf("io_uring_register(PBUF_RING, group %d, %d entries)", cfg.Group, entries)
	size := roundUp(entries*bufSize, os.Getpagesize())
	reg := abi.Io_uring_buf_reg_inc{Ring_entries: uint32(entries), Bgid: cfg.Group, Min_left: uint32(cfg.MinLeft)}
	if cfg.Incremental {
		reg.Flags |= abi.IOU_PBUF_RING_INC
	}
	b := &BufRing{r: r, mask: uint32(entries) - 1, group: cfg.Group}
	if cfg.Mapped {
		if err := r.canMap(step); err != nil {
			return nil, err
		}
		reg.Flags |= abi.IOU_PBUF_RING_MMAP
		if _, err := r.register(step, abi.IORING_REGISTER_PBUF_RING, unsafe.Pointer(&reg), 1); err != nil {
			return nil, err
		}
		at := abi.IORING_OFF_PBUF_RING | uint64(cfg.Group)<<abi.IORING_OFF_PBUF_SHIFT
		p, errno := r.sysMap(at, size)
		if errno != 0 {
			b.Close()
			return nil, setupError(step+": mmap", errno)
		}
		b.entries, b.ring = p, region{p: p, size: size}
		return b, nil
	}
	p, errno := r.sysFresh(size)
	if errno != 0 {
		return nil, setupError(step+": mmap", errno)
	}
	reg.Ring_addr = ptr(p)
	if _, err := r.register(step, abi.IORING_REGISTER_PBUF_RING, unsafe.Pointer(&reg), 1); err != nil {
		r.sysUnmap(p, size)
		return nil, err
	}
	b.entries, b.ring = p, region{p: p, size: size}
	return b, nil
}

// maxArena bounds the memory of a BufRing's buffers, so that sizes fit an int on 32-bit machines.
const maxArena = 1 << 30

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// Group returns the number by which SQEs name this ring.
func (b *BufRing) Group() uint16 { return b.group }

// Entries returns how many buffers can be lent at a time.
func (b *BufRing) Entries() int { return int(b.mask) + 1 }

// Add appends a buffer, with the id that its CQE will carry. The kernel does not see it before Commit. The ring keeps
// no Go pointer: mem must be on the Go heap or outside of Go's memory, and stay reachable and unused until a CQE has
// returned the id or the BufRing is closed. At most Entries buffers may be lent at a time; the caller has to count. Add
// panics after Close.
func (b *BufRing) Add(mem []byte, bid uint16) {
	if b.after != nil {
		if int(bid) >= b.count {
			b.panicID(bid)
		}
		b.after[b.last], b.last = bid, bid
	}
	if b.entries == nil {
		b.panicClosed()
	}
	i := uint32(b.next) & b.mask
	b.next++
	e := (*abi.Io_uring_buf)(unsafe.Add(b.entries, uintptr(i)*bufSize))
	e.Addr = ptr(unsafe.Pointer(unsafe.SliceData(mem)))
	e.Len = uint32(min(len(mem), maxIO))
	if i == 0 {
		b.bid0 = bid // shares a word with the tail: Commit writes both
		return
	}
	e.Bid = bid
}

// Commit makes the added buffers available to the kernel.
//
// The tail has 16 bits, which Go cannot store atomically. It shares a 32-bit word with the id in entry 0, which only
// the program writes, so Commit stores both at once. The store releases the entries; the kernel acquires the tail.
func (b *BufRing) Commit() {
	if b.entries == nil {
		b.panicClosed()
	}
	word := uint32(b.bid0) | uint32(b.next)<<16
	if abi.BigEndian {
		word = uint32(b.bid0)<<16 | uint32(b.next)
	}
	(*atomic.Uint32)(unsafe.Add(b.entries, bufSize-4)).Store(word)
}

// Bytes returns the buffer with this id, for rings with buffers of their own; it panics for other ids. The kernel owns
// the buffer from Return until a CQE returns the id. The BufRing's Close unmaps it.
func (b *BufRing) Bytes(bid uint16) []byte {
	if int(bid) >= b.count {
		b.panicID(bid)
	}
	return unsafe.Slice((*byte)(unsafe.Add(b.arena.p, int(bid)*b.size)), b.size)
}

func (b *BufRing) panicClosed() {
	panic(fmt.Sprintf("uring: buffer ring of group %d is closed", b.group))
}

func (b *BufRing) panicID(bid uint16) {
	panic(fmt.Sprintf("uring: buffer %d of group %d, which has %d", bid, b.group, b.count))
}

// Return lends the buffer with this id to the kernel again, at once. The program must own it: a CQE has returned it,
// and it has not been lent since. For many buffers, Add(b.Bytes(id), id) for each and one Commit are cheaper.
func (b *BufRing) Return(bid uint16) {
	b.Add(b.Bytes(bid), bid)
	b.Commit()
}

// Close removes the group and frees the memory. It may be called more than once, before the Ring's Close or after.
// Requests that pick from the group must have ended: the kernel could still write into a buffer that one of them took.
// If the kernel does not release the group, the memory stays, and the BufRing may be used and closed again. EEXIST:
// another thread; EACCES: the Ring's restrictions forbid it; then call Close after the Ring's.
//
// Only the ring's owner may call it. Since Linux 5.19. See io_uring_unregister_buf_ring(3).
func (b *BufRing) Close() error {
	if b.closed {
		return nil
	}
	var err error
	if !b.r.closed { // a closed Ring has no groups
		reg := abi.Io_uring_buf_reg{Bgid: b.group}
		_, err = b.r.register(fmt.Sprintf("io_uring_unregister(PBUF_RING, group %d)", b.group),
			abi.IORING_UNREGISTER_PBUF_RING, unsafe.Pointer(&reg), 1)
		if err != nil && !errors.Is(err, posix.ENOENT) { // ENOENT: the group is gone already
			return err
		}
	}
	b.closed = true
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

// Status returns the kernel's head: how many buffers it has taken so far, a 16-bit counter like the tail. Buffers that
// were committed after those are lent and unused. EBADF: the Ring, or the BufRing, is closed.
//
// Only the ring's owner may call it. Since Linux 6.8. See io_uring_buf_ring_head(3) and io_uring_register(2),
// IORING_REGISTER_PBUF_STATUS.
func (b *BufRing) Status() (head uint16, err error) {
	step := fmt.Sprintf("io_uring_register(PBUF_STATUS, group %d)", b.group)
	if b.closed {
		return 0, setupError(step, posix.EBADF)
	}
	reg := abi.Io_uring_buf_status{Buf_group: uint32(b.group)}
	_, err = b.r.register(step, abi.IORING_REGISTER_PBUF_STATUS, unsafe.Pointer(&reg), 1)
	return uint16(reg.Head), err
}

// Available returns how many buffers are lent and unused: those committed, less those that the kernel has taken.
//
// Only the ring's owner may call it. Since Linux 6.8. See io_uring_buf_ring_available(3).
func (b *BufRing) Available() (int, error) {
	head, err := b.Status()
	if err != nil {
		return 0, err
	}
	word := (*atomic.Uint32)(unsafe.Add(b.entries, bufSize-4)).Load()
	tail := uint16(word >> 16)
	if abi.BigEndian {
		tail = uint16(word)
	}
	return int(tail - head), nil
}
