package bufs_test

import (
	"sync"
	"testing"

	"ringo/internal/bufs"
	"ringo/internal/rt/gmark"
	"ringo/internal/test/alloctest"
)

// kernel is a buffer ring that fills what it was lent, in order.
type kernel struct {
	added, lent []uint16
}

func (k *kernel) Add(mem []byte, id uint16) { k.added = append(k.added, id) }
func (k *kernel) Commit()                   { k.lent, k.added = append(k.lent, k.added...), nil }

func (k *kernel) fill() (id uint16, ok bool) {
	if len(k.lent) == 0 {
		return 0, false
	}
	id = k.lent[0]
	k.lent = k.lent[1:]
	return id, true
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

func TestRotationStaysSmallAndWarm(t *testing.T) {
	var mark gmark.Mark
	p := bufs.NewRingPool(16, 4, 64, &mark)
	k := &kernel{}
	p.Lend(k)
	if p.Lent() != 4 || p.Available() != 16 {
		t.Fatalf("%d lent of %d available, want 4 of 16", p.Lent(), p.Available())
	}
	seen := map[uint16]bool{}
	for range 100 {
		id, _ := k.fill()
		seen[id] = true
		b := p.Filled(id, 10)
		p.Put(b)
		p.Refill()
	}
	if len(seen) > 5 {
		t.Errorf("%d buffers took turns, want 5 at most: the last one given back goes out first", len(seen))
	}
}

func TestMisuseOfBuffers(t *testing.T) {
	var mark gmark.Mark
	p := bufs.NewRingPool(4, 2, 64, &mark)
	k := &kernel{}
	p.Lend(k)
	id, _ := k.fill()
	b := p.Filled(id, 1)
	if !panics(func() { p.Filled(id, 1) }) {
		t.Error("one buffer was filled twice")
	}
	p.Put(b)
	if !panics(func() { p.Put(b) }) {
		t.Error("one buffer was given back twice")
	}
	if !panics(func() { bufs.NewPool(1, 1, 64, &mark).Put(p.Take()) }) {
		t.Error("a buffer was given to another pool")
	}
}

func TestLeaseReleasedTwice(t *testing.T) {
	var mark gmark.Mark
	p := bufs.NewPool(4, 4, 64, &mark)
	l := p.Take().Lease(nil)
	l.Release()
	if !panics(l.Release) {
		t.Error("a lease was released twice")
	}
	bufs.Lease{}.Release()
}

// A lease released while its buffer already is somebody else's must not be taken
// for that one's.
func TestStaleLease(t *testing.T) {
	var mark gmark.Mark
	mark.Set(gmark.Current())
	p := bufs.NewPool(1, 1, 64, &mark)
	old := p.Take().Lease(nil)
	old.Release()
	again := p.Take()
	if again == nil {
		t.Fatal("the only buffer did not come back")
	}
	if !panics(old.Release) {
		t.Error("a stale lease released the buffer of another")
	}
	p.Put(again)
}

func TestReleasesFromElsewhere(t *testing.T) {
	var mark gmark.Mark
	p := bufs.NewPool(64, 64, 64, &mark)
	for range 100 {
		var wg sync.WaitGroup
		for range 4 {
			for range 16 {
				l := p.Take().Lease(nil)
				wg.Go(l.Release)
			}
		}
		wg.Wait()
		if p.Available(); p.InUse() != 0 { // Available looks at what came back
			t.Fatalf("%d in use after all were released", p.InUse())
		}
	}
}

func TestPoolBoundAndWarmth(t *testing.T) {
	var mark gmark.Mark
	mark.Set(gmark.Current())
	p := bufs.NewPool(8, 2, 64, &mark)
	var held []*bufs.Buffer
	for range 8 {
		held = append(held, p.Take())
	}
	if p.Take() != nil {
		t.Error("a buffer past the bound")
	}
	for _, b := range held {
		p.Put(b)
	}
	if p.Available() != 2 {
		t.Errorf("%d free buffers keep their memory, want 2", p.Available())
	}
	if p.InUse() != 0 {
		t.Errorf("%d in use, want 0", p.InUse())
	}
}

// FuzzPool plays a kernel, connections and users against the books of a pool.
// What nobody has used between two Trims of a plain pool goes, but for a few; what is used again and again stays.
func TestTrimGivesBuffersBack(t *testing.T) {
	p := bufs.NewPool(64, 64, 8, nil)
	var held []*bufs.Buffer
	for range 20 {
		held = append(held, p.Take())
	}
	for _, b := range held {
		p.Put(b)
	}
	if !p.Spare() || !p.Trim() || p.Available() != 20 {
		t.Errorf("%d buffers after the first Trim, want all 20: they were in use", p.Available())
	}
	used := []*bufs.Buffer{p.Take(), p.Take(), p.Take(), p.Take(), p.Take(), p.Take()}
	for _, b := range used {
		p.Put(b)
	}
	if p.Trim(); p.Available() != 6 {
		t.Errorf("%d buffers after the second, want the 6 that were used in between", p.Available())
	}
	if more := p.Trim(); more || p.Spare() || p.Available() != 4 {
		t.Errorf("%d buffers after the third, more %v; want %d and no more", p.Available(), more, 4)
	}
	if n := alloctest.Least(100, 0.1, func() {
		for i := range used {
			used[i] = p.Take()
		}
		for _, b := range used {
			p.Put(b)
		}
		p.Trim()
	}); n > 0.1 {
		t.Errorf("%v allocations a round of a steady load, want 0", n)
	}
}

// A ring's buffers are one piece of memory, and the kernel's.
func TestTrimLeavesRings(t *testing.T) {
	p := bufs.NewRingPool(32, 4, 8, nil)
	for range 3 {
		if p.Trim() || p.Spare() || p.Available() != 32 {
			t.Errorf("%d buffers, want all 32", p.Available())
		}
	}
}

func FuzzPool(f *testing.F) {
	f.Add([]byte{0, 0, 1, 2, 3, 4, 0, 5, 6})
	f.Fuzz(func(t *testing.T, program []byte) {
		const n, target = 12, 5
		var mark gmark.Mark
		mark.Set(gmark.Current())
		p := bufs.NewRingPool(n, target, 8, &mark)
		k := &kernel{}
		p.Lend(k)
		var held []*bufs.Buffer
		var leases []bufs.Lease
		owner := map[byte]int{} // first byte of a held buffer's memory -> holders
		for i, c := range program {
			switch c % 8 {
			case 7:
				p.Trim()
			case 0:
				if id, ok := k.fill(); ok {
					held = append(held, p.Filled(id, 4))
				}
			case 1:
				if len(held) > 0 {
					p.Put(held[len(held)-1])
					held = held[:len(held)-1]
				}
			case 2:
				if len(held) > 0 {
					leases = append(leases, held[0].Lease(nil))
					held = held[1:]
				}
			case 3:
				if len(leases) > 0 {
					leases[0].Release()
					leases = leases[1:]
				}
			case 4:
				p.Refill()
			case 5:
				if b := p.Take(); b != nil {
					b.Off, b.End = 0, 8
					held = append(held, b)
				}
			case 6:
				if len(leases) > 0 { // on another goroutine
					l := leases[0]
					leases = leases[1:]
					done := make(chan struct{})
					go func() { defer close(done); l.Release() }()
					<-done
					_ = p.Available()
				}
			}
			if p.InUse() != len(held)+len(leases) || p.Lent() != len(k.lent) || p.InUse()+p.Available() != n {
				t.Fatalf("step %d: in use %d, lent %d, available %d; want %d, %d, %d", i, p.InUse(),
					p.Lent(), p.Available(),
					len(held)+len(leases), len(k.lent), n-len(held)-len(leases))
			}
			clear(owner)
			for j, b := range held {
				b.Mem()[0] = byte(j)
			}
			for j, l := range leases {
				l.Bytes()[0] = byte(100 + j)
			}
			for j, b := range held {
				if b.Mem()[0] != byte(j) {
					t.Fatalf("step %d: two holders share a buffer", i)
				}
			}
			for j, l := range leases {
				if l.Bytes()[0] != byte(100+j) {
					t.Fatalf("step %d: two leases share a buffer", i)
				}
			}
		}
		var filled []uint16
		if id, ok := k.fill(); ok {
			filled = append(filled, id)
		}
		p.Reclaim(filled)
		if want := len(filled); p.Lent() != want {
			t.Fatalf("%d lent after Reclaim, want %d", p.Lent(), want)
		}
		for _, id := range filled {
			p.Put(p.Filled(id, 1))
		}
	})
}
