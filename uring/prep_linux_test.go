//go:build linux

package uring

import (
	"os"
	"path/filepath"
	"reflect"
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

// TestPrepTestsAreComplete: a method of an entry without a row above has never been seen to work.
func TestPrepTestsAreComplete(t *testing.T) {
	tested := map[string]bool{"SetUserData": true, "SetFlags": true} // by all tests
	for _, p := range prepTests {
		tested[p.method] = true
	}
	typ := reflect.TypeFor[*SQE]()
	for i := range typ.NumMethod() {
		if name := typ.Method(i).Name; !tested[name] {
			t.Errorf("%s has no test", name)
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
		prepTest{"PrepRead", nil, testRead},
		prepTest{"PrepWrite", nil, testWrite},
	)
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

// endByRemoval removes a request: the removal answers 0 and the request ECANCELED, in any order.
func endByRemoval(t *testing.T, r *Ring, tag uint64, remove func(*SQE, uint64)) {
	t.Helper()
	want(t, removed(t, r, tag, remove), 0)
}

// endByCancel cancels a wait for a process or futex: the kernel tells the number of those cancelled, asked for or not.
func endByCancel(t *testing.T, r *Ring, tag uint64) {
	t.Helper()
	if c := removed(t, r, tag, (*SQE).PrepCancel); c.Res != 0 && c.Res != 1 {
		t.Fatalf("cancel: %s", result(c.Res))
	}
}

// removed removes a request, which ends with ECANCELED, and returns what the removal said.
func removed(t *testing.T, r *Ring, tag uint64, remove func(*SQE, uint64)) CQE {
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
	want(t, got[tag], syscall.ECANCELED)
	if got[tag].More() {
		t.Errorf("cancelled, yet more to come: %+v", got[tag])
	}
	return got[removal]
}
