package op

import (
	"runtime"
	"strings"
	"testing"

	"ringo/internal/test/alloctest"
)

func TestSlotsStayWhereTheyAre(t *testing.T) {
	s := NewSlab(0)
	var ops []*Op
	for i := range 10 * chunkSize {
		o := s.Get(Nop)
		o.CallFlags = uint32(i)
		ops = append(ops, o)
	}
	for i, o := range ops {
		if o.CallFlags != uint32(i) || s.Lookup(o.Token()) != o {
			t.Fatalf("slot %d: holds %d, looked up %p, is %p", i, o.CallFlags, s.Lookup(o.Token()), o)
		}
	}
}

func TestSlabBound(t *testing.T) {
	s := NewSlab(chunkSize)
	for range chunkSize {
		if s.Get(Nop) == nil {
			t.Fatal("no slot below the bound")
		}
	}
	if o := s.Get(Nop); o != nil {
		t.Fatalf("slot %d past the bound of %d", o.index, chunkSize)
	}
}

func TestStaleTokens(t *testing.T) {
	s := NewSlab(0)
	o := s.Get(Nop)
	token := o.Token()
	if token&TokenMarks != 0 {
		t.Errorf("token %#x uses the driver's bits", token)
	}
	s.Put(o)
	if s.Lookup(token) != nil {
		t.Error("the token of a freed slot still finds it")
	}
	if again := s.Get(Nop); again != o || s.Lookup(token) != nil || s.Lookup(again.Token()) != again {
		t.Error("the old token finds the slot's next op")
	}
	for _, junk := range []uint64{0, 1 << 40, ^uint64(0), uint64(chunkSize), token | 1<<59} {
		if got := s.Lookup(junk); got != nil && got.Token() != junk {
			t.Errorf("Lookup(%#x) = the op of token %#x", junk, got.Token())
		}
	}
}

func TestPutInFlightPanics(t *testing.T) {
	for _, state := range []State{Free, Queued, InFlight} {
		s := NewSlab(0)
		o := s.Get(Recv)
		o.State = state
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a slot in state %d was freed", state)
				}
			}()
			s.Put(o)
		}()
	}
}

func TestExtComesBack(t *testing.T) {
	s := NewSlab(0)
	o := s.Get(Sendmsg)
	x := s.Ext(o)
	if s.Ext(o) != x {
		t.Error("a second Ext for one op")
	}
	x.SetVector([][]byte{make([]byte, 3)})
	s.Put(o)
	o = s.Get(Sendmsg)
	if o.Ext != nil {
		t.Error("a new op has the Ext of the last one")
	}
	if got := s.Ext(o); got != x || got.Bufs[0] != nil || got.Msg.Iovlen != 0 {
		t.Errorf("Ext not reused, or not cleared: %v", got.Bufs[0])
	}
}

func TestSlabDoesNotAllocate(t *testing.T) {
	s := NewSlab(0)
	s.Put(s.Get(Sendmsg))
	if n := alloctest.Least(1000, 0.1, func() {
		o := s.Get(Sendmsg)
		s.Ext(o)
		s.Put(o)
	}); n > 0.1 {
		t.Errorf("%v allocations for an op", n)
	}
}

// What nobody has used between two Trims is given back, and its tokens find nobody when there are slots in its place
// again.
func TestTrimGivesSlotsBack(t *testing.T) {
	s := NewSlab(0)
	const n = 400 * chunkSize
	first := make([]uint64, n)
	ops := make([]*Op, n)
	for i := range ops {
		ops[i] = s.Get(Sendmsg)
		s.Ext(ops[i])
		first[i] = ops[i].Token()
	}
	stays := ops[n/2]
	before := heap()
	for _, o := range ops {
		if o != stays {
			s.Put(o)
		}
	}
	clear(ops)
	if !s.Spare() || !s.Trim() {
		t.Error("nothing to give back, after a burst")
	}
	if s.made != 400 {
		t.Errorf("%d chunks are left at the first Trim, want all 400: they were in use", s.made)
	}
	s.Trim()
	if s.made != 2 || s.Spare() || s.Trim() {
		t.Errorf("%d chunks are left, want the first and the one in use; spare %v", s.made, s.Spare())
	}
	if after := heap(); after > before/10 {
		t.Errorf("%d of %d bytes are left", after, before)
	}
	if s.Lookup(stays.Token()) != stays {
		t.Error("the op that is in use is lost")
	}
	for i, token := range first {
		if o := s.Lookup(token); o != nil && o != stays {
			t.Fatalf("the token of op %d, which is gone, finds one", i)
		}
	}
	for range n { // in the same places
		if o := s.Get(Recv); s.Lookup(o.Token()) != o {
			t.Fatal("an op in a slot that was made again isn't found")
		}
	}
	for i, token := range first {
		if o := s.Lookup(token); o != nil && o != stays {
			t.Fatalf("the token of op %d, which is gone, finds the next in its slot", i)
		}
	}
}

// heap is how many bytes of the heap are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// What is used again and again stays: a Trim takes nothing from a steady load.
func TestTrimKeepsWhatIsUsed(t *testing.T) {
	s := NewSlab(0)
	ops := make([]*Op, 3*chunkSize)
	if n := alloctest.Least(100, 0.1, func() {
		for i := range ops {
			ops[i] = s.Get(Sendmsg)
			s.Ext(ops[i])
		}
		for _, o := range ops {
			s.Put(o)
		}
		s.Trim()
	}); n > 0.1 {
		t.Errorf("%v allocations a round, want 0", n)
	}
}

// Where generations were counted so far that they could come round, slots stay.
func TestTrimBesideFarGenerations(t *testing.T) {
	s := NewSlab(0)
	ops := make([]*Op, 2*chunkSize)
	for i := range ops {
		ops[i] = s.Get(Nop)
	}
	ops[chunkSize+1].gen = genMask/2 + 1
	for _, o := range ops {
		s.Put(o)
	}
	for range 3 {
		s.Trim()
	}
	if s.made != 2 || s.Trim() {
		t.Errorf("%d chunks, want 2, and nothing more to give back", s.made)
	}
}

// FuzzSlab runs programs of gets, puts, look-ups and trims against a map.
func FuzzSlab(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 2, 0, 3})
	f.Add([]byte(strings.Repeat("\x00", 3*chunkSize) + strings.Repeat("\x02", 3*chunkSize) + "\x04\x04\x03\x00\x03" +
		strings.Repeat("\x00", 3*chunkSize) + "\x03\x02\x02\x04\x04"))
	f.Fuzz(func(t *testing.T, program []byte) {
		s := NewSlab(3 * chunkSize)
		live := map[uint64]*Op{}
		var order, dead []uint64
		for i, b := range program {
			switch b % 5 {
			case 0, 1:
				o := s.Get(Nop)
				if (o == nil) != (len(live) == 3*chunkSize) {
					t.Fatalf("step %d: slot %v with %d in use", i, o != nil, len(live))
				}
				if o == nil {
					continue
				}
				if live[o.Token()] != nil {
					t.Fatalf("step %d: token %#x was given twice", i, o.Token())
				}
				live[o.Token()] = o
				order = append(order, o.Token())
			case 2:
				if len(order) == 0 {
					continue
				}
				k := int(b/5) % len(order)
				token := order[k]
				s.Put(live[token])
				delete(live, token)
				order = append(order[:k], order[k+1:]...)
				dead = append(dead, token)
			case 3:
				for token, o := range live {
					if s.Lookup(token) != o {
						t.Fatalf("step %d: token %#x lost", i, token)
					}
				}
				for _, token := range dead {
					if s.Lookup(token) != nil {
						t.Fatalf("step %d: dead token %#x found", i, token)
					}
				}
			}
			if b%5 == 4 {
				s.Trim()
			}
			if s.Used() != len(live) {
				t.Fatalf("step %d: Used() = %d, want %d", i, s.Used(), len(live))
			}
		}
		n := 0
		s.Each(func(o *Op) {
			if live[o.Token()] != o {
				t.Fatalf("Each gives a slot that is not in use")
			}
			n++
		})
		if n != len(live) {
			t.Fatalf("Each gave %d slots, want %d", n, len(live))
		}
	})
}
