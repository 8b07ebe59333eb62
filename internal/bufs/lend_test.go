package bufs_test

import (
	"testing"

	"ringo/internal/bufs"
	"ringo/internal/test/alloctest"
)

func TestLendOne(t *testing.T) {
	p := bufs.NewRingPool(2, 2, 16, nil)
	mem, first, ok := p.LendOne()
	if !ok || len(mem) != 16 || p.Lent() != 1 || p.InUse() != 0 {
		t.Fatalf("LendOne() = %d bytes, %v; lent %d, in use %d; want 16, true, 1, 0", len(mem), ok, p.Lent(), p.InUse())
	}
	copy(mem, "hello")
	b := p.Filled(first, 5)
	if got := string(b.Unread()); got != "hello" || p.Lent() != 0 || p.InUse() != 1 {
		t.Errorf("filled with %q, lent %d, in use %d; want hello, 0, 1", got, p.Lent(), p.InUse())
	}
	_, second, ok := p.LendOne()
	if !ok || second == first {
		t.Fatalf("LendOne() = %d, %v, want the other buffer than %d", second, ok, first)
	}
	if _, _, ok := p.LendOne(); ok {
		t.Error("a buffer was lent from a dry pool")
	}
	p.Unlend(second)
	if p.Lent() != 0 || p.Available() != 1 {
		t.Errorf("lent %d, available %d after Unlend, want 0, 1", p.Lent(), p.Available())
	}
	if _, again, ok := p.LendOne(); !ok || again != second {
		t.Errorf("LendOne() = %d, %v after Unlend, want %d, the warm one", again, ok, second)
	}
	p.Unlend(second)
	p.Put(b)
	if p.InUse() != 0 || p.Available() != 2 {
		t.Errorf("in use %d, available %d in the end, want 0, 2", p.InUse(), p.Available())
	}
}

// A lease that another goroutine released is found when the free list is empty.
func TestLendOneCollects(t *testing.T) {
	p := bufs.NewRingPool(1, 1, 16, nil)
	_, id, _ := p.LendOne()
	lease := p.Filled(id, 3).Lease(nil)
	done := make(chan struct{})
	go func() { defer close(done); lease.Release() }()
	<-done
	if _, again, ok := p.LendOne(); !ok || again != id {
		t.Errorf("LendOne() = %d, %v, want the buffer that was released", again, ok)
	}
}

func TestLendOneMisuse(t *testing.T) {
	for name, misuse := range map[string]func(p *bufs.Pool){
		"no ids":          func(*bufs.Pool) { bufs.NewPool(1, 1, 16, nil).LendOne() },
		"unlent twice":    func(p *bufs.Pool) { _, id, _ := p.LendOne(); p.Unlend(id); p.Unlend(id) },
		"unlent if held":  func(p *bufs.Pool) { _, id, _ := p.LendOne(); p.Filled(id, 1); p.Unlend(id) },
		"filled and free": func(p *bufs.Pool) { _, id, _ := p.LendOne(); p.Unlend(id); p.Filled(id, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			misuse(bufs.NewRingPool(1, 1, 16, nil))
		})
	}
}

func TestLendOneAllocs(t *testing.T) {
	p := bufs.NewRingPool(4, 4, 16, nil)
	got := alloctest.Least(100, 0.1, func() {
		_, id, _ := p.LendOne()
		p.Put(p.Filled(id, 1))
		_, id, _ = p.LendOne()
		p.Unlend(id)
	})
	if got > 0.1 {
		t.Errorf("%v allocations a round, want 0", got)
	}
}
