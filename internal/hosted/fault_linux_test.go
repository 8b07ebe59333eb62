//go:build linux

package hosted

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"ringo/internal/abi"
	"ringo/internal/mask"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/test/uringtest"
)

// TestShortSubmits: the kernel takes fewer entries than it was shown, or none.
func TestShortSubmits(t *testing.T) {
	d := newDisk(t, 1<<20, 0)
	for name, fault := range map[string]func(rng *rand.Rand, n uint32) (uint32, syscall.Errno){
		"fewer":  func(rng *rand.Rand, n uint32) (uint32, syscall.Errno) { return rng.Uint32N(n) + 1, 0 },
		"EAGAIN": func(*rand.Rand, uint32) (uint32, syscall.Errno) { return 0, syscall.EAGAIN },
		"EBUSY":  func(*rand.Rand, uint32) (uint32, syscall.Errno) { return 0, syscall.EBUSY },
		"EINTR":  func(*rand.Rand, uint32) (uint32, syscall.Errno) { return 0, syscall.EINTR },
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			var faults atomic.Uint64
			h := open(t, Config{Few: onRing, Kernel: &flaky{enter: func(n uint32) (uint32, syscall.Errno) {
				if rng.IntN(3) > 0 {
					return n, 0
				}
				faults.Add(1)
				return fault(rng, n)
			}}})
			together(50, func(i int) {
				p := make([]byte, block)
				for n := range 20 {
					d.check(t, h, p, int64((i*20+n)%256)*block)
				}
			})
			if s := stats(t, h); faults.Load() == 0 || s.Submitted != 1000 || name != "fewer" && s.ShortSubmits == 0 {
				t.Errorf("%d faults, %+v", faults.Load(), s)
			}
		})
	}
}

// TestOverflow has more complete at once than the CQ has room for.
func TestOverflow(t *testing.T) {
	h := open(t, Config{Few: onRing, Kernel: &flaky{small: true}})
	p := newPipe(t)
	const readers = 64
	var got []<-chan answer
	for range readers {
		got = append(got, p.read(context.Background(), h, make([]byte, 1)))
	}
	inFlight(t, h, readers)
	p.write(t, strings.Repeat("x", readers))
	for _, g := range got {
		want(t, g, 1, true)
	}
	if s := stats(t, h); s.Overflows == 0 || s.Stale != 0 {
		t.Errorf("%+v", s)
	}
}

// TestOutOfTheBlue: results that no read of this file earns.
func TestOutOfTheBlue(t *testing.T) {
	d := newDisk(t, 1<<20, 0)
	for _, c := range []struct {
		name  string
		res   int32
		times int
		want  int32 // of the op
		async bool
	}{
		{"cancelled", -sys.ECANCELED, triesMax, block, false},
		{"cancelled for ever", -sys.ECANCELED, triesMax + 1, -sys.ECANCELED, false},
		{"interrupted", -sys.EINTR, 3, block, false},
		{"interrupted, in the kernel's own words", -512, 3, block, false},
		{"not now", -sys.EAGAIN, 3, block, true},
		{"memory of a thread that is gone", -sys.EFAULT, 3, block, false},
		{"input or output error", -int32(syscall.EIO), 1, -int32(syscall.EIO), false},
		{"short", 100, 1, 100, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			left, nops, asyncs := c.times, 0, 0
			h := open(t, Config{Few: onRing, Kernel: &flaky{entry: func(e *abi.Io_uring_sqe) {
				switch {
				case e.Opcode != abi.IORING_OP_READ:
					nops++
				case left > 0:
					left--
					inject(e, c.res)
				case e.Flags&abi.IOSQE_ASYNC != 0:
					asyncs++
				}
			}}})
			res, ok := h.Do(context.Background(), &op.Op{Code: op.ReadAt, FD: &d.fd, Buf: make([]byte, block), Off: 0})
			if res == -sys.EINVAL {
				t.Skip("NOPs have no results here (Linux 6.10)")
			}
			reissued := uint64(c.times)
			if c.res > 0 || c.want < 0 {
				reissued = uint64(c.times - 1)
			}
			if c.res > 0 {
				reissued = 0
			}
			if got := h.Info().Stats.Reissued; !ok || res != c.want || got != reissued || asyncs > 0 != c.async {
				t.Errorf("got %d, %v, submitted again %d times, %d async; want %d, %d times", res, ok, got,
					asyncs, c.want, reissued)
			}
		})
	}
}

// TestStale: a completion that comes twice hits nobody.
func TestStale(t *testing.T) {
	d := newDisk(t, 1<<20, 0)
	var last atomic.Uint64
	h := open(t, Config{Few: onRing, Kernel: &flaky{entry: func(e *abi.Io_uring_sqe) {
		if e.Opcode != abi.IORING_OP_READ {
			return
		}
		if was := last.Swap(e.User_data); was != 0 {
			inject(e, -int32(syscall.EIO))
			e.User_data = was // the op before, which has ended
		}
	}}})
	p := make([]byte, block)
	d.check(t, h, p, 0)
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan answer, 1)
	go func() {
		res, ok := h.Do(ctx, &op.Op{Code: op.ReadAt, FD: &d.fd, Buf: p, Off: 0})
		got <- answer{res, ok}
	}()
	until(t, "the stale one counted", func() bool { return h.Info().Stats.Stale == 1 })
	select {
	case a := <-got:
		t.Errorf("another's completion ended the op: %+v", a)
	default:
	}
	// The kernel never got this op, so that it can't be cancelled either. Only the test can
	// end it.
	cancel()
	r := h.rings[0].Load()
	until(t, "the cancels sent", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		o := r.slab.Lookup(last.Load())
		if o == nil || o.Tries < cancelTries {
			return false
		}
		o.State = op.Idle
		o.Sink.Complete(o, canceled, 0)
		return true
	})
	want(t, got, canceled, true)
}

// TestDies: a kernel that refuses what it allowed before. What it has taken ends as it
// would have, and nothing else is begun.
func TestDies(t *testing.T) {
	var denied atomic.Bool
	h := open(t, Config{Few: onRing, InFlight: 3, Kernel: &flaky{enter: func(n uint32) (uint32, syscall.Errno) {
		if denied.Load() {
			return 0, syscall.EPERM
		}
		return n, 0
	}}})
	p := newPipe(t)
	var under []<-chan answer
	for range 2 {
		under = append(under, p.read(context.Background(), h, make([]byte, 1)))
	}
	inFlight(t, h, 2)
	denied.Store(true)
	for range 3 {
		want(t, p.read(context.Background(), h, make([]byte, 1)), 0, false)
	}
	p.write(t, "12")
	for _, g := range under {
		want(t, g, 1, true)
	}
}

// TestDiesFull: callers that wait for room learn of it, too.
func TestDiesFull(t *testing.T) {
	var denied atomic.Bool
	h := open(t, Config{Few: onRing, InFlight: 1, Kernel: &flaky{enter: func(n uint32) (uint32, syscall.Errno) {
		if denied.Load() {
			return 0, syscall.EPERM
		}
		return n, 0
	}}})
	p := newPipe(t)
	under := p.read(context.Background(), h, make([]byte, 1))
	inFlight(t, h, 1)
	var wait []<-chan answer
	for range 3 {
		wait = append(wait, p.read(context.Background(), h, make([]byte, 1)))
	}
	until(t, "they wait", func() bool { return h.Info().Waiting == 3 })
	denied.Store(true)
	p.write(t, "1")
	want(t, under, 1, true)
	for _, g := range wait {
		want(t, g, 0, false)
	}
}

// TestRefused: where there is no ring the error says why.
func TestRefused(t *testing.T) {
	m, err := mask.Parse("io_uring")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		cfg  Config
		want error
	}{
		{Config{Mask: m}, syscall.ENOSYS},
		{Config{Kernel: &flaky{setup: syscall.EPERM}}, syscall.EPERM},
		{Config{Kernel: &flaky{setup: syscall.ENOMEM}}, syscall.ENOMEM},
		{Config{Kernel: &flaky{enter: func(uint32) (uint32, syscall.Errno) {
			return 0, syscall.EACCES
		}}}, syscall.EACCES},
	} {
		h, err := Open(c.cfg)
		if c.want == syscall.EACCES && uringtest.Refused(err) {
			t.Skip("a ring can be refused its use where there is one:", err)
		}
		if !errors.Is(err, c.want) {
			t.Errorf("got %v, want %v", err, c.want)
		}
		if h != nil {
			h.Close()
		}
	}
}
