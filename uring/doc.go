// Package uring provides raw io_uring in pure Go: rings, entries and the three system calls, on Linux.
//
// It plays the role that liburing plays in C and goes no further: no goroutines, no callbacks, no policy, and no
// buffers that the program has not asked for. It can be used without the rest of this module. For programs that block,
// in cheap coroutines, use package ringo on top of it.
//
// # The model
//
// A [Ring] is two queues in memory that the program shares with the kernel. The program takes free entries of the
// submission queue (SQ), fills them in with Prep methods, and submits any number of them with one system call. The
// kernel executes the requests in any order and posts the result of each to the completion queue (CQ), from which the
// program takes it without a system call.
//
//	e := r.SQE()            // nil: the SQ is full, Submit first
//	e.PrepRead(fd, p, off)
//	e.SetUserData(7)        // comes back in the CQE
//	if _, err := r.Wait(1, -1); err != nil { … } // submits them all, waits for one
//	for c := range r.CQEs() {
//		if c.Res < 0 {
//			err := syscall.Errno(-c.Res) // of the request with this c.UserData
//		}
//		// else the result: here, how many bytes
//	}
//
// A request ends with exactly one [CQE] that has no CQEMore flag; with SQECQESkipSuccess that CQE is omitted if the
// request succeeds. A multishot request makes any number of CQEs with the flag before it. The CQE without the flag may
// carry data, too: check the result and the flag separately.
//
// [Ring.Submit] and [Ring.Wait] are for general use; [Ring.Enter] is the bare call, for loops that count nanoseconds
// and handle every errno themselves.
//
// # What to do with it
//
// Fill in an entry with one Prep method, which selects the operation, and then with Set methods, which modify it: use a
// registered file or buffer, put the new file into the ring's table of files, link the next entry. An op that the
// kernel does not have ends with EINVAL in its CQE; [Ring.ProbeOps] returns in advance which ops there are.
//
//   - Read and write files: [SQE.PrepRead], [SQE.PrepReadv], [SQE.PrepWrite], [SQE.PrepWritev], at an offset or at the
//     file's own position; [SQE.PrepReadFixed] and its like with memory that was registered once; [SQE.PrepReadSelect]
//     into a buffer that the kernel picks, and [SQE.PrepReadMultishot] repeatedly. [SQE.SetRWFlags]. [SQE.PrepFsync],
//     [SQE.PrepSyncFileRange], [SQE.PrepFallocate], [SQE.PrepFtruncate], [SQE.PrepFadvise], [SQE.PrepMadvise].
//   - Open, look up, rename: [SQE.PrepOpenat], [SQE.PrepOpenat2], [SQE.PrepStatx], [SQE.PrepMkdirat],
//     [SQE.PrepUnlinkat], [SQE.PrepRenameat], [SQE.PrepLinkat], [SQE.PrepSymlinkat], [SQE.PrepGetxattr],
//     [SQE.PrepSetxattr].
//   - Serve sockets: [SQE.PrepSocket], [SQE.PrepBind], [SQE.PrepListen], [SQE.PrepConnect], [SQE.PrepShutdown];
//     [SQE.PrepAccept] for one connection, [SQE.PrepAcceptMultishot] for all that arrive. [SQE.PrepRecv]; with a group
//     of buffers [SQE.PrepRecvMultishot] and [SQE.PrepRecvmsgMultishot], and [SQE.SetBundle] for several buffers at
//     once. [SQE.PrepSend], [SQE.PrepSendmsg], [SQE.SetAddr]; without a copy [SQE.PrepSendZC], [SQE.PrepSendmsgZC],
//     [SQE.SetFixedBuf].
//   - Move bytes inside the kernel: [SQE.PrepSplice], [SQE.PrepTee], [SQE.PrepPipe].
//   - Link: with [SQELink] and [SQEHardLink] the next entry waits for this one; with [SQEDrain] this one waits for all
//     before it.
//   - Time out: [SQE.PrepLinkTimeout] limits the entry before it, [SQE.PrepTimeout] is an independent timer,
//     [SQE.PrepTimeoutUpdate] and [SQE.PrepTimeoutRemove] change or remove it. [SQE.PrepCancel], [SQE.PrepCancelFD] and
//     [SQE.PrepCancelMatching] cancel requests.
//   - Share buffers: [Ring.BufRing], [SQE.SetBufGroup]; on old kernels [SQE.PrepProvideBuffers],
//     [SQE.PrepRemoveBuffers].
//   - Use and pass files without descriptors: [Ring.RegisterFiles] and [SQEFixedFile]; [SQE.SetDirect],
//     [SQE.PrepCloseDirect], [SQE.PrepFilesUpdate], [SQE.PrepFixedFDInstall]; [SQE.PrepMsgRingFD] gives a file to
//     another ring, [SQE.PrepMsgRing] sends it a message.
//   - Wait for processes and futexes: [SQE.PrepWaitid], [SQE.PrepFutexWait], [SQE.PrepFutexWaitv],
//     [SQE.PrepFutexWake].
//   - Poll: [SQE.PrepPollAdd], [SQE.PrepPollMultishot], [SQE.PrepPollUpdate], [SQE.PrepPollRemove]; with epoll
//     [SQE.PrepEpollCtl], [SQE.PrepEpollWait].
//   - Send commands to drivers: [SQE.PrepUringCmd] with [SQE.Command]; to sockets [SQE.PrepGetsockopt],
//     [SQE.PrepSetsockopt], [SQE.PrepSockUnread], [SQE.PrepTxTimestamp]; to block devices [SQE.PrepDiscard].
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
//	timeout  a read with a time limit
//	futex    two threads that wake each other
//	waitid   waits for child processes
//	pool     threads that hand work to each other by messages between rings
//	zcrx     receives into memory that the network card writes
//
// # Disks
//
// Requests run in any order, even two writes to the same place, and a sync does not wait for writes in flight. To run a
// request after a write, link it to the write by [SQELink], or start it when the write's CQE has arrived; after a short
// write the kernel cancels the rest of the chain. So a write is durable when a [SQE.PrepFsync] linked after it has
// succeeded, or when a write with RWF_DSYNC ([SQE.SetRWFlags]) has.
//
// With O_DIRECT the memory, the offset and the length must be multiples of the device's alignment (statx(2),
// STATX_DIOALIGN); memory from unix.Mmap is page-aligned, which is enough. Fast devices need many reads in flight: one
// call submits as many as the SQ has entries, and as many may be in flight as the CQ has entries. [Ring.RegisterFiles]
// and [Ring.RegisterBuffers] save each request a look-up and the pinning of pages.
//
// The kernel executes reads and writes of the page cache that need not wait inside the call that submits them, which
// then takes as long as they do. Submit and Flush always tell Go's scheduler that they are in a system call. Wait and
// Enter tell it only when they wait: they assume that submitting stays as short as it has been (see [Ring.Enter]), and
// whenever that is wrong, the garbage collector has to wait for the submission. So for large reads and writes of the
// page cache call Submit, and then Wait. Requests that must wait go to worker threads of the kernel, with [SQEAsync] at
// once; [Ring.IOWQMaxWorkers] limits the number of these threads.
//
// With Config.IOPoll the kernel polls for completions instead of waiting for interrupts, on devices whose queues can be
// polled (NVMe with nvme.poll_queues); SetupHybridIOPoll does so with less CPU time.
//
// # One thread
//
// A ring belongs to the thread that opened it: lock the goroutine to its thread (runtime.LockOSThread) before [Open]
// and keep it locked until [Ring.Close]. The kernel's cheapest mode requires this (SINGLE_ISSUER and DEFER_TASKRUN,
// Linux 6.1): the kernel then posts completions only inside Enter, all at once, and interrupts nothing. So the CQ can
// look empty although the kernel has completions to post; [Ring.NeedsEnter] reports that. When a thread ends, the
// requests of its ring are cancelled, or never answered.
//
// Only the owner may call methods, one at a time, except FD and Enable. Calls from another thread fail with EEXIST; the
// kernel's check is incomplete, so builds with -race or the invariants tag check before every Enter. [Config].AnyThread
// gives up the cheapest mode for a ring that any thread may use, one at a time under a lock.
//
// # Memory that the kernel uses
//
// The memory that an SQE refers to belongs to the kernel until the request's last CQE, even if the request is
// cancelled: the kernel may read and write it at any time until then. An SQE holds addresses as numbers, which keep
// nothing alive, so the program must keep the memory reachable by other means for that long, for instance from the
// table that the user data is an index of. The memory need not be pinned: Go does not move heap objects, and the Prep
// methods make their arguments escape to the heap. The kernel copies some arguments when it consumes the entry, and
// they may be reused from then on: timespecs, the sockaddr of a connect, iovecs and the msghdr of a sendmsg (Linux
// 5.5).
//
// User data must not be a pointer. Use an index and a count of its reuses, so that the program recognises a late CQE.
//
// Closing a descriptor ends no request on it: cancel, wait for the last CQE, then close. Closing the ring with requests
// in flight returns before the kernel has released their memory; end them first, for instance with [Ring.CancelAll].
//
// # Memory of the ring
//
// Results of methods are safe to keep, except for those that lie in mapped memory, which is unmapped when its owner is
// closed: an [SQE] or [SQE128] after [Ring.Close] and [Ring.Resize], [Region.Bytes] in the kernel's memory after
// Ring.Close, [BufRing.Bytes] and the parts of [BufParts.Next] after [BufRing.Close]. Accessing them then is a fault
// that the program can't recover from. All methods except an SQE's detect that their ring is closed, and report it.
//
// # Memory order
//
// Each index in the shared memory has one writer, which keeps its own copy. Both sides publish an index with a release
// store and read it with an acquire load; Go's atomics guarantee at least that.
//
//	SQ tail   stored in Enter, after the entries were written   the kernel loads it before it reads them
//	SQ head   loaded after Enter, before entries are reused      the kernel stores it when it has read them
//	CQ tail   loaded before CQEs are read                        the kernel stores it after it has written them
//	CQ head   stored after CQEs were copied out                  the kernel loads it before it writes there again
//	SQ flags  loaded                                             the kernel stores them
//
// With a polling kernel thread (Config.SQPoll) the store of the SQ tail must come before the load of the SQ flags, in
// that order for all observers: Go's atomics are sequentially consistent. A buffer ring's tail is stored together with
// the id in its first entry, see [BufRing.Commit].
//
// The race detector sees none of this: goroutines that pass data to each other through a socket need a synchronization
// that the detector knows.
//
// # Beyond reading and writing
//
//	files without descriptors     RegisterFilesSparse, UpdateFiles, RegisterFileAllocRange; SQEFixedFile
//	memory pinned once            RegisterBuffers, UpdateBuffers, CloneBuffers of another ring
//	buffers that the kernel picks BufRing, OpenBufRing: incremental ones and bundles, which BufRing.Parts
//	                              and PartsOf take apart
//	waiting                       Wait, EnterFor (minimum and absolute times, signal masks), EnterWait, RegisterClock
//	taking completions            CQE, Drain, CQEs in a range loop; Peek and Advance
//	waking another ring           PrepMsgRing; SendMsgRing without a ring; RegisterEventfd, SetEventfd
//	large entries, completions    SQE128, CQE32, by SetupSQE128, SetupCQE32 and the mixed ones in Config.With
//	devices that are polled       Config.IOPoll, SetupHybridIOPoll; RegisterNAPI for network cards
//	the caller's memory           Config.Memory, MemorySize; RegisterRegion
//	fewer rights                  SetupRDisabled, RegisterRestrictions, Enable; RegisterPersonality; RegisterFilter
//	other sizes                   Resize, ResizeMemory
//	what there is                 ProbeOps, Probe, Query
//	calls newer than this package Register
//
// # Kernels
//
// This package decides nothing by a version number, because distributions backport features. [Open] asks for the best
// and drops, newest first, flags for which the kernel returns EINVAL. [Ring.ProbeOps] returns the opcodes. [Probe]
// tries everything this package knows and reports what works here. If a container or the administrator forbids
// io_uring, the report names the call that failed and the likely cause. On other systems everything compiles, and Open
// fails with an error that matches errors.ErrUnsupported.
//
// A release in parentheses is the first mainline one. The manual pages are io_uring(7), io_uring_setup(2),
// io_uring_enter(2), io_uring_register(2), and one in section 3 per Prep method, under liburing's name.
package uring
