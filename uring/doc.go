// Package uring provides raw io_uring in pure Go: rings, entries and the three system calls, on Linux.
//
// It plays the role that liburing plays in C and goes no further: no goroutines, no callbacks, no buffers except those
// asked for, no policy. It needs nothing else of this module. For programs that block, in cheap coroutines, use package
// ringo on top of it.
//
// # The model
//
// A [Ring] is two queues in memory shared with the kernel. A program takes free entries of the submission queue (SQ),
// fills them in with Prep methods, and hands over any number of them with one system call; the kernel works on them in
// any order and puts an answer to each into the completion queue (CQ), where the program finds it without a system
// call.
//
//	e := r.SQE()            // nil: the SQ is full, Submit first
//	e.PrepRead(fd, p, off)
//	e.SetUserData(7)        // comes back in the CQE
//	if _, err := r.Wait(1, -1); err != nil { … } // submits all, waits for one
//	for c := range r.CQEs() {
//		if c.Res < 0 {
//			err := syscall.Errno(-c.Res) // of the request that c.UserData says
//		}
//		// else the result: here, how many bytes
//	}
//
// A request ends with exactly one [CQE] that has no CQEMore flag. Multishot requests make any number of CQEs with the
// flag before. A CQE without it may carry data, too: check the result and the flag separately.
//
// [Ring.Submit] and [Ring.Wait] are for general use; [Ring.Enter] is the bare call, for loops that count nanoseconds
// and handle every errno themselves.
//
// # What to do with it
//
// An entry is filled in by one Prep method, which says what is to be done, and by Set methods after it, which say how:
// with a registered file or buffer, into the ring's table of files, linked to the next. An op that the kernel does not
// have ends with EINVAL in the CQE; [Ring.ProbeOps] tells in advance.
//
//   - Read and write files: [SQE.PrepRead], [SQE.PrepReadv], [SQE.PrepWrite], [SQE.PrepWritev], at an offset or where
//     the file is; with memory registered once, [SQE.PrepReadFixed] and its like; into a buffer that the kernel picks,
//     [SQE.PrepReadSelect], again and again, [SQE.PrepReadMultishot]. [SQE.SetRWFlags]. [SQE.PrepFsync],
//     [SQE.PrepSyncFileRange], [SQE.PrepFallocate], [SQE.PrepFtruncate], [SQE.PrepFadvise], [SQE.PrepMadvise].
//   - Open, look up, rename: [SQE.PrepOpenat], [SQE.PrepOpenat2], [SQE.PrepStatx], [SQE.PrepMkdirat],
//     [SQE.PrepUnlinkat], [SQE.PrepRenameat], [SQE.PrepLinkat], [SQE.PrepSymlinkat], [SQE.PrepGetxattr],
//     [SQE.PrepSetxattr].
//   - Serve sockets: [SQE.PrepSocket], [SQE.PrepBind], [SQE.PrepListen], [SQE.PrepConnect], [SQE.PrepShutdown];
//     [SQE.PrepAccept], and for every connection that comes [SQE.PrepAcceptMultishot]. [SQE.PrepRecv],
//     [SQE.PrepRecvMultishot] and [SQE.PrepRecvmsgMultishot] with a group of buffers, [SQE.SetBundle] for several of
//     them at once. [SQE.PrepSend], [SQE.PrepSendmsg], [SQE.SetAddr]; without a copy [SQE.PrepSendZC],
//     [SQE.PrepSendmsgZC], [SQE.SetFixedBuf].
//   - Move bytes without seeing them: [SQE.PrepSplice], [SQE.PrepTee], [SQE.PrepPipe].
//   - Link: with [SQELink] and [SQEHardLink] the next entry waits for this one; with [SQEDrain] this one waits for all
//     before it.
//   - Time out: [SQE.PrepLinkTimeout] limits the entry before it, [SQE.PrepTimeout] is a timer of its own,
//     [SQE.PrepTimeoutUpdate] and [SQE.PrepTimeoutRemove] change or remove it. [SQE.PrepCancel], [SQE.PrepCancelFD] and
//     [SQE.PrepCancelMatching] cancel requests.
//   - Share buffers: [Ring.BufRing], [SQE.SetBufGroup]; on old kernels [SQE.PrepProvideBuffers],
//     [SQE.PrepRemoveBuffers].
//   - Hand over descriptors: [Ring.RegisterFiles] and [SQEFixedFile]; [SQE.SetDirect], [SQE.PrepCloseDirect],
//     [SQE.PrepFilesUpdate], [SQE.PrepFixedFDInstall]; to another ring [SQE.PrepMsgRingFD], and a word alone
//     [SQE.PrepMsgRing].
//   - Wait for processes and futexes: [SQE.PrepWaitid], [SQE.PrepFutexWait], [SQE.PrepFutexWaitv],
//     [SQE.PrepFutexWake].
//   - Poll: [SQE.PrepPollAdd], [SQE.PrepPollMultishot], [SQE.PrepPollUpdate], [SQE.PrepPollRemove]; with epoll
//     [SQE.PrepEpollCtl], [SQE.PrepEpollWait].
//   - Command drivers: [SQE.PrepUringCmd] with [SQE.Command]; of sockets [SQE.PrepGetsockopt], [SQE.PrepSetsockopt],
//     [SQE.PrepSockUnread], [SQE.PrepTxTimestamp]; of block devices [SQE.PrepDiscard].
//
// If you know liburing: io_uring_queue_init is [Open], get_sqe is [Ring.SQE], sqe_set_data64 is [SQE.SetUserData],
// submit is [Ring.Submit], submit_and_wait, wait_cqe and submit_and_wait_timeout are [Ring.Wait], for_each_cqe is
// [Ring.CQEs], peek_batch_cqe and cq_advance are [Ring.Peek] and [Ring.Advance], queue_exit is [Ring.Close]. There is
// no cqe_seen: a CQE is a copy. docs/uring-parity.md lists all the others, with their tests.
//
// Programs to begin with, each short and complete, are in the folder examples/uring:
//
//	cp       copies a file: linked reads and writes, registered buffers
//	cat      opens and reads in one call, a file without a descriptor
//	scan     O_DIRECT, 128 reads at a time, registered file and memory; prints IOPS
//	echo     serves sockets: multishot accept and receives, a buffer ring, sends
//	timeout  a read with a limit to its time
//	futex    two threads that wake each other
//	waitid   waits for child processes
//	pool     threads that hand work to each other by messages between rings
//	zcrx     receives into memory that the network card writes
//
// # Disks
//
// Requests run in any order, even two writes to the same place, and a sync does not wait for writes in flight. To run a
// request after a write, link it to the write by [SQELink], or start it when the write's CQE has arrived; after a short
// write the rest of a chain is cancelled. So a write is durable when a [SQE.PrepFsync] linked after it has succeeded,
// or when a write with RWF_DSYNC ([SQE.SetRWFlags]) has.
//
// With O_DIRECT the memory, the offset and the length must be multiples of the device's alignment (statx(2),
// STATX_DIOALIGN); memory of unix.Mmap is aligned to a page, which is enough. Fast devices need many reads in flight:
// one call submits as many as the SQ has entries, and as many may be in flight as the CQ has entries.
// [Ring.RegisterFiles] and [Ring.RegisterBuffers] save a look-up and the pinning of pages for each request.
//
// Reads and writes of the page cache that need not wait are done inside the call that submits them, which then takes as
// long as they do. Submit and Flush tell Go's scheduler that they may take long. Wait and Enter do so only when they
// wait: they assume that submitting is short as long as it has been (see [Ring.Enter]), and if it is not, the garbage
// collector waits for it. So for large reads and writes of the page cache call Submit, and then Wait. Requests that
// must wait go to worker threads of the kernel, at once with [SQEAsync]; [Ring.IOWQMaxWorkers] bounds them.
//
// Config.IOPoll waits without interrupts for a device whose queues can be polled (NVMe with nvme.poll_queues);
// SetupHybridIOPoll does so with less CPU time.
//
// # One thread
//
// A ring belongs to the thread that opened it: lock the goroutine to its thread (runtime.LockOSThread) before [Open]
// and keep it locked until [Ring.Close]. That is what the kernel's cheapest mode asks for (SINGLE_ISSUER and
// DEFER_TASKRUN, Linux 6.1): completions are then made only inside Enter, all at once, without interrupting anything.
// It also means that the CQ can look empty while the kernel has work to show; [Ring.NeedsEnter] tells. A thread that
// ends takes its ring's requests with it: they are cancelled, or never answered.
//
// Only the owner may call methods, one at a time, except FD. Calls from another thread fail with EEXIST; the kernel's
// check is incomplete, so builds with -race or the invariants tag check before every Enter. [Config].AnyThread gives up
// the cheapest mode for a ring that any thread may use, one at a time under a lock.
//
// # Memory that the kernel uses
//
// The memory named in an SQE belongs to the kernel until the request's last CQE, cancelled or not: it may be read and
// written at any time until then. An SQE holds addresses as numbers, which keep nothing alive. So the memory must stay
// reachable by other means for that long, for instance from the table that the user data is an index of. It need not be
// pinned: Go does not move heap objects, and the Prep methods make their arguments escape to the heap. Exceptions,
// which the kernel copies when it consumes the entry: timespecs, the sockaddr of a connect, iovecs and the msghdr of a
// sendmsg (Linux 5.5).
//
// User data must not be a pointer: use an index and a count of its reuses, so that a late CQE can be recognised.
//
// Closing a descriptor ends no request on it: cancel, wait for the last CQE, then close. Closing the ring with requests
// in flight returns before the kernel has released their memory. [Ring.CancelAll] helps to end them.
//
// # Memory of the ring
//
// Results of methods are safe to keep, except for those in mapped memory, which is unmapped when its owner is closed:
// an [SQE] or [SQE128] after [Ring.Close] and [Ring.Resize], [Region.Bytes] in the kernel's memory after Ring.Close,
// [BufRing.Bytes] and the parts of [BufParts.Next] after [BufRing.Close]. Accessing them then is a fault that can't be
// recovered. All methods except an SQE's detect that their ring is closed, and report it.
//
// # Memory order
//
// Each index in the shared memory has one writer, which keeps a copy of its own. Both sides publish by a release and
// look by an acquire; Go's atomics are that and more.
//
//	SQ tail   stored in Enter, after the entries were written   the kernel loads it before it reads them
//	SQ head   loaded after Enter, before entries are reused      the kernel stores it when it has read them
//	CQ tail   loaded before CQEs are read                        the kernel stores it after it has written them
//	CQ head   stored after CQEs were copied out                  the kernel loads it before it writes there again
//	SQ flags  loaded                                             the kernel stores them
//
// With a polling kernel thread (Config.SQPoll) the store of the SQ tail comes before the load of the SQ flags, in that
// order for all observers: Go's atomics are sequentially consistent. A buffer ring's tail is stored together with the
// id in its first entry, see [BufRing.Commit].
//
// The race detector sees none of this: data that one goroutine passes to another through a socket needs an ordering
// that it knows.
//
// # Beyond reading and writing
//
//	files without descriptors     RegisterFilesSparse, UpdateFiles, RegisterFileAllocRange; SQEFixedFile
//	memory pinned once            RegisterBuffers, UpdateBuffers, CloneBuffers of another ring
//	buffers that the kernel picks BufRing, OpenBufRing: incremental ones and bundles, told apart by BufRing.Parts
//	                              and PartsOf
//	waiting                       Wait, EnterFor (least times, points in time, signal masks), EnterWait, RegisterClock
//	taking completions            CQE, Drain, CQEs in a range loop; Peek and Advance
//	waking another ring           PrepMsgRing; SendMsgRing without a ring; RegisterEventfd, SetEventfd
//	large entries, completions    SQE128, CQE32, by SetupSQE128, SetupCQE32 and the mixed ones in Config.With
//	devices that are polled       Config.IOPoll, SetupHybridIOPoll; RegisterNAPI for network cards
//	memory of the caller's        Config.Memory, MemorySize; RegisterRegion
//	fewer rights                  SetupRDisabled, RegisterRestrictions, Enable; RegisterPersonality; RegisterFilter
//	other sizes                   Resize, ResizeMemory
//	what there is                 ProbeOps, Probe, Query
//	what is newer than this       Register
//
// # Kernels
//
// Nothing is decided by a version number: distributions backport features. [Open] asks for the best and drops, newest
// first, flags for which the kernel returns EINVAL. [Ring.ProbeOps] returns the opcodes. [Probe] tries everything this
// package knows and reports what works here. If a container or the administrator forbids io_uring, the report names the
// call that failed and the likely cause. On other systems everything compiles, and Open fails with an error that
// matches errors.ErrUnsupported.
//
// Releases in parentheses are the first mainline ones. The manual pages are io_uring(7), io_uring_setup(2),
// io_uring_enter(2), io_uring_register(2), and one in section 3 per Prep method, under liburing's name.
package uring
