package uring

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
)

// A Region is memory that both sides know for as long as the ring is open. So far it has one use: Waits, the ends of
// waits that Enter names by a number, where else they would be copied and checked at each call.
type Region struct {
	r     *Ring
	mem   []byte
	waits bool

	absolute []bool // of each wait, what lies in no memory of the region: EnterWait has it as a flag
}

// RegionConfig says what region to register.
type RegionConfig struct {
	// Size is how many bytes, a multiple of the page's size.
	Size int
	// Memory is the memory to use, page-aligned and of Size bytes; mapped, not the Go heap's. It is the kernel's until
	// the ring is closed and for a moment longer. nil: the kernel's own.
	Memory []byte
	// Waits has the region hold waits. The ring must have been opened with SetupRDisabled, and not be enabled.
	Waits bool
}

// waitSize is what a wait takes of a region.
const waitSize = int(unsafe.Sizeof(abi.Io_uring_reg_wait{}))

// RegisterRegion registers a region; a ring can have one, and keeps it until it is closed. EBUSY: it has one already.
// EINVAL: for waits, a ring that is enabled. EBADF: the kernel's memory on a ring without a descriptor, see CloseFD.
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

// Bytes is the region's memory. If it is the kernel's it is gone, unmapped, after the Ring's Close; from then on Bytes
// is nil.
func (g *Region) Bytes() []byte {
	if g.r.closed {
		return nil
	}
	return g.mem
}

// Waits is how many waits there are, for numbers from 0 on; 0 if the region is not for waits. The last 64 bytes are
// none: who names them waits by the first wait (Linux 6.13 to 6.18 at least), because the offset is bounded one place
// too low against speculation: https://github.com/torvalds/linux/blob/v6.18/io_uring/io_uring.c, io_get_ext_arg_reg.
func (g *Region) Waits() int {
	if !g.waits || g.r.closed {
		return 0
	}
	return len(g.mem)/waitSize - 1
}

// SetWait writes a wait, for EnterWait by its number. It may be changed whenever no Enter waits by it. It panics if
// there is no wait of this number.
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

// A Wait says how Enter is to wait.
type Wait struct {
	// Timeout bounds the wait; its error is ETIME then. 0, or negative as for Enter: no bound. With Absolute it is a
	// point in time of the ring's clock (RegisterClock): since boot, and over if negative. Needs FeatExtArg, Linux
	// 5.11; Absolute Linux 6.12.
	Timeout  time.Duration
	Absolute bool

	// MinWait is for how long to wait for all the CQEs that are asked for; when it is over, one is enough. In
	// microseconds' precision, up to 71 minutes; negative: not at all. Needs FeatMinTimeout, Linux 6.12.
	MinWait time.Duration

	// Signals is the mask of signals that the thread has while it waits, as for pselect(2): those in it are held back.
	// It must stay where it is until the wait is over, or for as long as a Region has it.
	Signals *SignalSet
}

// A SignalSet is a set of signals in the kernel's form.
type SignalSet uint64

// With returns the set with a signal added.
func (s SignalSet) With(signal int) SignalSet { return s | 1<<(signal-1) }

// limit is Timeout for the kernel.
func (w *Wait) limit() (ts Timespec, bounded bool) {
	if w.Timeout == 0 || w.Timeout < 0 && !w.Absolute {
		return ts, false
	}
	return NewTimespec(w.Timeout), true
}

func (w *Wait) minWait() uint32 { return uint32(min(max(0, w.MinWait)/time.Microsecond, 1<<32-1)) }

// EnterFor is Enter for a wait that is more than a time limit: until min CQEs are there, or the wait is over by what w
// says. Like Enter it makes the call once and hands every errno to the caller: ETIME when the time was up, EINTR after
// a signal, and EINVAL, with nothing submitted, for what the kernel lacks.
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

// EnterWait is EnterFor by a wait that lies in the ring's region, see RegisterRegion: one copy and one check less.
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

// WaitSQ waits until the SQ of a ring with Config.SQPoll has room. On another ring it returns at once: there Enter
// makes room.
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

// SetIOWait says whether a thread that waits in Enter counts as waiting for a disk, as it did before Linux 6.15: some
// governors of processors' clocks go by that. At first it does not. A *FeatureError on a kernel without FeatNoIOWait,
// where it always does.
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
