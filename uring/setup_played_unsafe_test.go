package uring

import (
	"testing"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
)

// What only kernels have that are newer than those here is played.

// testSQEMixed: entries of 128 bytes take two places that lie together, and a NOP fills the last one if need be.
func testSQEMixed(t *testing.T) {
	k := &fakeKernel{}
	r := openFake(t, k, 8, Config{With: SetupSQEMixed})
	var got []uint64
	k.onEnter = func(uint32, uint32, uint32, *abi.Io_uring_getevents_arg) posix.Errno {
		for k.pending() > 0 {
			at := *k.sqHead & 7
			e := k.consume()
			switch {
			case e.Op.takesTwo():
				if at == 7 {
					t.Error("an entry of 128 bytes at the SQ's end")
				}
				rest := k.consume()
				if rest != (SQE{Op: 0x55, Addr3: e.UserData}) {
					t.Errorf("its second half: %+v", rest)
				}
			case e.Flags&SQECQESkipSuccess != 0:
				if at != 7 || e.Op != OpNop {
					t.Errorf("%+v fills place %d", e, at)
				}
				continue
			}
			got = append(got, e.UserData)
		}
		return 0
	}
	next, big := uint64(1), 0
	for turn := range 200 {
		for i := turn; ; i++ {
			if i%3 == 0 {
				e := r.SQE128()
				if e == nil {
					break
				}
				e.PrepNop()
				e.Op = OpNop128
				e.SetUserData(next)
				second := (*SQE)(unsafe.Pointer(&e.Rest))
				second.Op, second.Addr3 = 0x55, next
				big++
			} else {
				e := r.SQE()
				if e == nil {
					break
				}
				e.PrepNop()
				e.SetUserData(next)
			}
			next++
		}
		n := 0
		r.EachPending(func(*SQE) { n++ })
		before := len(got)
		if _, errno := r.Enter(0, false, -1); errno != 0 || r.SQPending() != 0 {
			t.Fatal(errno, r.SQPending())
		}
		if fill := n - (len(got) - before); fill < 0 || fill > 1 {
			t.Fatalf("turn %d: EachPending saw %d, the kernel %d", turn, n, len(got)-before)
		}
	}
	for i, u := range got {
		if u != uint64(i+1) {
			t.Fatalf("entry %d has user data %d", i, u)
		}
	}
	if big < 100 || len(got) != int(next-1) {
		t.Errorf("%d entries, %d of them large, %d arrived", next-1, big, len(got))
	}
}

// rewinder is a kernel with SQ_REWIND: it takes entries from the SQ's beginning and moves no head.
type rewinder struct {
	fakeKernel
	take func(submit uint32) uint32 // how many of them
	got  []uint64
}

func (k *rewinder) EnterRaw(_ int, submit, _, _ uint32, _, _ uintptr) (int, posix.Errno) {
	n := k.take(submit)
	for _, e := range k.sqes[:n] {
		k.got = append(k.got, e.UserData)
	}
	if n == 0 && submit > 0 {
		return 0, posix.EAGAIN
	}
	return int(n), 0
}

// testRewind: what the kernel has left is at the beginning again, in order.
func testRewind(t *testing.T) {
	k := &rewinder{}
	calls := 0
	k.take = func(submit uint32) uint32 {
		calls++
		return min(submit, uint32(calls*7%5))
	}
	cfg := Config{With: SetupSQRewind, AnyThread: true}
	cfg.seam.Kernel = k
	r, err := Open(8, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	next := uint64(0)
	for range 300 {
		for i := 0; i < 3; i++ {
			if e := r.SQE(); e != nil {
				e.PrepNop()
				e.SetUserData(next)
				next++
			}
		}
		before := r.SQPending()
		n, errno := r.Enter(0, false, -1)
		if n+r.SQPending() != before || n == 0 && errno != posix.EAGAIN {
			t.Fatalf("consumed %d of %d, %d are left: %v", n, before, r.SQPending(), errno)
		}
		i := uint64(len(k.got))
		r.EachPending(func(e *SQE) {
			if e.UserData != i {
				t.Fatalf("want %d pending, got %d", i, e.UserData)
			}
			i++
		})
	}
	for i, u := range k.got {
		if u != uint64(i) {
			t.Fatalf("entry %d is %d", i, u)
		}
	}
	if len(k.got) < 300 {
		t.Errorf("%d entries arrived", len(k.got))
	}
}
