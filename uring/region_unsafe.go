package uring

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
)

// A Region is memory that the program shares with the kernel while the ring is open. So far it has one use, waits that
// EnterWait names by number: the kernel does not copy and check these at each call.
type Region struct {
	r     *Ring
	mem   []byte
	waits bool

	absolute []bool // Absolute of each wait: not in the region, EnterWait passes it as a flag
}

// RegionConfig configures a region.
type RegionConfig struct {
	// Size is the size in bytes, a multiple of the page size.
	Size int
	// Memory is the memory to use, page-aligned and of at least Size bytes: mapped, not from the Go heap. The kernel
	// uses it until the ring is closed and for a moment longer. nil means that the kernel allocates it.
	Memory []byte
	// Waits makes the region hold waits. The ring must have been opened with SetupRDisabled, and not be enabled yet.
	Waits bool
}

// waitSize is how many bytes of a region a wait takes.
const waitSize = int(unsafe.Sizeof(abi.Io_uring_reg_wait{}))

// RegisterRegion registers a region. A ring can have one, and keeps it until it is closed. EBUSY: it has one already.
// EINVAL: the region is for waits, and the ring is enabled. EBADF: the kernel is to allocate the memory, and the ring
// has no descriptor, see CloseFD.
//
// Only the owner may call it. Since Linux 6.13. See io_uring_register_region(3).
func (r *Ring) RegisterRegion(cfg RegionConfig) (*Region, error) {
	step := fmt.Sprintf("io_uring_register(MEM_REGION, %d bytes)", cfg.Size)
	if cfg.Size <= 0 || cfg.Memory != nil && len(cfg.Memory) < cfg.Size {
		return nil, fmt.Errorf("uring: %s: in memory of %d", step, len(cfg.Memory))
	}
	if cfg.Memory == nil {
		if err := r.canMap(step); err != nil {
			return nil, err
		}
	}
	desc := &abi.Io_uring_region_desc{Size: uint64(cfg.Size)}
	if cfg.Memory != nil {
		desc.Flags, desc.User_addr = abi.IORING_MEM_REGION_TYPE_USER, ptr(unsafe.Pointer(unsafe.SliceData(cfg.Memory)))
	}
	reg := abi.Io_uring_mem_region_reg{Region_uptr: ptr(unsafe.Pointer(desc))}
	if cfg.Waits {
		reg.Flags = abi.IORING_MEM_REGION_REG_WAIT_ARG
	}
	if _, err := r.register(step, abi.IORING_REGISTER_MEM_REGION, unsafe.Pointer(&reg), 1); err != nil {
		return nil, err
	}
	g := &Region{r: r, mem: cfg.Memory[:min(cfg.Size, len(cfg.Memory))], waits: cfg.Waits}
	if cfg.Memory == nil {
		p, errno := r.sysMap(desc.Mmap_offset, cfg.Size)
		if errno != 0 {
			return nil, setupError(step+": mmap", errno)
		}
		r.regions = append(r.regions, region{p: p, size: cfg.Size, kept: true})
		g.mem = unsafe.Slice((*byte)(p), cfg.Size)
	}
	g.absolute = make([]bool, g.Waits())
	r.region = g
	return g, nil
}

// Bytes returns the region's memory. The Ring's Close unmaps memory that the kernel has allocated; from then on Bytes
// returns nil.
func (g *Region) Bytes() []byte {
	if g.r.closed {
		return nil
	}
	return g.mem
}

// Waits returns the number of waits, which are numbered from 0; 0 if the region is not for waits. The last 64 bytes are
// not used: there Linux, 6.13 to 6.18 at least, would take the first wait instead, because its guard against
// speculation bounds the offset one place too low: https://github.com/torvalds/linux/blob/v6.18/io_uring/io_uring.c,
// io_get_ext_arg_reg.
func (g *Region) Waits() int {
	if !g.waits || g.r.closed {
		return 0
	}
	return len(g.mem)/waitSize - 1
}

// SetWait sets the wait with number i, for EnterWait. A wait may be changed while no Enter uses it. SetWait panics if
// there is no such wait.
//
// Only the ring's owner may call it.
func (g *Region) SetWait(i int, w Wait) {
	if i < 0 || i >= g.Waits() {
		panic(fmt.Sprintf("uring: wait %d of a region of %d", i, g.Waits()))
	}
	var reg abi.Io_uring_reg_wait
	if ts, bounded := w.limit(); bounded {
		reg.Ts, reg.Flags = abi.Kernel_timespec{Tv_sec: ts.Sec, Tv_nsec: ts.Nsec}, abi.IORING_REG_WAIT_TS
	}
	g.absolute[i] = w.Absolute
	reg.Min_wait_usec = w.minWait()
	if w.Signals != nil {
		reg.Sigmask, reg.Sigmask_sz = ptr(unsafe.Pointer(w.Signals)), uint32(unsafe.Sizeof(*w.Signals))
	}
	*(*abi.Io_uring_reg_wait)(unsafe.Pointer(&g.mem[i*waitSize])) = reg
}

// A Wait describes how EnterFor or EnterWait waits.
type Wait struct {
	// Timeout limits the wait, which then ends with ETIME. 0, or a negative one as for Enter, means no limit. With
	// Absolute it is a point in time of the ring's clock (RegisterClock), since boot; a negative one has passed.
	// Timeout needs FeatExtArg, Linux 5.11; Absolute needs Linux 6.12.
	Timeout  time.Duration
	Absolute bool

	// MinWait is how long to wait for all the CQEs that were asked for; after that time one CQE ends the wait. It has
	// microsecond precision, and is at most 71 minutes; a negative one counts as 0. It needs FeatMinTimeout, Linux
	// 6.12.
	MinWait time.Duration

	// Signals is the thread's signal mask during the wait, as for pselect(2): signals in it are blocked. It must stay
	// reachable until the wait is over, or for as long as a Region refers to it.
	Signals *SignalSet
}

// A SignalSet is a set of signals in the kernel's form.
type SignalSet uint64

// With returns a copy of the set with a signal added.
func (s SignalSet) With(signal int) SignalSet { return s | 1<<(signal-1) }

// limit returns Timeout for the kernel, and whether there is one.
func (w *Wait) limit() (ts Timespec, bounded bool) {
	if w.Timeout == 0 || w.Timeout < 0 && !w.Absolute {
		return ts, false
	}
	return NewTimespec(w.Timeout), true
}

func (w *Wait) minWait() uint32 { return uint32(min(max(0, w.MinWait)/time.Microsecond, 1<<32-1)) }

// EnterFor is like Enter, but waits as w says, until min CQEs are there or the wait ends by w. Like Enter it makes the
// call once and returns every errno: ETIME if the time has passed, EINTR after a signal, and EINVAL, with nothing
// submitted, if the kernel lacks something that w needs.
//
// Only the owner may call it. It tells the scheduler that it waits. See io_uring_submit_and_wait_min_timeout(3) and
// io_uring_enter(2), IORING_ENTER_EXT_ARG and IORING_ENTER_ABS_TIMER.
func (r *Ring) EnterFor(min uint32, w *Wait) (consumed int, errno Errno) {
	if r.features&FeatExtArg == 0 || w.MinWait > 0 && r.features&FeatMinTimeout == 0 {
		return 0, posix.EINVAL
	}
	arg := &r.waitArg
	*arg = abi.Io_uring_getevents_arg{Pad: w.minWait()}
	if ts, bounded := w.limit(); bounded {
		r.ts, arg.Ts = ts, r.arg.Ts
	}
	if w.Signals != nil {
		arg.Sigmask, arg.Sigmask_sz = ptr(unsafe.Pointer(w.Signals)), uint32(unsafe.Sizeof(*w.Signals))
	}
	flags := uint32(abi.IORING_ENTER_GETEVENTS | abi.IORING_ENTER_EXT_ARG)
	if w.Absolute {
		flags |= abi.IORING_ENTER_ABS_TIMER
	}
	consumed, errno = r.enterRaw(min, flags, uintptr(unsafe.Pointer(arg)), unsafe.Sizeof(*arg))
	runtime.KeepAlive(w.Signals)
	return consumed, errno
}

// EnterWait is like EnterFor, with a wait from the ring's region, see RegisterRegion: this saves the kernel a copy and
// a check. EINVAL: there is no such wait.
//
// Only the owner may call it. It tells the scheduler that it waits. Since Linux 6.13. See
// io_uring_submit_and_wait_reg(3).
func (r *Ring) EnterWait(min uint32, wait int) (consumed int, errno Errno) {
	if r.region == nil || wait < 0 || wait >= r.region.Waits() {
		return 0, posix.EINVAL
	}
	flags := uint32(abi.IORING_ENTER_GETEVENTS | abi.IORING_ENTER_EXT_ARG | abi.IORING_ENTER_EXT_ARG_REG)
	if r.region.absolute[wait] {
		flags |= abi.IORING_ENTER_ABS_TIMER
	}
	return r.enterRaw(min, flags, uintptr(wait*waitSize), uintptr(waitSize))
}

// WaitSQ waits until the SQ of a ring with Config.SQPoll has room. On other rings it returns at once: there Enter makes
// room.
//
// Only the owner may call it. Since Linux 5.10. See io_uring_sqring_wait(3).
func (r *Ring) WaitSQ() error {
	for r.SQSpace() == 0 && r.setup&SetupSQPoll != 0 {
		if r.closed {
			return setupError("io_uring_enter(SQ_WAIT)", posix.EBADF)
		}
		_, errno := r.enterRaw(0, abi.IORING_ENTER_SQ_WAIT, 0, 0)
		if errno != 0 && errno != posix.EINTR {
			return setupError("io_uring_enter(SQ_WAIT)", errno)
		}
	}
	return nil
}

// SetIOWait sets whether a thread that waits in Enter counts as waiting for a disk (iowait), which some CPU frequency
// governors take into account. By default it does not. Before Linux 6.15, without FeatNoIOWait, it always does, and
// SetIOWait returns a *FeatureError.
//
// Only the owner may call it. Since Linux 6.15. See io_uring_set_iowait(3).
func (r *Ring) SetIOWait(on bool) error {
	if r.features&FeatNoIOWait == 0 {
		return &FeatureError{Name: "NO_IOWAIT", Since: "6.15"}
	}
	r.enterFlags &^= abi.IORING_ENTER_NO_IOWAIT
	if !on {
		r.enterFlags |= abi.IORING_ENTER_NO_IOWAIT
	}
	return nil
}
