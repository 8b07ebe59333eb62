//go:build linux

package uring

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A prepTest runs the op of one Prep method for real.
type prepTest struct {
	method string
	needs  []string
	run    func(t *testing.T, r *Ring)
}

var prepTests []prepTest

func TestPrep(t *testing.T) {
	for _, p := range prepTests {
		t.Run(p.method, func(t *testing.T) {
			need(t, p.needs...)
			eachGeometry(t, p.run)
		})
	}
}

// TestPrepTestsAreComplete: a Prep method without a row above has never been seen to work.
func TestPrepTestsAreComplete(t *testing.T) {
	tested := map[string]bool{}
	for _, p := range prepTests {
		tested[p.method] = true
	}
	typ := reflect.TypeFor[*SQE]()
	for i := range typ.NumMethod() {
		if name := typ.Method(i).Name; strings.HasPrefix(name, "Prep") && !tested[name] {
			t.Errorf("%s has no test", name)
		}
	}
}

// TestPrepOverwrites: an entry that held something else is as good as a fresh one, and keeps its user data.
func TestPrepOverwrites(t *testing.T) {
	ts := NewTimespec(time.Second)
	var n uint32
	for name, prep := range map[string]func(e *SQE){
		"nop": (*SQE).PrepNop, "accept": func(e *SQE) { e.PrepAccept(3, 0) },
		"accept addr": func(e *SQE) { e.PrepAcceptAddr(3, nil, &n, 0) },
		"accept multishot": func(e *SQE) {
			e.PrepAcceptMultishot(3, 0)
		}, "connect": func(e *SQE) { e.PrepConnect(3, nil, 1) },
		"recv": func(e *SQE) { e.PrepRecv(3, nil, 0) }, "recv select": func(e *SQE) { e.PrepRecvSelect(3, 1, 0, 0) },
		"recv multishot": func(e *SQE) { e.PrepRecvMultishot(3, 1, 0) }, "send": func(e *SQE) { e.PrepSend(3, nil, 0) },
		"send zc": func(e *SQE) { e.PrepSendZC(3, nil, 0) },
		"sendmsg": func(e *SQE) { e.PrepSendmsg(3, nil, 0) }, "recvmsg": func(e *SQE) { e.PrepRecvmsg(3, nil, 0) },
		"recvmsg select": func(e *SQE) {
			e.PrepRecvmsgSelect(3, nil, 1, 0)
		}, "recvmsg multishot": func(e *SQE) { e.PrepRecvmsgMultishot(3, nil, 1, 0) },
		"shutdown": func(e *SQE) { e.PrepShutdown(3, 1) }, "socket": func(e *SQE) { e.PrepSocket(1, 1, 0) },
		"read": func(e *SQE) { e.PrepRead(3, nil, 0) }, "write": func(e *SQE) { e.PrepWrite(3, nil, 0) },
		"close": func(e *SQE) { e.PrepClose(3) }, "poll": func(e *SQE) { e.PrepPollAdd(3, 1) },
		"poll multishot": func(e *SQE) {
			e.PrepPollMultishot(3, 1)
		}, "poll remove": func(e *SQE) { e.PrepPollRemove(1) },
		"timeout": func(e *SQE) { e.PrepTimeout(&ts, 0, 0) }, "timeout remove": func(e *SQE) { e.PrepTimeoutRemove(1) },
		"cancel": func(e *SQE) { e.PrepCancel(1) }, "cancel fd": func(e *SQE) { e.PrepCancelFD(3) },
		"msg ring": func(e *SQE) { e.PrepMsgRing(3, 1, 1) },
	} {
		fresh, used := SQE{UserData: 7}, SQE{1, 2, 3, 4, 5, 6, 7, 8, 7, 10, 11, 12, 13, 14}
		prep(&fresh)
		prep(&used)
		if fresh != used {
			t.Errorf("%s: fresh entry %+v, used entry %+v", name, fresh, used)
		}
		if fresh.UserData != 7 {
			t.Errorf("%s: user data 7 became %d", name, fresh.UserData)
		}
	}
}

// TestPrepMemoryIsOnTheHeap: what an SQE points to stays where it is although the stack of its owner moves.
func TestPrepMemoryIsOnTheHeap(t *testing.T) {
	r := open(t, 4, nil)
	a, b := socketpair(t, unix.SOCK_STREAM)
	var p [8]byte
	var ts Timespec
	recv := start(t, r, func(e *SQE) { e.PrepRecv(a, p[:], 0) })
	growStack(100)
	write(t, b, "hello")
	want(t, finish(t, r, recv), 5)
	if string(p[:5]) != "hello" {
		t.Errorf("got %q", p)
	}
	ts = NewTimespec(time.Millisecond)
	e := r.SQE()
	e.PrepTimeout(&ts, 0, 0)
	growStack(1000)
	want(t, finish(t, r, 0), syscall.ETIME)
}

//go:noinline
func growStack(n int) byte {
	var frame [1024]byte
	if n > 0 {
		frame[n%len(frame)] = growStack(n - 1)
	}
	return frame[0]
}

func init() {
	prepTests = append(prepTests,
		prepTest{"PrepNop", nil, testNop},
		prepTest{"PrepRead", nil, testRead},
		prepTest{"PrepWrite", nil, testWrite},
		prepTest{"PrepClose", nil, testClose},
		prepTest{"PrepPollAdd", nil, testPollAdd},
		prepTest{"PrepPollMultishot", []string{CheckPollMultishot}, testPollMultishot},
		prepTest{"PrepPollRemove", nil, testPollRemove},
		prepTest{"PrepTimeout", nil, testTimeout},
		prepTest{"PrepTimeoutRemove", nil, testTimeoutRemove},
		prepTest{"PrepCancel", nil, testCancel},
		prepTest{"PrepCancelFD", []string{CheckCancelFD}, testCancelFD},
		prepTest{"PrepMsgRing", []string{CheckMsgRing}, testMsgRing},
	)
}

func testNop(t *testing.T, r *Ring) {
	for range 5 * r.CQEntries() {
		want(t, do(t, r, (*SQE).PrepNop), 0)
	}
}

func testRead(t *testing.T, r *Ring) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, p := int(f.Fd()), make([]byte, 4)
	read := func(off int64, text string) {
		t.Helper()
		want(t, do(t, r, func(e *SQE) { e.PrepRead(fd, p, off) }), len(text))
		if got := string(p[:len(text)]); got != text {
			t.Fatalf("at %d: want %q, got %q", off, text, got)
		}
	}
	read(3, "3456")
	read(8, "89")
	read(10, "")
	read(-1, "0123")
	read(-1, "4567")
	want(t, do(t, r, func(e *SQE) { e.PrepRead(fd, nil, 0) }), 0)
	want(t, do(t, r, func(e *SQE) { e.PrepRead(9999, p, 0) }), syscall.EBADF)
}

func testWrite(t *testing.T, r *Ring) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int(f.Fd())
	abc, de := []byte("abc"), []byte("de")
	want(t, do(t, r, func(e *SQE) { e.PrepWrite(fd, abc, 2) }), 3)
	want(t, do(t, r, func(e *SQE) { e.PrepWrite(fd, de, -1) }), 2)
	got, err := os.ReadFile(f.Name())
	if err != nil || string(got) != "deabc" {
		t.Fatalf("want \"deabc\", got %q, %v", got, err)
	}
	rd, wr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	defer wr.Close()
	want(t, do(t, r, func(e *SQE) { e.PrepWrite(int(wr.Fd()), abc, -1) }), 3)
	p := make([]byte, 9)
	want(t, do(t, r, func(e *SQE) { e.PrepRead(int(rd.Fd()), p, -1) }), 3)
	if string(p[:3]) != "abc" {
		t.Fatalf("through the pipe: %q", p[:3])
	}
}

func testClose(t *testing.T, r *Ring) {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepClose(fd) }), 0)
	want(t, do(t, r, func(e *SQE) { e.PrepClose(fd) }), syscall.EBADF)
}

func testPollAdd(t *testing.T, r *Ring) {
	fd := eventfd(t)
	tag := start(t, r, func(e *SQE) { e.PrepPollAdd(fd, unix.POLLIN) })
	if c, ok := r.CQE(); ok {
		t.Fatalf("not ready, yet %+v", c)
	}
	signalEventfd(t, fd)
	want(t, finish(t, r, tag), unix.POLLIN)
	want(t, do(t, r, func(e *SQE) { e.PrepPollAdd(fd, unix.POLLIN|unix.POLLOUT) }), unix.POLLIN|unix.POLLOUT)
	a, b := socketpair(t, unix.SOCK_STREAM)
	syscall.Close(b)
	c := do(t, r, func(e *SQE) { e.PrepPollAdd(a, unix.POLLOUT) })
	if c.Res&unix.POLLHUP == 0 {
		t.Errorf("peer closed: want POLLHUP unasked, got %#x", c.Res)
	}
}

func testPollMultishot(t *testing.T, r *Ring) {
	fd := eventfd(t)
	tag := start(t, r, func(e *SQE) { e.PrepPollMultishot(fd, unix.POLLIN) })
	for range 3 {
		signalEventfd(t, fd)
		if c := finish(t, r, tag); c.Res != unix.POLLIN || !c.More() {
			t.Fatalf("want POLLIN and more to come, got %+v", c)
		}
	}
	endByRemoval(t, r, tag, (*SQE).PrepPollRemove)
}

// endByRemoval removes a request: the removal answers 0 and the request ECANCELED, in any order.
func endByRemoval(t *testing.T, r *Ring, tag uint64, remove func(*SQE, uint64)) {
	t.Helper()
	removal := start(t, r, func(e *SQE) { remove(e, tag) })
	got := map[uint64]CQE{}
	for len(got) < 2 {
		if _, err := r.Wait(1, waitMax); err != nil {
			t.Fatal(err)
		}
		for c, ok := r.CQE(); ok; c, ok = r.CQE() {
			got[c.UserData] = c
		}
	}
	want(t, got[removal], 0)
	want(t, got[tag], syscall.ECANCELED)
	if got[tag].More() {
		t.Errorf("cancelled, yet more to come: %+v", got[tag])
	}
}

func testPollRemove(t *testing.T, r *Ring) {
	fd := eventfd(t)
	endByRemoval(t, r, start(t, r, func(e *SQE) { e.PrepPollAdd(fd, unix.POLLIN) }), (*SQE).PrepPollRemove)
	want(t, do(t, r, func(e *SQE) { e.PrepPollRemove(lastTag.Load() + 99) }), syscall.ENOENT)
}

func testTimeout(t *testing.T, r *Ring) {
	const d = 5 * time.Millisecond
	ts := new(Timespec)
	*ts = NewTimespec(d)
	begin := time.Now()
	want(t, do(t, r, func(e *SQE) { e.PrepTimeout(ts, 0, 0) }), syscall.ETIME)
	if took := time.Since(begin); took < d {
		t.Errorf("a timer of %v fired after %v", d, took)
	}
	// With a count the timer also ends when so many other requests have.
	*ts = NewTimespec(time.Hour)
	timer := start(t, r, func(e *SQE) { e.PrepTimeout(ts, 1, 0) })
	*ts = Timespec{} // consumed: the kernel has its copy
	nop := start(t, r, (*SQE).PrepNop)
	want(t, finish(t, r, nop), 0)
	want(t, finish(t, r, timer), 0)
}

func testTimeoutRemove(t *testing.T, r *Ring) {
	ts := new(Timespec)
	*ts = NewTimespec(time.Hour)
	endByRemoval(t, r, start(t, r, func(e *SQE) { e.PrepTimeout(ts, 0, 0) }), (*SQE).PrepTimeoutRemove)
	want(t, do(t, r, func(e *SQE) { e.PrepTimeoutRemove(lastTag.Load() + 99) }), syscall.ENOENT)
}

func testCancel(t *testing.T, r *Ring) {
	a, _ := socketpair(t, unix.SOCK_STREAM)
	p := make([]byte, 8)
	endByRemoval(t, r, start(t, r, func(e *SQE) { e.PrepRecv(a, p, 0) }), (*SQE).PrepCancel)
	want(t, do(t, r, func(e *SQE) { e.PrepCancel(lastTag.Load() + 99) }), syscall.ENOENT)
}

func testCancelFD(t *testing.T, r *Ring) {
	a, _ := socketpair(t, unix.SOCK_STREAM)
	other := eventfd(t)
	polls := 1
	if r.CQEntries() > 2 {
		polls = 3
	}
	left := start(t, r, func(e *SQE) { e.PrepPollAdd(other, unix.POLLIN) })
	pending := map[uint64]bool{}
	for range polls {
		pending[start(t, r, func(e *SQE) { e.PrepPollAdd(a, unix.POLLIN) })] = true
	}
	cancel := start(t, r, func(e *SQE) { e.PrepCancelFD(a) })
	for range polls + 1 {
		if _, err := r.Wait(1, waitMax); err != nil {
			t.Fatal(err)
		}
		c, _ := r.CQE()
		switch {
		case c.UserData == cancel:
			want(t, c, polls)
		case pending[c.UserData]:
			want(t, c, syscall.ECANCELED)
			delete(pending, c.UserData)
		default:
			t.Fatalf("CQE of nobody: %+v", c)
		}
	}
	want(t, do(t, r, func(e *SQE) { e.PrepCancelFD(a) }), 0)
	signalEventfd(t, other)
	want(t, finish(t, r, left), unix.POLLIN)
}

func testMsgRing(t *testing.T, r *Ring) {
	other, err := Open(2, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	want(t, do(t, r, func(e *SQE) { e.PrepMsgRing(other.FD(), -5, 77) }), 0)
	if _, err := other.Wait(1, waitMax); err != nil {
		t.Fatal(err)
	}
	if c, ok := other.CQE(); !ok || c != (CQE{UserData: 77, Res: -5}) {
		t.Errorf("want 77 and -5, got %+v, %v", c, ok)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepMsgRing(eventfd(t), 0, 0) }), syscall.EBADFD)
}
