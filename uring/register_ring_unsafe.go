package uring

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// RegisterPersonality registers the credentials of the calling thread and returns a number for SQE.Personality: the
// kernel runs requests with that number under these credentials.
//
// Only the owner may call it. Since Linux 5.6. See io_uring_register_personality(3).
func (r *Ring) RegisterPersonality() (uint16, error) {
	n, err := r.register("io_uring_register(PERSONALITY)", abi.IORING_REGISTER_PERSONALITY, nil, 0)
	return uint16(n), err
}

// UnregisterPersonality removes registered credentials. Requests in flight keep theirs. EINVAL: there are none with
// this number.
//
// Only the owner may call it. Since Linux 5.6. See io_uring_unregister_personality(3).
func (r *Ring) UnregisterPersonality(id uint16) error {
	_, err := r.register(fmt.Sprintf("io_uring_unregister(PERSONALITY, %d)", id), abi.IORING_UNREGISTER_PERSONALITY,
		nil, int(id))
	return err
}

// A Restriction is something that a restricted ring may or must do.
type Restriction struct {
	kind  uint16
	value uint32 // the kernel's has 8 bits: a larger one is refused, not cut
}

// AllowRegister lets a ring make this register call.
func AllowRegister(op RegisterOp) Restriction {
	return Restriction{abi.IORING_RESTRICTION_REGISTER_OP, uint32(op)}
}

// AllowOp lets a ring accept entries of this op.
func AllowOp(op Op) Restriction { return Restriction{abi.IORING_RESTRICTION_SQE_OP, uint32(op)} }

// AllowFlags lets entries have these flags.
func AllowFlags(f SQEFlags) Restriction {
	return Restriction{abi.IORING_RESTRICTION_SQE_FLAGS_ALLOWED, uint32(f)}
}

// RequireFlags requires these flags in each entry, and allows them.
func RequireFlags(f SQEFlags) Restriction {
	return Restriction{abi.IORING_RESTRICTION_SQE_FLAGS_REQUIRED, uint32(f)}
}

func restrictions(list []Restriction) ([]abi.Io_uring_restriction, error) {
	res := make([]abi.Io_uring_restriction, len(list))
	for i, l := range list {
		if l.value > math.MaxUint8 {
			return nil, fmt.Errorf("uring: AllowRegister(%v): no such call: %w", RegisterOp(l.value), posix.EINVAL)
		}
		res[i] = abi.Io_uring_restriction{Opcode: l.kind, Register_op: uint8(l.value)}
	}
	return res, nil
}

// RegisterRestrictions forbids everything that is not in the list, permanently, from Enable on: forbidden entries end,
// and forbidden register calls fail, with EACCES. The ring must have been opened with SetupRDisabled. EBADFD: it is
// enabled; EBUSY: it is restricted already. Such a ring has no registered descriptor, unless it was opened with
// SetupRegisteredFDOnly: then the list must have RegUnregisterRingFDs, because Close needs that call to give the
// registered descriptor back.
//
// Only the owner may call it. Since Linux 5.10. See io_uring_register_restrictions(3).
func (r *Ring) RegisterRestrictions(allowed []Restriction) error {
	list, err := restrictions(allowed)
	if err != nil {
		return err
	}
	if r.RingFD() && !slices.Contains(allowed, AllowRegister(RegUnregisterRingFDs)) {
		return errors.New("uring: RegisterRestrictions of a ring with a registered descriptor, which Close could not " +
			"give back: allow RegUnregisterRingFDs")
	}
	_, err = r.register(fmt.Sprintf("io_uring_register(RESTRICTIONS, %d)", len(list)),
		abi.IORING_REGISTER_RESTRICTIONS, unsafe.Pointer(unsafe.SliceData(list)), len(list))
	if err == nil {
		r.wantsRingFD = false // Close might not be allowed to give it back
	}
	return err
}

// Enable enables a ring that was opened with SetupRDisabled. From then on the ring belongs to the calling thread, to
// which the goroutine must be locked, as for Open. EBADFD: the ring is enabled already.
//
// Any thread may call it, while no other uses the ring. Since Linux 5.10. See io_uring_enable_rings(3).
func (r *Ring) Enable() error {
	_, err := r.register("io_uring_register(ENABLE_RINGS)", abi.IORING_REGISTER_ENABLE_RINGS, nil, 0)
	if err != nil {
		return err
	}
	r.owner, r.disabled = sys.UringThread(), false
	if r.wantsRingFD {
		r.registerFD()
	}
	return nil
}

// RegisterRingFD registers the ring's descriptor with this thread: using an index instead of the descriptor, Enter
// saves a look-up in the process's table of files. Open does this itself, so call RegisterRingFD only for rings opened
// with Config.WithoutRingFD. A thread has 16 places. EBUSY: none is left; EEXIST: the ring has one. RegisterRingFD
// refuses rings that are not enabled yet and those with Config.AnyThread: on another thread the index could belong to
// another ring, which Enter would then enter.
//
// Only the owner may call it. Since Linux 5.18. See io_uring_register_ring_fd(3).
func (r *Ring) RegisterRingFD() error {
	const step = "io_uring_register(RING_FDS)"
	switch {
	case r.RingFD():
		return setupError(step, posix.EEXIST)
	case r.anyone:
		return errors.New("uring: RegisterRingFD of a ring with AnyThread: it would be for one thread")
	case r.disabled:
		return errors.New("uring: RegisterRingFD of a ring that is not enabled: it would be for this thread")
	}
	if errno := r.registerFD(); errno != 0 {
		return setupError(step, errno)
	}
	return nil
}

// UnregisterRingFD undoes RegisterRingFD; Close does this itself. ENXIO: the ring has no registered descriptor; EBADF:
// it has no other descriptor.
//
// Only the owner may call it. Since Linux 5.18. See io_uring_unregister_ring_fd(3).
func (r *Ring) UnregisterRingFD() error {
	const step = "io_uring_unregister(RING_FDS)"
	switch {
	case !r.RingFD():
		return setupError(step, posix.ENXIO)
	case r.FD() < 0:
		return setupError(step, posix.EBADF)
	}
	if errno := r.unregisterFD(); errno != 0 {
		return setupError(step, errno)
	}
	r.enterFD = r.FD()
	r.enterFlags &^= abi.IORING_ENTER_REGISTERED_RING
	return nil
}

// CloseFD closes the ring's descriptor and continues with the registered one: the process needs one descriptor less,
// and no other thread or process can access the ring. It needs a registered descriptor and FeatRegRegRing. From then on
// other rings can't send it messages, it can't be polled, and the kernel's memory can't be mapped: Resize, buffer rings
// with Mapped and regions without Memory fail with EBADF.
//
// Only the owner may call it. Since Linux 6.3. See io_uring_close_ring_fd(3).
func (r *Ring) CloseFD() error {
	switch {
	case r.features&FeatRegRegRing == 0:
		return &FeatureError{Name: "REG_REG_RING", Since: "6.3"}
	case !r.RingFD():
		return errors.New("uring: CloseFD of a ring without a registered descriptor")
	case r.FD() < 0:
		return setupError("close", posix.EBADF)
	}
	r.tableLock.Lock()
	defer r.tableLock.Unlock()
	fd := r.fd.Swap(-1)
	if errno := r.sysClose(int(fd)); errno != 0 {
		return setupError("close", errno)
	}
	return nil
}

// arrayOffset returns where Linux puts the SQ's array of indices: behind the CQEs, at the next cache line.
func arrayOffset(cqes, cqEntries uint32, f SetupFlags) uint32 {
	const line = 64
	return (cqes + cqEntries<<cqeShift(f) + line - 1) / line * line
}

// A Clock is the clock that a ring uses for the time limits of its waits.
type Clock uint32

// The clocks that a ring may have.
const (
	ClockMonotonic Clock = 1 // CLOCK_MONOTONIC, which stops while the machine sleeps; the default
	ClockBoottime  Clock = 7 // CLOCK_BOOTTIME, which does not stop
)

// RegisterClock sets the clock for relative and absolute time limits of Enter and Wait. EINVAL: c is not one of the
// Clock constants.
//
// Only the owner may call it. Since Linux 6.12. See io_uring_register_clock(3).
func (r *Ring) RegisterClock(c Clock) error {
	reg := abi.Io_uring_clock_register{Clockid: uint32(c)}
	_, err := r.register(fmt.Sprintf("io_uring_register(CLOCK, %d)", c), abi.IORING_REGISTER_CLOCK,
		unsafe.Pointer(&reg), 0)
	return err
}

// Resize changes the sizes of the queues, as for Open and Config.CQEntries; 0 for the CQ means four times the SQ. The
// queues keep their contents. Entries that SQE has returned must be prepared before the call, and not be accessed after
// it. EOVERFLOW: the new queue is too small for its contents. EINVAL: a ring without DEFER_TASKRUN. EBADF: a ring
// without a descriptor, see CloseFD.
//
// If the kernel has changed the queues but Resize can't map them, it closes the ring, and the error says so.
//
// Only the owner may call it; for a ring with Config.Memory there is ResizeMemory. Since Linux 6.13. See
// io_uring_resize_rings(3).
func (r *Ring) Resize(entries, cqEntries int) error {
	if r.memory != nil {
		return errors.New("uring: Resize of a ring in the caller's memory: ResizeMemory")
	}
	if err := r.canMap("io_uring_register(RESIZE_RINGS)"); err != nil {
		return err
	}
	return r.resize(entries, &Config{CQEntries: cqEntries})
}

// ResizeMemory is like Resize, for a ring with Config.Memory. mem is the memory for the new queues; the rules of
// Config.Memory apply, and its size is at least that of MemorySize. The caller owns the previous memory again.
//
// Only the owner may call it. Since Linux 6.13. See io_uring_resize_rings(3).
func (r *Ring) ResizeMemory(entries, cqEntries int, mem []byte) error {
	if r.memory == nil || mem == nil {
		return errors.New("uring: ResizeMemory without memory, or of a ring in the kernel's")
	}
	if overlap(r.memory, mem) {
		return errors.New("uring: ResizeMemory to where the ring lies")
	}
	return r.resize(entries, &Config{CQEntries: cqEntries, Memory: mem})
}

func (r *Ring) resize(entries int, cfg *Config) error {
	// Inherit the flags that determine the sizes of entries.
	cfg.With = r.setup & (SetupSQE128 | SetupCQE32 | SetupCQEMixed | SetupSQEMixed)
	if err := cfg.check(entries); err != nil {
		return err
	}
	p := &abi.Io_uring_params{Sq_entries: uint32(entries), Cq_entries: uint32(cfg.cqEntries(entries)),
		Flags: abi.IORING_SETUP_CQSIZE | abi.IORING_SETUP_CLAMP}
	cfg.lend(p, entries)
	sqesAt, ringsAt := p.Sq_off.Resv2, p.Cq_off.Resv2
	hasArray := r.setup&SetupNoSQArray == 0
	if hasArray && r.sqArray != arrayOffset(r.cqesAt, r.cqMask+1, r.setup) {
		return errors.New("uring: Resize of a ring whose array of indices is at an unknown place")
	}
	r.sqShown.tail.Store(r.sqTail)
	step := fmt.Sprintf("io_uring_register(RESIZE_RINGS, %d, %d)", p.Sq_entries, p.Cq_entries)
	if _, err := r.register(step, abi.IORING_REGISTER_RESIZE_RINGS, unsafe.Pointer(p), 1); err != nil {
		return err
	}
	old := r.regions
	r.regions = nil
	p.Flags = uint32(r.setup)
	if hasArray && p.Sq_off.Array == 0 {
		// Linux 6.18 does not report it: https://github.com/torvalds/linux/blob/v6.18/io_uring/register.c,
		// io_register_resize_rings. liburing 2.15 takes the 0 for the offset, and overwrites the rings' heads and
		// tails.
		p.Sq_off.Array = arrayOffset(p.Cq_off.Cqes, p.Cq_entries, r.setup)
	}
	r.memory = cfg.Memory
	p.Sq_off.Resv2, p.Cq_off.Resv2 = sqesAt, ringsAt
	err := r.mapRings(p)
	for _, m := range old {
		if m.kept {
			r.regions = append(r.regions, m)
		} else if errno := r.sysUnmap(m.p, m.size); errno != 0 && err == nil {
			err = setupError("munmap", errno)
		}
	}
	if err != nil {
		return errors.Join(err, r.Close())
	}
	return nil
}
