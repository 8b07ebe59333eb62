package uring

import (
	"runtime"
	"sync/atomic"
	"testing"
	"unsafe"

	"ringo/internal/abi"
)

// The kernel of these tests runs beside the program, on a goroutine, in memory that the race detector watches. So a run
// with -race proves more than that nothing was lost: each entry is written before it is shown and read before it is
// given back, on both sides.

const orderRounds = 20000

func atomically(word *uint32) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(word)) }

// playKernel starts the goroutine and returns the wait for its end.
func playKernel(kernel func()) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		kernel()
	}()
	return func() { <-done }
}

func TestOrderOfSQ(t *testing.T) {
	k := &fakeKernel{sqStart: ^uint32(0) - 100}
	r := openFake(t, k, 4, Config{SQPoll: true}) // a kernel thread that looks at the tail by itself
	head, tail := atomically(k.sqHead), atomically(k.sqTail)
	wait := playKernel(func() {
		for next := uint64(0); next < orderRounds; {
			if head.Load() == tail.Load() {
				runtime.Gosched()
				continue
			}
			e := k.sqes[head.Load()&3]
			if e.UserData != next || e.Addr != next*3 || e.Op != OpPollRemove {
				t.Errorf("want entry %d, got %+v", next, e)
			}
			next++
			head.Add(1)
		}
	})
	for next := uint64(0); next < orderRounds; {
		if e := r.SQE(); e != nil {
			e.PrepPollRemove(next * 3)
			e.SetUserData(next)
			next++
		} else {
			runtime.Gosched()
		}
		if _, errno := r.Enter(0, false, -1); errno != 0 {
			t.Fatal(errno)
		}
	}
	wait()
	r.Enter(0, false, -1)
	if r.SQPending() != 0 {
		t.Errorf("%d pending", r.SQPending())
	}
}

func TestOrderOfCQ(t *testing.T) {
	for name, take := range map[string]func(r *Ring, into []CQE) int{
		"CQE": func(r *Ring, into []CQE) int {
			var ok bool
			if into[0], ok = r.CQE(); !ok {
				return 0
			}
			return 1
		},
		"Drain": (*Ring).Drain,
	} {
		t.Run(name, func(t *testing.T) {
			k := &fakeKernel{cqStart: ^uint32(0) - 100}
			r := openFake(t, k, 2, Config{CQEntries: 4})
			head, tail := atomically(k.cqHead), atomically(k.cqTail)
			wait := playKernel(func() {
				for next := uint64(0); next < orderRounds; {
					if tail.Load()-head.Load() == 4 {
						runtime.Gosched()
						continue
					}
					k.cqes[tail.Load()&3] = CQE{UserData: next, Res: int32(next), Flags: uint32(next)}
					tail.Add(1)
					next++
				}
			})
			into := make([]CQE, 3)
			for next := uint64(0); next < orderRounds; {
				n := take(r, into)
				if n == 0 {
					runtime.Gosched()
				}
				for _, c := range into[:n] {
					if c != (CQE{UserData: next, Res: int32(next), Flags: uint32(next)}) {
						t.Fatalf("want %d, got %+v", next, c)
					}
					next++
				}
			}
			wait()
		})
	}
}

func TestOrderOfBufRing(t *testing.T) {
	const entries = 4
	ring := make([]abi.Io_uring_buf, entries)
	b := &BufRing{entries: unsafe.Pointer(&ring[0]), mask: entries - 1, next: 0xfff0}
	b.Commit()
	// The tail's two bytes are read by the kernel alone; here, by an atomic load of the word they are in.
	word := (*atomic.Uint32)(unsafe.Add(unsafe.Pointer(&ring[0]), 12))
	halves := func() (bid0, tail uint16) {
		w := word.Load()
		if abi.BigEndian {
			return uint16(w >> 16), uint16(w)
		}
		return uint16(w), uint16(w >> 16)
	}
	var taken atomic.Uint32
	wait := playKernel(func() {
		for head := uint16(0xfff0); taken.Load() < orderRounds; {
			bid0, tail := halves()
			if tail == head {
				runtime.Gosched()
				continue
			}
			i := int(head) & (entries - 1)
			bid, n := bid0, ring[i].Len
			if i != 0 {
				bid = ring[i].Bid
			}
			if want := taken.Load(); bid != uint16(want) || n != want%64 {
				t.Errorf("want id %d of %d bytes, got %d of %d", uint16(want), want%64, bid, n)
			}
			head++
			taken.Add(1)
		}
	})
	memory := make([]byte, 64)
	for added := uint32(0); added < orderRounds; {
		if added-taken.Load() == entries {
			runtime.Gosched()
			continue
		}
		b.Add(memory[:added%64], uint16(added))
		b.Commit()
		added++
	}
	wait()
}
