//go:build linux

package uring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/test/patience"
)

func testEventfdAsync(t *testing.T) {
	r := open(t, 8, &Config{Without: deferral})
	fd := eventfd(t)
	asSince(t, r.RegisterEventfdAsync(fd), "5.6")
	if err := r.RegisterEventfd(fd); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("a second one: want EBUSY, got %v", err)
	}
	var count [8]byte
	want(t, do(t, r, (*SQE).PrepNop), 0)
	if _, err := unix.Read(fd, count[:]); err != unix.EAGAIN {
		t.Errorf("signalled for what completed within the call: %v", err)
	}
	want(t, do(t, r, func(e *SQE) {
		e.PrepNop()
		e.SetFlags(SQEAsync)
	}), 0)
	waitReadable(t, fd)
	if n, err := unix.Read(fd, count[:]); n != 8 || err != nil || binary.NativeEndian.Uint64(count[:]) == 0 {
		t.Errorf("a worker's completion: %v: %d, %v", count, n, err)
	}
	if err := r.UnregisterEventfd(); err != nil {
		t.Error(err)
	}
}

// waitReadable waits for what is on its way: a signal, or what came to the other end of a connection.
func waitReadable(t *testing.T, fd int) {
	t.Helper()
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		switch n, err := unix.Poll(p, int(waitMax/time.Millisecond)); {
		case err == unix.EINTR:
		case n != 1 || err != nil:
			t.Fatalf("descriptor %d: nothing to read: %d, %v", fd, n, err)
		default:
			return
		}
	}
}

// openAt fills in an open by hand, so that this file stands by itself.
func openAt(e *SQE, path []byte, flags uint32) {
	e.prep(OpOpenat, unix.AT_FDCWD, ptr(unsafe.Pointer(&path[0])), 0, 0, flags)
}

// testPersonality opens a file of root's as nobody.
func testPersonality(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to be somebody else")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for d := dir; d != "/"; d = filepath.Dir(d) { // nobody may pass
		if st, err := os.Stat(d); err == nil && st.Mode()&0o001 == 0 {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Skip(err)
			}
		}
	}
	r := open(t, 8, nil)
	name := append([]byte(path), 0)
	me, err := r.RegisterPersonality()
	asSince(t, err, "5.6")
	// The thread's own identity alone: the system call, not the library's that changes all threads.
	const nobody = 65534
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), nobody, ^uintptr(0)); errno != 0 {
		t.Skip("may not become nobody: ", errno)
	}
	other, err := r.RegisterPersonality()
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 0, ^uintptr(0)); errno != 0 {
		panic(errno) // nobody any more
	}
	if err != nil || other == me {
		t.Fatalf("personalities %d and %d, %v", me, other, err)
	}
	openAs := func(id uint16) CQE {
		return do(t, r, func(e *SQE) {
			openAt(e, name, unix.O_RDONLY|unix.O_CLOEXEC)
			e.Personality = id
		})
	}
	fdOf(t, openAs(0))
	fdOf(t, openAs(me))
	want(t, openAs(other), syscall.EACCES)
	if err := r.UnregisterPersonality(other); err != nil {
		t.Error(err)
	}
	want(t, openAs(other), syscall.EINVAL)
	if err := r.UnregisterPersonality(other); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("again: want EINVAL, got %v", err)
	}
}

func testRestrictions(t *testing.T) {
	r := openWith(t, 8, Config{With: SetupRDisabled}, "5.10")
	if err := r.RegisterRestrictions([]Restriction{
		AllowOp(OpNop), AllowOp(OpPollAdd), AllowRegister(RegEnableRings), AllowRegister(RegProbe),
		AllowFlags(SQEAsync | SQEFixedFile), RequireFlags(SQEAsync),
	}); err != nil {
		t.Fatal(err)
	}
	if err := r.RegisterRestrictions(nil); err == nil {
		t.Error("a second time: no error")
	}
	if err := r.Enable(); err != nil {
		t.Fatal(err)
	}
	if r.RingFD() {
		t.Error("a registered descriptor, which could not be given back")
	}
	flagged := func(op Op, f SQEFlags) CQE {
		return do(t, r, func(e *SQE) {
			e.PrepNop()
			e.Op = op
			e.SetFlags(f)
		})
	}
	want(t, flagged(OpNop, SQEAsync), 0)
	want(t, flagged(OpNop, 0), syscall.EACCES)                 // a flag that is required
	want(t, flagged(OpRead, SQEAsync), syscall.EACCES)         // an op that is not allowed
	want(t, flagged(OpNop, SQEAsync|SQEDrain), syscall.EACCES) // a flag that is not
	if _, err := r.ProbeOps(); err != nil {
		t.Errorf("an allowed register call: %v", err)
	}
	if err := r.RegisterFiles([]int{-1}); !errors.Is(err, syscall.EACCES) {
		t.Errorf("another one: want EACCES, got %v", err)
	}
}

// testEnable opens a ring on one thread and uses it on another.
func testEnable(t *testing.T) {
	need(t)
	type opened struct {
		r   *Ring
		err error
	}
	c := make(chan opened)
	go func() { // on some other thread, which may end
		r, err := Open(8, &Config{With: SetupRDisabled})
		c <- opened{r, err}
	}()
	o := <-c
	asSince(t, o.err, "5.10")
	r := o.r
	lockThread(t)
	defer r.Close()
	r.SQE().PrepNop()
	if _, errno := r.enterSlow(0, true, -1); errno != syscall.EBADFD && errno != syscall.EEXIST {
		t.Errorf("before Enable: want EBADFD, got %v", errno)
	}
	if err := r.Enable(); err != nil {
		t.Fatal(err)
	}
	if err := r.Enable(); !errors.Is(err, syscall.EBADFD) {
		t.Errorf("again: want EBADFD, got %v", err)
	}
	if _, err := r.Wait(1, waitMax); err != nil {
		t.Fatal(err)
	}
	want(t, finishReady(t, r), 0)
}

func testFilesSparse(t *testing.T) {
	eachGeometry(t, func(t *testing.T, r *Ring) {
		asSince(t, r.RegisterFilesSparse(4), "5.19")
		a, b := socketpair(t, unix.SOCK_STREAM)
		write(t, b, "abc")
		recv := func() CQE {
			return do(t, r, func(e *SQE) {
				e.PrepRecv(3, make([]byte, 8), 0)
				e.SetFlags(SQEFixedFile)
			})
		}
		want(t, recv(), syscall.EBADF)
		if n, err := r.UpdateFiles(3, []int{a}); n != 1 || err != nil {
			t.Fatalf("updated %d, %v", n, err)
		}
		want(t, recv(), 3)
		if _, err := r.UpdateFiles(4, []int{a}); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("behind its end: want EINVAL, got %v", err)
		}
	})
}

// testFilesTagged: a tag comes when the file has left and nobody uses it any more.
func testFilesTagged(t *testing.T) {
	eachGeometry(t, func(t *testing.T, r *Ring) {
		a, b := socketpair(t, unix.SOCK_STREAM)
		fd := eventfd(t)
		asSince(t, r.RegisterFilesTagged([]int{a, fd}, []uint64{1 << 40, 1<<40 + 1}), "5.13")
		if err := r.RegisterFilesTagged([]int{a}, nil); err == nil {
			t.Error("no tags: no error")
		}
		p := make([]byte, 8)
		reading := start(t, r, func(e *SQE) {
			e.PrepRecv(0, p, 0)
			e.SetFlags(SQEFixedFile)
		})
		if n, err := r.UpdateFilesTagged(0, []int{-1, FileSkip}, []uint64{0, 0}); n != 2 || err != nil {
			t.Fatalf("updated %d, %v", n, err)
		}
		if n, err := r.UpdateFilesTagged(1, []int{a}, []uint64{1<<40 + 2}); n != 1 || err != nil {
			t.Fatalf("updated %d, %v", n, err)
		}
		skipOldTags(t)
		finish(t, r, 1<<40+1) // the eventfd's, which nobody uses
		write(t, b, "abc")
		c := finish(t, r, reading)
		want(t, c, 3)
		finish(t, r, 1<<40)
		if err := r.UnregisterFiles(); err != nil {
			t.Fatal(err)
		}
		finish(t, r, 1<<40+2)
	})
}

func testBuffersSparse(t *testing.T) {
	eachGeometry(t, func(t *testing.T, r *Ring) {
		asSince(t, r.RegisterBuffersSparse(4), "5.19")
		fd := fileOf(t, "0123456789")
		buf := make([]byte, 8)
		read := func() CQE { return readInto(t, r, fd, buf, 3, 2) }
		want(t, read(), syscall.EFAULT)
		if n, err := r.UpdateBuffers(3, [][]byte{buf}, nil); n != 1 || err != nil {
			t.Fatalf("updated %d, %v", n, err)
		}
		want(t, read(), 8)
		if string(buf) != "23456789" {
			t.Errorf("read %q", buf)
		}
		if n, err := r.UpdateBuffers(3, [][]byte{nil}, nil); n != 1 || err != nil {
			t.Fatalf("emptied %d, %v", n, err)
		}
		want(t, read(), syscall.EFAULT)
		if _, err := r.UpdateBuffers(4, [][]byte{buf}, nil); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("behind its end: want EINVAL, got %v", err)
		}
	})
}

func readInto(t *testing.T, r *Ring, fd int, into []byte, index uint16, off int64) CQE {
	t.Helper()
	return do(t, r, func(e *SQE) {
		e.PrepRead(fd, into, off)
		e.Op, e.BufIndex = OpReadFixed, index
	})
}

// fileOf opens a file with a text in it.
func fileOf(t *testing.T, text string) int {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, fd)
	return fd
}

func testBuffersTagged(t *testing.T) {
	eachGeometry(t, func(t *testing.T, r *Ring) {
		fd := fileOf(t, "0123456789")
		old, young := make([]byte, 4), make([]byte, 4)
		asSince(t, r.RegisterBuffersTagged([][]byte{old, nil}, []uint64{1 << 40, 0}), "5.13")
		if err := r.RegisterBuffersTagged([][]byte{old}, []uint64{1, 2}); err == nil {
			t.Error("two tags for one: no error")
		}
		want(t, readInto(t, r, fd, old, 0, 1), 4)
		if n, err := r.UpdateBuffers(0, [][]byte{young}, []uint64{1<<40 + 1}); n != 1 || err != nil {
			t.Fatalf("updated %d, %v", n, err)
		}
		skipOldTags(t)
		finish(t, r, 1<<40)
		want(t, readInto(t, r, fd, old, 0, 1), syscall.EFAULT)
		want(t, readInto(t, r, fd, young, 0, 5), 4)
		if string(old) != "1234" || string(young) != "5678" {
			t.Errorf("read %q and %q", old, young)
		}
		if err := r.UnregisterBuffers(); err != nil {
			t.Fatal(err)
		}
		finish(t, r, 1<<40+1)
	})
}

// skipOldTags ends a test where tags come at times of their own: before Linux 6.13, in the order of updates and behind
// whatever was in use, and not all of them when the table is given up.
func skipOldTags(t *testing.T) {
	t.Helper()
	if !newerThan("6.13") {
		t.Skip("the table has changed; when tags come is another matter before Linux 6.13")
	}
}

// testIOWQAffinity looks at the thread that the kernel makes for an entry that is to go to one. A worker that a test
// before has left would stay as it is for as long as it has work.
func testIOWQAffinity(t *testing.T) { onNewThread(t, testAffinity) }

func testAffinity(t *testing.T) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	cpu := -1
	for i := range cpuMax {
		if all.IsSet(i) {
			cpu = i
		}
	}
	if all.Count() < 2 {
		t.Skip("one processor: nothing to choose from")
	}
	r, err := Open(8, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error("Close:", err)
		}
	}()
	asSince(t, r.RegisterIOWQAffinity([]int{cpu}), "5.14")
	if err := r.RegisterIOWQAffinity([]int{cpuMax}); err == nil {
		t.Error("a processor that nobody has: no error")
	}
	work := func() {
		t.Helper()
		want(t, do(t, r, func(e *SQE) {
			e.PrepNop()
			e.SetFlags(SQEAsync)
		}), 0)
	}
	// Workers follow while they run, or when they next look for work.
	patience.Until(t, "workers on one processor", func() bool {
		work()
		sets := workerSets(t)
		for _, s := range sets {
			if s.Count() != 1 || !s.IsSet(cpu) {
				return false
			}
		}
		return len(sets) > 0
	})
	if err := r.UnregisterIOWQAffinity(); err != nil {
		t.Fatal(err)
	}
	// Workers that there are stay where they are; a receive makes one of the other kind, which is new.
	a, _ := socketpair(t, unix.SOCK_STREAM)
	want(t, do(t, r, func(e *SQE) {
		e.PrepRecv(a, make([]byte, 1), unix.MSG_DONTWAIT)
		e.SetFlags(SQEAsync)
	}), syscall.EAGAIN)
	patience.Until(t, "a worker on all processors", func() bool {
		for _, s := range workerSets(t) {
			if s.Count() == all.Count() {
				return true
			}
		}
		return false
	})
}

// workerSets are the processors of this thread's workers, by the name that the kernel gives to those.
func workerSets(t *testing.T) (sets []unix.CPUSet) {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range tasks {
		comm, err := os.ReadFile("/proc/self/task/" + e.Name() + "/comm")
		if err != nil || strings.TrimSpace(string(comm)) != fmt.Sprintf("iou-wrk-%d", unix.Gettid()) {
			continue
		}
		var tid int
		fmt.Sscan(e.Name(), &tid)
		var s unix.CPUSet
		if unix.SchedGetaffinity(tid, &s) == nil {
			sets = append(sets, s)
		}
	}
	return sets
}

func testRingFD(t *testing.T) {
	need(t, CheckRingFD)
	r := open(t, 8, &Config{WithoutRingFD: true})
	if err := r.UnregisterRingFD(); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("none: want ENXIO, got %v", err)
	}
	for range 20 { // more than a thread has
		if err := r.RegisterRingFD(); err != nil || !r.RingFD() {
			t.Fatal(err)
		}
		want(t, do(t, r, (*SQE).PrepNop), 0)
		if err := r.RegisterRingFD(); !errors.Is(err, syscall.EEXIST) {
			t.Errorf("a second one: want EEXIST, got %v", err)
		}
		if err := r.UnregisterRingFD(); err != nil || r.RingFD() {
			t.Fatal(err)
		}
		want(t, do(t, r, (*SQE).PrepNop), 0)
	}
	if err := r.CloseFD(); err == nil {
		t.Error("CloseFD without another way to the ring: no error")
	}
	if err := r.RegisterRingFD(); err != nil {
		t.Fatal(err)
	}
	fds := openFDs(t)
	if err := r.CloseFD(); errors.Is(err, errors.ErrUnsupported) {
		asSince(t, err, "6.3")
	} else if err != nil {
		t.Fatal(err)
	}
	if n := openFDs(t); n != fds-1 || r.FD() != -1 {
		t.Errorf("%d descriptors, want %d; FD is %d", n, fds-1, r.FD())
	}
	want(t, do(t, r, (*SQE).PrepNop), 0)
	if _, err := r.ProbeOps(); err != nil {
		t.Errorf("a register call by the index: %v", err)
	}
	if err := r.UnregisterRingFD(); !errors.Is(err, syscall.EBADF) {
		t.Errorf("the last way to the ring: want EBADF, got %v", err)
	}
	maps := ringMappings(t)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if n := ringMappings(t); n >= maps {
		t.Errorf("%d mappings after Close, %d before", n, maps)
	}
	if _, errno := r.Enter(0, true, -1); errno != syscall.EBADF {
		t.Errorf("closed: want EBADF, got %v", errno)
	}
}

// testSyncCancel: by each way to match.
func testSyncCancel(t *testing.T) {
	need(t, CheckSyncCancel)
	eachGeometry(t, func(t *testing.T, r *Ring) {
		if r.SQEntries() < 4 {
			t.Skip("too small a ring")
		}
		a, _ := socketpair(t, unix.SOCK_STREAM)
		b, _ := socketpair(t, unix.SOCK_STREAM)
		poll := func(fd int) uint64 {
			return start(t, r, func(e *SQE) { e.PrepPollAdd(fd, unix.POLLIN) })
		}
		one, two, three := poll(a), poll(a), poll(b)
		nobody := uint64(1) << 60
		if _, err := r.SyncCancel(CancelMatch{UserData: &nobody}, waitMax); !errors.Is(err, syscall.ENOENT) {
			t.Errorf("nobody's: want ENOENT, got %v", err)
		}
		if _, err := r.SyncCancel(CancelMatch{UserData: &two}, waitMax); err != nil {
			t.Fatal(err)
		}
		want(t, finish(t, r, two), syscall.ECANCELED)
		if n, err := r.SyncCancel(CancelMatch{FD: &b, All: true}, waitMax); err != nil {
			t.Fatal(n, err)
		}
		want(t, finish(t, r, three), syscall.ECANCELED)
		recv, op := OpRecv, OpPollAdd
		_, err := r.SyncCancel(CancelMatch{Op: &recv, All: true}, waitMax)
		if errors.Is(err, syscall.EINVAL) && !newerThan("6.6") {
			t.Log("no matching by op before Linux 6.6")
			op = 0
		} else if err != nil && !errors.Is(err, syscall.ENOENT) {
			t.Errorf("an op that nobody has: %v", err)
		} else if r.CQReady() != 0 {
			t.Errorf("cancelled by an op that is another")
		}
		m := CancelMatch{Op: &op, UserData: &one}
		if op == 0 {
			m.Op = nil
		}
		if _, err := r.SyncCancel(m, waitMax); err != nil {
			t.Fatal(err)
		}
		want(t, finish(t, r, one), syscall.ECANCELED)
	})
}

func testFileAllocRange(t *testing.T) {
	r := open(t, 8, nil)
	asSince(t, r.RegisterFilesSparse(8), "5.19")
	asSince(t, r.RegisterFileAllocRange(5, 2), "6.0")
	if err := r.RegisterFileAllocRange(7, 2); err == nil {
		t.Error("behind the table's end: no error")
	}
	for _, slot := range []any{5, 6, syscall.ENFILE} {
		c := do(t, r, func(e *SQE) {
			e.PrepSocket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			e.FileIndex = ^uint32(0)
		})
		want(t, c, slot)
	}
}

func testClock(t *testing.T) {
	r := open(t, 8, nil)
	asSince(t, r.RegisterClock(ClockBoottime), "6.12")
	if err := r.RegisterClock(99); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("clock 99: want EINVAL, got %v", err)
	}
	var boot, mono unix.Timespec
	unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot)
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono)
	const short = 20 * time.Millisecond
	for clock, now := range map[Clock]unix.Timespec{ClockBoottime: boot, ClockMonotonic: mono} {
		if err := r.RegisterClock(clock); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		// A point in time of the clock that is set, a little ahead.
		w := Wait{Timeout: time.Duration(now.Nano()) + time.Since(begin) + short, Absolute: true}
		if errno := enterFor(r, 1, w); errno != syscall.ETIME {
			t.Errorf("clock %d: want ETIME, got %v", clock, errno)
		}
	}
}

func testCloneBuffers(t *testing.T) {
	src, dst := open(t, 8, nil), open(t, 8, nil)
	fd := fileOf(t, "0123456789")
	bufs := [][]byte{make([]byte, 2), make([]byte, 3), make([]byte, 4)}
	if err := dst.CloneBuffers(src, BufferRange{}); !errors.Is(err, syscall.ENXIO) {
		asSince(t, err, "6.12")
		t.Errorf("nothing to clone: want ENXIO, got %v", err)
	}
	if err := src.RegisterBuffers(bufs); err != nil {
		t.Fatal(err)
	}
	if err := dst.CloneBuffers(src, BufferRange{}); err != nil {
		t.Fatal(err)
	}
	want(t, readInto(t, dst, fd, bufs[2], 2, 6), 4)
	if string(bufs[2]) != "6789" {
		t.Errorf("read %q", bufs[2])
	}
	if err := dst.CloneBuffers(src, BufferRange{}); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("again: want EBUSY, got %v", err)
	}
	err := dst.CloneBuffers(src, BufferRange{From: 1, To: 0, N: 1, Replace: true})
	if errors.Is(err, syscall.EBUSY) && !newerThan("6.13") {
		t.Skip("ranges need Linux 6.13: ", err)
	}
	asSince(t, err, "6.13")
	want(t, readInto(t, dst, fd, bufs[1], 0, 0), 3) // has become the second
	want(t, readInto(t, dst, fd, bufs[0], 0, 0), syscall.EFAULT)
	want(t, readInto(t, dst, fd, bufs[2], 2, 6), 4) // is as it was
	// The memory stays pinned, and alive, for as long as one of them has it.
	if err := src.UnregisterBuffers(); err != nil {
		t.Fatal(err)
	}
	want(t, readInto(t, dst, fd, bufs[2], 2, 6), 4)
	if err := dst.UnregisterBuffers(); err != nil {
		t.Fatal(err)
	}
}

func testSendMsgRing(t *testing.T) {
	eachGeometry(t, func(t *testing.T, r *Ring) {
		if r.Flags()&SetupSQPoll != 0 {
			t.Skip("a kernel thread's ring")
		}
		sent := make(chan error)
		go func() { sent <- SendMsgRing(r.FD(), 42, 7) }()
		err := <-sent
		asSince(t, err, "6.13")
		c := finish(t, r, 7)
		want(t, c, 42)
		if err := SendMsgRingFlags(r.FD(), 43, 8, 1<<16); err != nil {
			t.Fatal(err)
		}
		c = finish(t, r, 8)
		want(t, c, 43)
		if c.Flags != 1<<16 {
			t.Errorf("flags %#x", c.Flags)
		}
	})
	a, _ := socketpair(t, unix.SOCK_STREAM)
	if err := SendMsgRing(a, 1, 1); err == nil {
		t.Error("to a socket: no error")
	}
}

func testResize(t *testing.T) {
	for _, without := range []SetupFlags{0, SetupNoSQArray} {
		r := open(t, 4, &Config{CQEntries: 4, Without: without})
		if r.Flags()&SetupDeferTaskrun == 0 {
			t.Skip("needs DEFER_TASKRUN (Linux 6.1)")
		}
		for range 3 { // in the CQ
			r.SQE().PrepNop()
			r.Enter(0, true, -1)
		}
		if r.CQReady() != 3 {
			t.Fatalf("%d CQEs of 3", r.CQReady())
		}
		for i := range uint64(3) { // in the SQ
			e := r.SQE()
			e.PrepNop()
			e.SetUserData(100 + i)
		}
		asSince(t, r.Resize(64, 128), "6.13")
		if r.SQEntries() != 64 || r.CQEntries() != 128 {
			t.Fatalf("SQ %d, CQ %d", r.SQEntries(), r.CQEntries())
		}
		if r.SQPending() != 3 || r.CQReady() != 3 {
			t.Fatalf("%d pending and %d ready, want 3 and 3", r.SQPending(), r.CQReady())
		}
		for r.SQSpace() > 0 {
			r.SQE().PrepNop()
		}
		if n, err := r.Wait(67, waitMax); n != 64 || err != nil {
			t.Fatalf("submitted %d, %v", n, err)
		}
		for i := range uint64(67) {
			c := finishReady(t, r)
			if i >= 3 && i < 6 && c.UserData != 97+i {
				t.Errorf("CQE %d: user data %d", i, c.UserData)
			}
		}
		for range 8 {
			r.SQE().PrepNop()
		}
		r.Enter(0, true, -1)
		if err := r.Resize(4, 4); !errors.Is(err, syscall.EOVERFLOW) {
			t.Errorf("8 CQEs into 4 places: want EOVERFLOW, got %v", err)
		}
		if n := r.Drain(make([]CQE, 16)); n != 8 {
			t.Errorf("%d CQEs left", n)
		}
		if err := r.Resize(2, 0); err != nil || r.SQEntries() != 2 || r.CQEntries() != 8 {
			t.Errorf("SQ %d, CQ %d: %v", r.SQEntries(), r.CQEntries(), err)
		}
		want(t, do(t, r, (*SQE).PrepNop), 0)
		if err := r.Resize(1, 0); err == nil {
			t.Error("one entry: no error")
		}
	}
	plain := open(t, 4, &Config{Without: deferral})
	if err := plain.Resize(8, 0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("without DEFER_TASKRUN: want EINVAL, got %v", err)
	}
}

// testResizeMemory moves rings with entries of each size from memory to memory, with what is in them.
func testResizeMemory(t *testing.T) {
	const wide = SetupSQE128 | SetupCQE32
	for _, cfg := range []Config{{}, {With: wide}, {Without: SetupNoSQArray}, {With: SetupRegisteredFDOnly}} {
		var mems [3][]byte
		for i, entries := range []int{8, 64, 4} {
			size, err := MemorySize(entries, &cfg)
			if err != nil {
				t.Fatal(err)
			}
			mems[i] = mapped(t, size)
		}
		cfg.Memory = mems[0]
		r := openWith(t, 8, cfg, "6.10")
		if r.Flags()&SetupDeferTaskrun == 0 {
			t.Skip("needs DEFER_TASKRUN (Linux 6.1)")
		}
		next, seen := uint64(0), uint64(0)
		nops := func(n int) {
			for range n {
				e := r.SQE()
				e.PrepNop()
				e.SetUserData(next)
				next++
			}
		}
		nops(3)
		r.Enter(0, true, -1) // in the CQ
		nops(4)              // in the SQ
		for i, entries := range []int{8, 64, 4} {
			if i == 0 {
				continue
			}
			asSince(t, r.ResizeMemory(entries, 0, mems[i]), "6.13")
			if r.SQEntries() != entries || r.CQEntries() != 4*entries {
				t.Fatalf("%v: SQ %d, CQ %d", r.Flags(), r.SQEntries(), r.CQEntries())
			}
			clear(mems[i-1]) // is nobody's any more
			if r.SQPending() != 4 || r.CQReady() != 3 {
				t.Fatalf("%v: %d pending and %d ready, want 4 and 3", r.Flags(), r.SQPending(), r.CQReady())
			}
			if n, err := r.Wait(7, waitMax); n != 4 || err != nil {
				t.Fatal(n, err)
			}
			for range 4 {
				if c := finishReady(t, r); c.UserData != seen || c.Res != 0 {
					t.Fatalf("%v: want %d, got %+v", r.Flags(), seen, c)
				}
				seen++
			}
			nops(4)
		}
		if err := r.ResizeMemory(64, 0, mems[2]); err == nil {
			t.Error("to where it lies: no error")
		}
		if err := r.ResizeMemory(64, 0, mems[1][:len(mems[1])-1]); err == nil {
			t.Error("too little: no error")
		}
		if err := r.ResizeMemory(64, 0, nil); err == nil {
			t.Error("no memory: no error")
		}
		if err := r.Resize(64, 0); err == nil {
			t.Error("into the kernel's memory: no error")
		}
		if n := r.Drain(make([]CQE, 8)); n != 3 {
			t.Fatalf("%d CQEs", n)
		}
		if n, err := r.Wait(4, waitMax); n != 4 || err != nil || r.Drain(make([]CQE, 8)) != 4 {
			t.Error(n, err)
		}
	}
	if err := open(t, 4, nil).ResizeMemory(8, 0, mapped(t, 1<<16)); err == nil {
		t.Error("a ring in the kernel's memory: no error")
	}
}

func testQuery(t *testing.T) {
	s, err := Query()
	asSince(t, err, "6.18")
	if s.Ops <= int(OpPipe) || s.RegisterOps <= int(RegQuery) || s.Features&FeatNoIOWait == 0 ||
		s.SetupFlags&SetupCQEMixed == 0 || s.SQEFlags&SQECQESkipSuccess == 0 || s.Queries < 1 || s.EnterFlags == 0 {
		t.Errorf("%+v", s)
	}
	r := open(t, 2, nil)
	if r.mask == nil && (r.Features()&^s.Features != 0 || r.Flags()&^s.SetupFlags != 0) {
		t.Errorf("a ring has features %v and flags %v, the kernel says %v and %v", r.Features(), r.Flags(), s.Features,
			s.SetupFlags)
	}
	ops, err := r.ProbeOps()
	if list := ops.List(); err != nil || r.mask == nil && int(list[len(list)-1]) >= s.Ops {
		t.Errorf("the newest op is %v, the kernel says it has %d: %v", list[len(list)-1], s.Ops, err)
	}
}

func testRegisterGeneric(t *testing.T) {
	r := open(t, 4, nil)
	fd := int32(eventfd(t))
	if _, err := r.Register(RegEventfd, unsafe.Pointer(&fd), 1); err != nil {
		t.Fatal(err)
	}
	if err := r.RegisterEventfd(int(fd)); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("want EBUSY, got %v", err)
	}
	if _, err := r.Register(1<<20, nil, 0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a call that nobody has: want EINVAL, got %v", err)
	}
	for op := range registerOps {
		if op.String() == fmt.Sprintf("REGISTER_%d", op) {
			t.Errorf("%d has no name", op)
		}
	}
}
