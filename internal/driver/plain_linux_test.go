//go:build linux

package driver_test

import (
	"testing"

	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/sys"

	"golang.org/x/sys/unix"
)

// What Host does without an op is what the op's call does: bytes, an end, an error, and nothing where it would wait.
func TestHost(t *testing.T) {
	ns, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0) // blocking: Host must not be
	if err != nil {
		t.Fatal(err)
	}
	var a, b fd.FD
	a.Init(int32(ns[0]))
	b.Init(int32(ns[1]))
	defer unix.Close(ns[0])
	var h driver.Plain = driver.Host{}
	p := make([]byte, 8)
	want := func(what string, res int32, ok bool, wantRes int32, wantOK bool) {
		t.Helper()
		if ok != wantOK || ok && res != wantRes {
			t.Errorf("%s: %d, %v; want %d, %v", what, res, ok, wantRes, wantOK)
		}
	}
	res, ok := h.Receive(&a, p)
	want("a receive of nothing", res, ok, 0, false)
	if res := driver.Call(&op.Op{Code: op.Recv, FD: &a, Buf: p}); res != -sys.EAGAIN {
		t.Errorf("the op's call gave %d", res)
	}
	res, ok = h.Send(&b, []byte("hello"))
	want("a send", res, ok, 5, true)
	res, ok = h.Receive(&a, p)
	want("a receive", res, ok, 5, true)
	if string(p[:5]) != "hello" {
		t.Errorf("received %q", p[:5])
	}
	full := false
	for range 1 << 12 {
		if _, ok = h.Send(&b, make([]byte, 1<<12)); !ok {
			full = true
			break
		}
	}
	if !full {
		t.Error("16 MiB went into a socket that nobody reads")
	}
	unix.Close(ns[1])
	for res, ok = 1, true; ok && res > 0; {
		res, ok = h.Receive(&a, make([]byte, 1<<16))
	}
	want("a receive at the end", res, ok, 0, true)
	res, ok = h.Send(&a, p)
	want("a send to nobody", res, ok, -int32(unix.EPIPE), true)
}
