//go:build linux

package uring

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
	"ringo/internal/test/patience"
)

// rawCall makes one of the three system calls as it is given.
func rawCall(number uintptr, args ...uintptr) (int, syscall.Errno) {
	var a [6]uintptr
	copy(a[:], args)
	n, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	return int(n), errno
}

// TestCallsRefuse: what io_uring_setup, enter and register say to arguments that make no sense.
func TestCallsRefuse(t *testing.T) {
	r := open(t, 8, &Config{WithoutRingFD: true})
	p := new(abi.Io_uring_params)
	params := uintptr(unsafe.Pointer(p))
	rd, _ := pipe(t)
	ring, plain := uintptr(r.FD()), uintptr(rd)
	const setup, enter, register = abi.SYS_io_uring_setup, abi.SYS_io_uring_enter, abi.SYS_io_uring_register
	for _, c := range []struct {
		name   string
		flags  uint32 // of params
		number uintptr
		args   []uintptr
		want   []syscall.Errno
	}{
		{"setup of no entries", 0, setup, []uintptr{0, params}, []syscall.Errno{syscall.EINVAL}},
		{"setup of too many entries", 0, setup, []uintptr{1 << 20, params}, []syscall.Errno{syscall.EINVAL}},
		{"setup without parameters", 0, setup, []uintptr{8, 0}, []syscall.Errno{syscall.EFAULT}},
		{"setup with unknown flags", 1 << 31, setup, []uintptr{8, params}, []syscall.Errno{syscall.EINVAL}},
		{"setup of a processor for no thread", abi.IORING_SETUP_SQ_AFF, setup, []uintptr{8, params},
			[]syscall.Errno{syscall.EINVAL}},
		{"setup of a CQ of no size", abi.IORING_SETUP_CQSIZE, setup, []uintptr{8, params},
			[]syscall.Errno{syscall.EINVAL}},
		{"setup in memory that is none", abi.IORING_SETUP_NO_MMAP, setup, []uintptr{8, params},
			[]syscall.Errno{syscall.EFAULT, syscall.EINVAL}}, // EINVAL before Linux 6.5
		{"enter of nothing open", 0, enter, []uintptr{9999, 0, 0, 0, 0, 0}, []syscall.Errno{syscall.EBADF}},
		{"enter of a pipe", 0, enter, []uintptr{plain, 0, 0, 0, 0, 0}, []syscall.Errno{syscall.EOPNOTSUPP}},
		{"enter with unknown flags", 0, enter, []uintptr{ring, 0, 0, 1 << 30, 0, 0}, []syscall.Errno{syscall.EINVAL}},
		{"enter with an argument cut short", 0, enter,
			[]uintptr{ring, 0, 1, abi.IORING_ENTER_GETEVENTS | abi.IORING_ENTER_EXT_ARG, params, 3},
			[]syscall.Errno{syscall.EINVAL}},
		{"register at nothing open", 0, register, []uintptr{9999, abi.IORING_REGISTER_PROBE, 0, 0},
			[]syscall.Errno{syscall.EBADF}},
		{"register at a pipe", 0, register, []uintptr{plain, abi.IORING_REGISTER_PROBE, 0, 0},
			[]syscall.Errno{syscall.EOPNOTSUPP, syscall.EBADFD}},
		{"register of what there is not", 0, register, []uintptr{ring, 9999, 0, 0}, []syscall.Errno{syscall.EINVAL}},
		{"register of no buffers", 0, register, []uintptr{ring, abi.IORING_REGISTER_BUFFERS, params, 0},
			[]syscall.Errno{syscall.EINVAL}},
		{"register of buffers nowhere", 0, register, []uintptr{ring, abi.IORING_REGISTER_BUFFERS, 0, 1},
			[]syscall.Errno{syscall.EFAULT, 0}}, // since 6.x one that is empty
		{"register of too many buffers", 0, register, []uintptr{ring, abi.IORING_REGISTER_BUFFERS, params, 1 << 20},
			[]syscall.Errno{syscall.EINVAL}},
		{"register of no files", 0, register, []uintptr{ring, abi.IORING_REGISTER_FILES, params, 0},
			[]syscall.Errno{syscall.EINVAL}},
		{"register of files nowhere", 0, register, []uintptr{ring, abi.IORING_REGISTER_FILES, 0, 1},
			[]syscall.Errno{syscall.EFAULT}},
		{"register of too many files", 0, register, []uintptr{ring, abi.IORING_REGISTER_FILES, params, 1 << 30},
			[]syscall.Errno{syscall.EMFILE, syscall.EINVAL}},
		{"unregister of files that there are not", 0, register, []uintptr{ring, abi.IORING_UNREGISTER_FILES, 0, 0},
			[]syscall.Errno{syscall.ENXIO}},
		{"unregister with an argument", 0, register, []uintptr{ring, abi.IORING_UNREGISTER_BUFFERS, params, 1},
			[]syscall.Errno{syscall.EINVAL, syscall.ENXIO}},
	} {
		*p = abi.Io_uring_params{Flags: c.flags}
		n, errno := rawCall(c.number, c.args...)
		ok := false
		for _, want := range c.want {
			ok = ok || errno == want
		}
		if !ok {
			t.Errorf("%s: want %v, got %d, %v", c.name, c.want, n, errno)
		}
		if errno == 0 && c.number == setup {
			unix.Close(n)
		}
		r.UnregisterBuffers()
	}
	want(t, do(t, r, (*SQE).PrepNop), 0)
}

// TestGarbage: parameters and entries of chance are refused or done, and the kernel and the ring live on.
func TestGarbage(t *testing.T) {
	needSafeEnds(t)
	random := rand.New(rand.NewPCG(1, 2))
	t.Run("setup", func(t *testing.T) {
		need(t)
		for range 200 {
			p := &abi.Io_uring_params{Cq_entries: random.Uint32N(64), Flags: random.Uint32() & random.Uint32(),
				Sq_thread_cpu: random.Uint32N(4), Sq_thread_idle: 1, Wq_fd: random.Uint32N(8)}
			p.Flags &^= abi.IORING_SETUP_NO_MMAP // whose addresses would be ours
			if n, errno := rawCall(abi.SYS_io_uring_setup, uintptr(random.Uint32N(64)),
				uintptr(unsafe.Pointer(p))); errno == 0 {
				unix.Close(n)
			}
		}
	})
	t.Run("register", func(t *testing.T) {
		r := open(t, 8, &Config{WithoutRingFD: true})
		p := new([64]uint64)
		for op := range 40 {
			if op == abi.IORING_REGISTER_RESTRICTIONS || op == abi.IORING_REGISTER_RESIZE_RINGS {
				continue
			}
			for _, arg := range []uintptr{0, uintptr(unsafe.Pointer(p))} {
				for _, n := range []uintptr{0, 1, 1 << 31} {
					rawCall(abi.SYS_io_uring_register, uintptr(r.FD()), uintptr(op), arg, n)
				}
			}
		}
		want(t, do(t, r, (*SQE).PrepNop), 0)
	})
	t.Run("entries", func(t *testing.T) {
		r := open(t, 8, nil)
		mem := pages(t, 1)
		rd, _ := pipe(t)
		harmless := []Op{OpNop, OpReadv, OpRead, OpPollAdd, OpPollRemove, OpTimeoutRemove, OpAsyncCancel, OpRecv,
			OpRecvmsg,
			OpAccept, OpTee, OpRemoveBuffers, OpFutexWake, OpEpollCtl, OpLinkTimeout, OpMsgRing, 200, 255}
		tag := uint64(0)
		for range 2000 {
			e := r.SQE()
			*e = SQE{Op: harmless[random.IntN(len(harmless))], Flags: SQEFlags(random.Uint32()) &^ SQECQESkipSuccess,
				IOPrio: uint16(random.Uint32() & random.Uint32()), FD: int32(rd), Off: random.Uint64(),
				Addr: uint64(uintptr(unsafe.Pointer(&mem[0]))), Len: random.Uint32N(100),
				OpFlags:  random.Uint32() & random.Uint32(),
				BufIndex: uint16(random.Uint32N(3)), FileIndex: random.Uint32N(3)}
			e.Flags &^= SQELink | SQEHardLink | SQEDrain
			tag++
			e.SetUserData(tag)
			if _, err := r.Submit(); err != nil {
				t.Fatal(err)
			}
			r.Enter(0, true, -1)
			for _, ok := r.CQE(); ok; _, ok = r.CQE() {
			}
		}
		if err := r.CancelAll(waitMax); err != nil {
			t.Log(err)
		}
		r.Enter(0, true, -1)
		for _, ok := r.CQE(); ok; _, ok = r.CQE() {
		}
	})
}

// TestAllSizes fills the SQ and the CQ of rings of each size up to 4096, and sees every entry's answer.
func TestAllSizes(t *testing.T) {
	need(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for entries := 2; entries <= 4096; entries *= 2 {
		r, err := openPatiently(entries, &Config{CQEntries: 2 * entries})
		if err != nil {
			t.Skip(entries, err)
		}
		for round := range 2 {
			for i := range entries {
				e := r.SQE()
				e.PrepNop()
				e.SetUserData(uint64(i + 1))
			}
			if r.SQE() != nil || r.SQSpace() != 0 || r.SQPending() != entries {
				t.Errorf("%d entries: full, yet space for %d", entries, r.SQSpace())
			}
			if n, err := r.Submit(); n != entries || err != nil {
				t.Fatalf("%d entries: submitted %d, %v", entries, n, err)
			}
			if r.SQSpace() != entries {
				t.Errorf("%d entries: submitted, and space for %d", entries, r.SQSpace())
			}
			if round == 0 && r.CQReady() != entries { // nops complete at once
				t.Errorf("%d entries: %d are ready", entries, r.CQReady())
			}
		}
		for i := range 2 * entries {
			c, ok := r.CQE()
			if !ok || c.UserData != uint64(i%entries+1) {
				t.Fatalf("%d entries: CQE %d is %+v, %v", entries, i, c, ok)
			}
			if r.CQReady() != 2*entries-1-i {
				t.Fatalf("%d entries: %d are ready after %d", entries, r.CQReady(), i+1)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWaits: how long a wait lasts, what ends it, and what it returns.
func TestWaits(t *testing.T) {
	need(t, CheckExtArg)
	nop := (*SQE).PrepNop
	runBoth(t, []ringCase{
		{"more is waited for than comes", func(t *testing.T, r *Ring) {
			fd := eventfd(t)
			start(t, r, func(e *SQE) { e.PrepPollAdd(fd, unix.POLLIN) })
			signalEventfd(t, fd)
			begin := time.Now()
			r.Enter(2, true, 5*time.Millisecond)
			if took := time.Since(begin); took < 5*time.Millisecond {
				t.Errorf("it took %v", took)
			}
			again := func() { r.Enter(2, true, 5*time.Millisecond) }
			patience.UntilBy(t, "the one comes", again, func() bool { return r.CQReady() > 0 })
			if n := r.CQReady(); n != 1 {
				t.Errorf("%d are ready, want the one that came", n)
			}
		}},
		{"submits and waits at once, and once", func(t *testing.T, r *Ring) {
			r.SQE().PrepNop()
			r.SQE().PrepNop()
			patience.Within("a wait for two that come", func() {
				n, err := r.Wait(2, endless)
				if n != 2 && r.Flags()&SetupSQPoll == 0 || err != nil || r.CQReady() != 2 {
					t.Errorf("submitted %d, %v, %d ready", n, err, r.CQReady())
				}
			})
		}},
		{"what is there is not waited for", func(t *testing.T, r *Ring) {
			start(t, r, nop)
			for range 2 {
				if _, err := r.Wait(1, waitMax); err != nil {
					t.Fatal(err)
				}
			}
			r.CQE()
		}},
		{"a timer of an entry does not disturb", func(t *testing.T, r *Ring) {
			ts := after(time.Millisecond)
			want(t, do(t, r, nop), 0)
			begin := time.Now()
			want(t, do(t, r, func(e *SQE) { e.PrepTimeout(ts, 0, 0) }), syscall.ETIME)
			if took := time.Since(begin); took < time.Millisecond {
				t.Errorf("it took %v", took)
			}
		}},
		{"the number that is waited for counts", func(t *testing.T, r *Ring) {
			ts := after(2 * time.Millisecond)
			timer := start(t, r, func(e *SQE) { e.PrepTimeout(ts, 0, 0) })
			first := start(t, r, nop)
			if _, err := r.Wait(2, waitMax); err != nil || r.CQReady() < 2 {
				t.Errorf("%v, %d are ready", err, r.CQReady())
			}
			finishAll(t, r, first, timer)
		}},
		{"empty submits", func(t *testing.T, r *Ring) {
			for range 100 {
				if n, err := r.Submit(); n != 0 || err != nil {
					t.Fatal(n, err)
				}
			}
		}},
	})
}

// TestTimers: many timers, their order, what counts for them, and what a link makes of them.
func TestTimers(t *testing.T) {
	at := func(d time.Duration, count uint32) func(e *SQE) {
		ts := after(d)
		return func(e *SQE) { e.PrepTimeout(ts, count, 0) }
	}
	nop := (*SQE).PrepNop
	runBoth(t, []ringCase{
		{"in the order of their times", func(t *testing.T, r *Ring) {
			if !newerThan("6.2") {
				t.Skip("Linux 6.1 keeps another order, and makes other CQEs")
			}
			tags := startAll(t, r, at(500*time.Millisecond, 0), at(time.Millisecond, 0), at(200*time.Millisecond, 0))
			order := []uint64{tags[1], tags[2], tags[0]}
			for i, c := range takeAll(t, r, 3) {
				want(t, c, syscall.ETIME)
				if c.UserData != order[i] {
					t.Errorf("number %d is that of %d, want %d", i, c.UserData, order[i])
				}
			}
		}},
		{"in the order of their counts", func(t *testing.T, r *Ring) {
			three := start(t, r, at(time.Hour, 3))
			one := start(t, r, at(time.Hour, 1))
			for range 3 {
				start(t, r, nop)
			}
			var order []uint64
			for _, c := range takeAll(t, r, 5) {
				if c.UserData == one || c.UserData == three {
					want(t, c, 0)
					order = append(order, c.UserData)
				}
			}
			if len(order) != 2 || order[0] != one {
				t.Errorf("in the order %v, want %d first", order, one)
			}
		}},
		{"a link breaks at ETIME, but not with ETIME_SUCCESS", func(t *testing.T, r *Ring) {
			wantAll(t, finishAll(t, r, startAll(t, r, linked(at(0, 0)), nop)...), syscall.ETIME, syscall.ECANCELED)
			ts := after(0)
			cqes := finishAll(t, r,
				startAll(t, r, linked(func(e *SQE) { e.PrepTimeout(ts, 0, TimeoutETimeSuccess) }), nop)...)
			if needFlag(t, cqes[0], "TIMEOUT_ETIME_SUCCESS", "5.16"); cqes[0].Res != -int32(syscall.ETIME) ||
				cqes[1].Res != 0 {
				t.Errorf("%+v", cqes)
			}
		}},
		{"a link that is cancelled", func(t *testing.T, r *Ring) {
			tags := startAll(t, r, linked(at(time.Hour, 0)), nop)
			cancel := start(t, r, func(e *SQE) { e.PrepTimeoutRemove(tags[0]) })
			wantAll(t, finishAll(t, r, append(tags, cancel)...), syscall.ECANCELED, syscall.ECANCELED, 0)
		}},
		{"multishot, past a full CQ", func(t *testing.T, r *Ring) {
			ts := after(100 * time.Microsecond)
			const n = 400 // more than the CQ has room for
			tag := start(t, r, func(e *SQE) { e.PrepTimeout(ts, n, TimeoutMultishot) })
			for i := range n {
				c := takeOne(t, r)
				needFlag(t, c, "TIMEOUT_MULTISHOT", "6.4")
				want(t, c, syscall.ETIME)
				if c.UserData != tag {
					t.Fatal("CQE of nobody")
				}
				if !c.More() {
					t.Logf("it ended after %d", i+1)
					return
				}
			}
		}},
		{"updated, multishot", func(t *testing.T, r *Ring) {
			late, soon := after(time.Hour), after(time.Millisecond)
			tag := start(t, r, func(e *SQE) { e.PrepTimeout(late, 2, TimeoutMultishot) })
			update := start(t, r, func(e *SQE) { e.PrepTimeoutUpdate(tag, soon, 0) })
			for range 2 {
				c := takeOne(t, r)
				if c.UserData == tag {
					needFlag(t, c, "TIMEOUT_MULTISHOT", "6.4")
					want(t, c, syscall.ETIME)
				} else if c.UserData == update {
					want(t, c, 0)
				}
			}
		}},
		{"signals an eventfd", func(t *testing.T, r *Ring) {
			fd := eventfd(t)
			if err := r.RegisterEventfd(fd); err != nil {
				t.Fatal(err)
			}
			unix.SetNonblock(fd, false)
			tag := start(t, r, at(time.Millisecond, 0))
			if n, err := unix.Read(fd, make([]byte, 8)); n != 8 || err != nil {
				t.Errorf("read %d, %v", n, err)
			}
			want(t, finish(t, r, tag), syscall.ETIME)
		}},
	})
}

// takeOne waits for one CQE and takes no more than that.
func takeOne(t *testing.T, r *Ring) CQE {
	t.Helper()
	if _, err := r.Wait(1, waitMax); err != nil {
		t.Fatal(err)
	}
	c, _ := r.CQE()
	return c
}

// TestEventfds: what they signal beside the completions of their ring's own NOPs, which TestRegisterEventfd has.
func TestEventfds(t *testing.T) {
	count := func(fd int) (n uint64) {
		unix.Read(fd, unsafe.Slice((*byte)(unsafe.Pointer(&n)), 8))
		return n
	}
	runCases(t, []ringCase{
		{"each other's", func(t *testing.T, r *Ring) {
			// A poll of the eventfd that the other ring signals.
			other := ringOf(t, 4)
			fd := eventfd(t)
			if err := other.RegisterEventfd(fd); err != nil {
				t.Fatal(err)
			}
			tag := start(t, r, func(e *SQE) { e.PrepPollAdd(fd, unix.POLLIN) })
			want(t, do(t, other, (*SQE).PrepNop), 0)
			want(t, finish(t, r, tag), unix.POLLIN)
		}},
		{"of a poll that fires", func(t *testing.T, r *Ring) {
			fd, polled := eventfd(t), eventfd(t)
			if err := r.RegisterEventfd(fd); err != nil {
				t.Fatal(err)
			}
			tag := start(t, r, func(e *SQE) { e.PrepPollAdd(polled, unix.POLLIN) })
			signalEventfd(t, polled)
			unix.SetNonblock(fd, false)
			if count(fd) == 0 {
				t.Error("not signalled")
			}
			want(t, finish(t, r, tag), unix.POLLIN)
		}},
	})
}

// TestFdinfo: what /proc tells of a ring can be read while it works, and while its thread comes and goes.
func TestFdinfo(t *testing.T) {
	for _, sqpoll := range []bool{false, true} {
		r := open(t, 32, &Config{SQPoll: sqpoll, SQPollIdle: map[bool]time.Duration{true: time.Millisecond}[sqpoll]})
		name := fmt.Sprint("/proc/self/fdinfo/", r.FD())
		var stop atomic.Bool
		done := make(chan error, 1)
		go func() {
			for !stop.Load() {
				if _, err := os.ReadFile(name); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		for range 300 {
			want(t, do(t, r, (*SQE).PrepNop), 0)
		}
		stop.Store(true)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if text, err := os.ReadFile(name); err != nil || !strings.Contains(string(text), "Sq") {
			t.Logf("fdinfo: %q, %v", text, err)
		}
	}
}

// TestMessagesOverflow: messages to a ring whose CQ is full wait there or are refused, and none is made up.
func TestMessagesOverflow(t *testing.T) {
	need(t, CheckMsgRing)
	r := open(t, 64, nil)
	other, err := Open(2, &Config{CQEntries: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	sent := 0
	for i := range 8 {
		switch c := do(t, r, func(e *SQE) { e.PrepMsgRing(other.FD(), int32(i), 77) }); c.Res {
		case 0:
			sent++
		case -int32(syscall.EOVERFLOW):
		default:
			t.Fatal(result(c.Res))
		}
	}
	for i, c := range takeAll(t, other, sent) {
		if c.UserData != 77 || int(c.Res) < i {
			t.Errorf("message %d is %+v", i, c)
		}
	}
	if sent < 2 {
		t.Errorf("%d messages went", sent)
	}
}

// TestFileTables: places that are filled, changed and emptied, also while requests use them.
func TestFileTables(t *testing.T) {
	runCases(t, []ringCase{
		{"a request keeps the file that it began with", func(t *testing.T, r *Ring) {
			rd, wr := pipe(t)
			rd2, _ := pipe(t)
			if err := r.RegisterFiles([]int{rd, -1}); err != nil {
				t.Fatal(err)
			}
			p := make([]byte, 8)
			tag := start(t, r, func(e *SQE) { e.PrepRead(0, p, -1); e.SetFlags(SQEFixedFile) })
			for _, fd := range []int{rd2, -1, rd2} {
				if _, err := r.UpdateFiles(0, []int{fd}); err != nil {
					t.Fatal(err)
				}
			}
			write(t, wr, "text")
			want(t, finish(t, r, tag), 4)
		}},
		{"grown, shrunk and replaced", func(t *testing.T, r *Ring) {
			fds := make([]int, 100)
			for i := range fds {
				fds[i] = -1
			}
			if err := r.RegisterFiles(fds); err != nil {
				t.Fatal(err)
			}
			if err := r.RegisterFiles(fds); err == nil {
				t.Error("two tables at once")
			}
			if _, err := r.UpdateFiles(99, []int{-1, -1}); err == nil {
				t.Error("updated beyond the end")
			}
			_, fd := openNew(t)
			for i := range fds {
				fds[i] = fd
			}
			if n, err := r.UpdateFiles(0, fds); n != 100 || err != nil {
				t.Error(n, err)
			}
			if n, err := r.UpdateFiles(10, []int{-1, -1, 9999, -1}); n != 2 || err != nil {
				t.Errorf("updated %d of 4, of which the third is bad, %v", n, err)
			}
			for i, text := range map[int]string{9: "text", 10: syscall.EBADF.Error(), 12: "text", 99: "text"} {
				if got := readFixed(t, r, i); got != text && (i != 12 || got != syscall.EBADF.Error()) {
					t.Errorf("place %d reads %q", i, got)
				}
			}
			if err := r.UnregisterFiles(); err != nil {
				t.Fatal(err)
			}
			if err := r.RegisterFiles([]int{fd}); err != nil {
				t.Fatal(err)
			}
			if got := readFixed(t, r, 0); got != "text" {
				t.Errorf("the new table reads %q", got)
			}
		}},
		{"bad from the start", func(t *testing.T, r *Ring) {
			_, fd := openNew(t)
			if err := r.RegisterFiles([]int{fd, 9999}); err == nil {
				t.Error("a table with a bad descriptor")
			}
			if err := r.RegisterFiles([]int{fd, r.FD()}); err == nil {
				t.Error("a table with a ring")
			}
			if err := r.RegisterFiles([]int{fd}); err != nil {
				t.Error("after that:", err)
			}
		}},
		{"of two rings", func(t *testing.T, r *Ring) {
			other := ringOf(t, 4)
			_, fd := openNew(t)
			for _, ring := range []*Ring{r, other} {
				if err := ring.RegisterFiles([]int{fd, -1}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := r.UpdateFiles(0, []int{-1}); err != nil {
				t.Fatal(err)
			}
			if got := readFixed(t, other, 0); got != "text" {
				t.Errorf("the other ring's table reads %q", got)
			}
		}},
		{"unregistered while in use", func(t *testing.T, r *Ring) {
			rd, wr := pipe(t)
			if err := r.RegisterFiles([]int{rd}); err != nil {
				t.Fatal(err)
			}
			tag := start(t, r, func(e *SQE) { e.PrepPollAdd(0, unix.POLLIN); e.SetFlags(SQEFixedFile) })
			write(t, wr, "x") // kernels before 6.4 wait until it is out of use
			if err := r.UnregisterFiles(); err != nil {
				t.Fatal(err)
			}
			want(t, finish(t, r, tag), unix.POLLIN)
		}},
	})
}
