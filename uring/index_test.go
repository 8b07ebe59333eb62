package uring

import (
	"testing"

	"ringo/internal/abi"
	"ringo/internal/posix"
)

// Where the 32-bit indices start: at 0 as Linux has it, shortly before they wrap, and in the middle.
var starts = []uint32{0, 1, ^uint32(0), ^uint32(0) - 2, 1<<31 - 1, 1 << 31}

// FuzzSQ plays a program and a kernel that consumes as much as the script says, and compares with a queue.
//
// A byte of the script is a step: the low bits choose it, the others say how much.
func FuzzSQ(f *testing.F) {
	for _, start := range starts {
		f.Add(start, uint8(1), false, []byte{0, 0, 0, 1, 2, 0xff, 0, 0, 0x05, 0x09, 2, 0, 0, 0, 0xfd})
		f.Add(start, uint8(3), true, []byte("take many, submit some, then submit the rest \xff\x01\x01\x00\x00\xfd"))
	}
	f.Fuzz(func(t *testing.T, start uint32, log2 uint8, array bool, script []byte) {
		k := &fakeKernel{sqStart: start}
		cfg := Config{}
		if array {
			cfg.Without = SetupNoSQArray
		}
		entries := 2 << (log2 % 6)
		r := openFake(t, k, entries, cfg)
		var queue []uint64 // user data of what the kernel has not consumed
		next := uint64(1)
		for _, b := range script {
			switch b % 4 {
			case 0, 2:
				if takes := r.SQE(); (takes == nil) != (len(queue) == entries) {
					t.Fatalf("%d of %d pending: entry %v", len(queue), entries, takes)
				} else if takes != nil {
					if *takes != (SQE{}) {
						t.Fatalf("entry not zero: %+v", *takes)
					}
					takes.SetUserData(next)
					takes.PrepNop()
					queue = append(queue, next)
					next++
				}
			default:
				queue = enterFake(t, r, k, queue, int(b>>2), b%4 == 1)
			}
			if r.SQPending() != len(queue) || r.SQSpace() != entries-len(queue) {
				t.Fatalf("pending %d, space %d; want %d pending of %d", r.SQPending(), r.SQSpace(), len(queue), entries)
			}
		}
		enterFake(t, r, k, queue, entries, true)
	})
}

// enterFake enters with a kernel that consumes at most n, with an errno or without, and returns what is left.
func enterFake(t *testing.T, r *Ring, k *fakeKernel, queue []uint64, n int, fail bool) []uint64 {
	t.Helper()
	var seen []uint64
	k.onEnter = func(submit, _, _ uint32, _ *abi.Io_uring_getevents_arg) posix.Errno {
		if submit != uint32(len(queue)) || k.pending() != submit {
			t.Fatalf("the kernel is told of %d and sees %d, %d are pending", submit, k.pending(), len(queue))
		}
		for range min(n, len(queue)) {
			e := k.consume()
			if e.Op != OpNop {
				t.Fatalf("the kernel got %+v", e)
			}
			seen = append(seen, e.UserData)
		}
		if fail {
			return posix.EAGAIN
		}
		return 0
	}
	consumed, errno := r.Enter(0, false, -1)
	if consumed != len(seen) || (errno != 0) != fail {
		t.Fatalf("the kernel consumed %d, Enter says %d, %v", len(seen), consumed, errno)
	}
	for i, got := range seen {
		if got != queue[i] {
			t.Fatalf("the kernel got %d, want %d", got, queue[i])
		}
	}
	return queue[len(seen):]
}

// FuzzCQ plays a kernel that posts and a program that takes, and compares with a queue. The kernel writes over a CQE as
// soon as the head has passed it.
func FuzzCQ(f *testing.F) {
	for _, start := range starts {
		f.Add(start, uint8(1), []byte{0xff, 1, 2, 0x0d, 0x0c, 0xff, 0x0a, 1, 1, 1})
		f.Add(start, uint8(4), []byte("post, take, drain; post more than there is room for \xff\xff\x02\x01\xfe"))
	}
	f.Fuzz(func(t *testing.T, start uint32, log2 uint8, script []byte) {
		k := &fakeKernel{cqStart: start}
		entries := 2 << (log2 % 6)
		r := openFake(t, k, 2, Config{CQEntries: entries})
		var queue []CQE
		next := uint64(1)
		into := make([]CQE, 64)
		for _, b := range script {
			n := int(b >> 2)
			switch b % 4 {
			case 0, 3:
				for range min(n, k.cqSpace()) {
					c := CQE{UserData: next, Res: int32(next * 7), Flags: uint32(next * 13)}
					k.post(c)
					queue = append(queue, c)
					next++
				}
			case 1:
				c, ok := r.CQE()
				k.scribble()
				if ok != (len(queue) > 0) || ok && c != queue[0] {
					t.Fatalf("took %+v, %v; queue %v", c, ok, queue)
				}
				queue = queue[min(1, len(queue)):]
			case 2:
				got := r.Drain(into[:n])
				k.scribble()
				if got != min(n, len(queue)) {
					t.Fatalf("drained %d of %d into %d", got, len(queue), n)
				}
				for i, c := range into[:got] {
					if c != queue[i] {
						t.Fatalf("drained %+v, want %+v", c, queue[i])
					}
				}
				queue = queue[got:]
			}
			if r.CQReady() != len(queue) || *k.cqHead != *k.cqTail-uint32(len(queue)) {
				t.Fatalf("%d ready, head %d, tail %d; want %d", r.CQReady(), *k.cqHead, *k.cqTail, len(queue))
			}
		}
	})
}

// TestHeadBeyondTail: a head that passed entries which were never there means that memory is corrupt.
func TestHeadBeyondTail(t *testing.T) {
	k := &fakeKernel{}
	r := openFake(t, k, 4, Config{})
	r.SQE().PrepNop()
	k.onEnter = func(uint32, uint32, uint32, *abi.Io_uring_getevents_arg) posix.Errno {
		*k.sqHead += 2
		return 0
	}
	defer func() {
		if v := recover(); v != "uring: SQ head 2 outside 0 to 1: the ring's memory was overwritten" {
			t.Errorf("panic %v", v)
		}
	}()
	r.Enter(0, false, -1)
}
