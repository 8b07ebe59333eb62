package uring

import (
	"errors"
	"fmt"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Open makes a ring with the given number of entries, EntriesMin to EntriesMax, rounded up to a power of two. cfg may
// be nil.
//
// Open asks for the best that kernels offer a ring with one owner (the flags in this package, less those that exclude
// one another). If the kernel returns EINVAL it drops flags, newest first; Ring.Flags returns the remaining ones. It
// registers the ring's descriptor with the thread if the kernel supports that. With SetupRDisabled in Config.With,
// Enable does this instead, and the ring belongs to the thread that calls Enable.
//
// The goroutine must be locked to its thread (runtime.LockOSThread) and stay so until Close, unless Config.AnyThread is
// set. Errors are *SetupError, which wraps an errno, or a plain error that lists all invalid arguments. Open works
// since Linux 5.1; for anything newer a program must check Flags, Features and ProbeOps. See io_uring_setup(2).
//
// To test a program with the features of an older kernel, set RINGO_MASK in its environment (kernel=5.10;
// docs/testing.md).
func Open(entries int, cfg *Config) (*Ring, error) {
	if cfg == nil {
		cfg = &Config{}
	}
	if err := cfg.check(entries); err != nil {
		return nil, err
	}
	if !sys.HaveUring && cfg.seam.Kernel == nil {
		return nil, &SetupError{Step: "io_uring_setup", Hint: "io_uring exists on Linux only",
			Err: posix.ErrSystem}
	}
	m, err := cfg.mask()
	if err != nil {
		return nil, err
	}
	r := &Ring{mask: m, kernel: m.Kernel(cfg.seam.Kernel), anyone: cfg.AnyThread, owner: sys.UringThread()}
	p, err := r.setUp(uint32(entries), cfg)
	if err != nil {
		return nil, err
	}
	if err := r.mapRings(p); err != nil {
		r.free()
		return nil, err
	}
	if r.features&FeatNoIOWait != 0 {
		// A thread that waits for peers is idle and not waiting for a disk. Without this flag an idle ring shows as 100
		// % iowait, and governors and monitors react to that.
		r.enterFlags |= abi.IORING_ENTER_NO_IOWAIT
	}
	r.wantsRingFD = !cfg.AnyThread && !cfg.WithoutRingFD && r.FD() >= 0
	r.disabled = r.setup&SetupRDisabled != 0
	if !r.disabled && r.wantsRingFD {
		r.registerFD()
	}
	return r, nil
}

// setUp makes the system call, and repeats it with fewer flags while the kernel returns EINVAL.
func (r *Ring) setUp(entries uint32, cfg *Config) (*abi.Io_uring_params, error) {
	flags := cfg.flags()
	for {
		p := &abi.Io_uring_params{Flags: uint32(flags), Sq_thread_idle: cfg.idle(),
			Sq_thread_cpu: uint32(cfg.SQPollCPU)}
		if flags&SetupCQSize != 0 {
			p.Cq_entries = uint32(cfg.cqEntries(int(entries)))
		}
		if cfg.Attach != nil {
			p.Wq_fd = uint32(cfg.Attach.FD())
		}
		cfg.lend(p, int(entries))
		fd, errno := r.sysSetup(entries, p)
		if errno == 0 {
			r.fd.Store(int32(fd))
			r.enterFD = fd
			if flags&SetupRegisteredFDOnly != 0 {
				r.fd.Store(-1)
				r.enterFlags |= abi.IORING_ENTER_REGISTERED_RING
			}
			r.setup, r.features = flags, Features(p.Features)&^cfg.WithoutFeatures
			r.quick.keep = cfg.KeepP
			r.special = checkOwner || r.kernel != nil || cfg.SQPoll || flags&SetupSQRewind != 0
			r.memory = cfg.Memory
			return p, nil
		}
		lower, ok := stepDown(flags, cfg.With)
		if errno != posix.EINVAL || !ok || cfg.CQEntries != 0 && lower&SetupCQSize == 0 {
			step := fmt.Sprintf("io_uring_setup(%d entries, %v)", entries, flags)
			return nil, setupError(step, errno)
		}
		flags = lower
	}
}

// mapRings maps both rings and the SQEs. The kernel reports where everything is; nothing is assumed.
func (r *Ring) mapRings(p *abi.Io_uring_params) error {
	if r.memory != nil {
		base := unsafe.Pointer(unsafe.SliceData(r.memory))
		rings := unsafe.Add(base, int(p.Cq_off.Resv2-p.Sq_off.Resv2))
		r.attach(p, rings, rings, base)
		return nil
	}
	sqSize := int(p.Sq_off.Array + p.Sq_entries*4)
	if r.setup&SetupNoSQArray != 0 {
		sqSize = 0 // the SQ's words precede the CQ's, in one mapping
	}
	cqSize := int(p.Cq_off.Cqes) + int(p.Cq_entries)<<cqeShift(r.setup)
	single := r.features&FeatSingleMmap != 0 || r.setup&SetupNoSQArray != 0
	if single {
		sqSize = max(sqSize, cqSize)
	}
	sqRing, err := r.mapRegion("SQ", abi.IORING_OFF_SQ_RING, sqSize)
	if err != nil {
		return err
	}
	cqRing := sqRing
	if !single {
		if cqRing, err = r.mapRegion("CQ", abi.IORING_OFF_CQ_RING, cqSize); err != nil {
			return err
		}
	}
	sqes, err := r.mapRegion("SQE", abi.IORING_OFF_SQES, int(p.Sq_entries)<<sqeShift(r.setup))
	if err != nil {
		return err
	}
	r.attach(p, sqRing, cqRing, sqes)
	return nil
}

func (r *Ring) mapRegion(name string, offset uint64, size int) (unsafe.Pointer, error) {
	p, errno := r.sysMap(offset, size)
	if errno != 0 {
		return nil, setupError(fmt.Sprintf("mmap(%s ring, %d bytes)", name, size), errno)
	}
	r.regions = append(r.regions, region{p: p, size: size})
	return p, nil
}

// registerFD registers the descriptor with this thread: an index in place of the descriptor saves each Enter a look-up
// in the process's table of files. A thread has room for 16 such indices, and kernels before 5.18 for none; if
// registration fails, the ring continues to use the descriptor.
func (r *Ring) registerFD() posix.Errno {
	up := abi.Io_uring_rsrc_update{Offset: ^uint32(0), Data: uint64(r.FD())}
	n, errno := r.sysRegister(abi.IORING_REGISTER_RING_FDS, unsafe.Pointer(&up), 1)
	if errno != 0 || n != 1 {
		return errno
	}
	r.enterFD, r.owner = int(up.Offset), sys.UringThread()
	r.enterFlags |= abi.IORING_ENTER_REGISTERED_RING
	return 0
}

// unregisterFD gives the registered index back. It belongs to the thread that registered it, the owner, which must be
// the caller.
func (r *Ring) unregisterFD() posix.Errno {
	up := abi.Io_uring_rsrc_update{Offset: uint32(r.enterFD)}
	_, errno := r.sysRegister(abi.IORING_UNREGISTER_RING_FDS, unsafe.Pointer(&up), 1)
	return errno
}

// Close closes the ring. It may be called more than once; later calls of other methods fail with EBADF, and return no
// entries or CQEs. Close unmaps the queues: entries from SQE or SQE128 (see SQE) and the kernel's memory from
// Region.Bytes must no longer be accessed. CQEs are copies and stay valid; buffer rings have their own Close.
//
// The kernel cancels requests in flight only after Close has returned, and until it has done so it may use their
// memory, which must stay alive and unused. So cancel the requests and wait for their CQEs before Close.
//
// Only the owner may call it. On another thread Close closes the ring, too, but the kernel keeps it until the owner's
// thread has ended, because of the registered descriptor; the error is EEXIST.
func (r *Ring) Close() error {
	if r.closed || r.owner == 0 { // not made by Open: its descriptor 0 would be the program's
		return nil
	}
	r.closed = true
	var foreign error
	if r.enterFlags&abi.IORING_ENTER_REGISTERED_RING != 0 {
		if thread := sys.UringThread(); thread == r.owner {
			r.unregisterFD()
		} else {
			// On this thread the index may belong to another ring.
			foreign = fmt.Errorf("uring: ring of thread %d closed on thread %d: kept by the kernel until the former "+
				"ends: %w",
				r.owner, thread, posix.EEXIST)
		}
		r.enterFlags &^= abi.IORING_ENTER_REGISTERED_RING
	}
	return errors.Join(r.free(), foreign)
}

// free unmaps and closes whatever Open has created so far.
func (r *Ring) free() error {
	r.tableLock.Lock()
	defer r.tableLock.Unlock()
	r.closed = true
	var first error
	for _, m := range r.regions {
		if errno := r.sysUnmap(m.p, m.size); errno != 0 && first == nil {
			first = setupError("munmap", errno)
		}
	}
	if fd := r.FD(); fd >= 0 {
		if errno := r.sysClose(fd); errno != 0 && first == nil {
			first = setupError("close", errno)
		}
	}
	r.regions, r.pinned, r.memory = nil, nil, nil
	r.detach()
	return first
}

// FD returns the ring's descriptor, or -1 after Close or CloseFD, or if the ring never had one. It is what PrepMsgRing
// of another ring takes; poll(2) reports it readable when the CQ is not empty or the kernel has deferred work. Any
// goroutine may call it.
func (r *Ring) FD() int { return int(r.fd.Load()) }

// Flags returns the setup flags that the ring was made with.
func (r *Ring) Flags() SetupFlags { return r.setup }

// Features returns the kernel's features, without those in Config.WithoutFeatures.
func (r *Ring) Features() Features { return r.features }

// RingFD reports whether Enter uses a registered descriptor.
func (r *Ring) RingFD() bool { return r.enterFlags&abi.IORING_ENTER_REGISTERED_RING != 0 }

// SQEntries returns the SQ's size, which the kernel has rounded up to a power of two.
func (r *Ring) SQEntries() int { return int(r.sqMask) + 1 }

// CQEntries returns the CQ's size, which the kernel has rounded up to a power of two.
func (r *Ring) CQEntries() int { return int(r.cqMask) + 1 }
