//go:build linux

package uring

import (
	"runtime"
	"syscall"
	"testing"
	"time"
)

func TestSmoke(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, err := Open(8, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r.Flags(), r.Features(), r.SQEntries(), r.CQEntries(), r.RingFD())
	for i := range 100 {
		e := r.SQE()
		e.PrepNop()
		e.SetUserData(uint64(i))
		n, errno := r.Enter(1, false, time.Second)
		c, ok := r.CQE()
		if n != 1 || errno != 0 || !ok || c.UserData != uint64(i) {
			t.Fatal(n, errno, c, ok)
		}
	}
	_, errno := r.Enter(1, false, time.Millisecond)
	if errno != syscall.ETIME {
		t.Fatal(errno)
	}
	b, err := r.BufRing(1, 4, 100)
	if err != nil {
		t.Fatal(err)
	}
	fds, _ := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	r.SQE().PrepRecvMultishot(fds[0], 1, 0)
	syscall.Write(fds[1], []byte("hello"))
	r.Wait(1, time.Second)
	c, _ := r.CQE()
	t.Log(c, string(b.Bytes(c.BufID())[:c.Res]))
	ops, err := r.ProbeOps()
	t.Log(ops.List(), err)
	t.Log(r.CancelAll(-1))
	t.Log(r.Wait(1, time.Second))
	t.Log(r.CQE())
	t.Log(b.Close(), r.Close(), r.Close())
}
