//go:build linux

package hosted

import (
	"context"
	"math/rand/v2"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/mask"
	"ringo/internal/op"
)

// TestReads has hundreds of goroutines read and compare, in and past the page cache.
func TestReads(t *testing.T) {
	const size = 16 << 20
	name := makeFile(t, size)
	for _, how := range []struct {
		name  string
		flags int
		rings int
		few   int
	}{
		{"cached", 0, 1, onRing},
		{"direct", unix.O_DIRECT, 1, onRing},
		{"direct, rings", unix.O_DIRECT, 3, onRing},
		{"direct, few are plain", unix.O_DIRECT, 1, 8},
	} {
		t.Run(how.name, func(t *testing.T) {
			readAll(t, reopen(t, name, size, how.flags), Config{Rings: how.rings, Few: how.few}, 300)
		})
	}
	t.Run("kernels", func(t *testing.T) {
		eachKernel(t, func(t *testing.T, m *mask.Mask) {
			readAll(t, reopen(t, name, size, unix.O_DIRECT), Config{Few: onRing, Mask: m}, 50)
		})
	})
}

func readAll(t *testing.T, d *disk, cfg Config, readers int) {
	const reads = 10
	h := open(t, cfg)
	together(readers, func(i int) {
		rng := rand.New(rand.NewPCG(uint64(i), 7))
		p := aligned(4 * block)
		for range reads {
			n := block * (1 + rng.Int64N(4))
			d.check(t, h, p[:n], rng.Int64N((d.size-n)/block)*block)
		}
	})
	info := h.Info()
	if info.Used != 0 || info.Waiting != 0 || info.Rings > max(1, cfg.Rings) {
		t.Errorf("left: %+v", info)
	}
	if s := stats(t, h); s.Submitted+s.Plain < uint64(readers*reads) || cfg.Few < 0 && s.Plain != 0 {
		t.Errorf("few %d, and %+v", cfg.Few, s)
	}
}

// TestCold reads what is not in memory.
func TestCold(t *testing.T) {
	d := newDisk(t, 16<<20, 0)
	h := open(t, Config{Few: onRing})
	d.drop(t)
	together(256, func(i int) {
		p := make([]byte, 16<<10)
		for off := int64(i) * int64(len(p)); off < d.size; off += 256 * int64(len(p)) {
			d.check(t, h, p, off)
		}
	})
}

// TestWrites writes by the ring, and reads with package os.
func TestWrites(t *testing.T) {
	eachKernel(t, func(t *testing.T, m *mask.Mask) {
		const size = 4 << 20
		f, err := os.Create(t.TempDir() + "/out")
		if err != nil {
			t.Fatal(err)
		}
		d := &disk{File: f}
		d.fd.Init(int32(f.Fd()))
		t.Cleanup(func() { f.Close() })
		h := open(t, Config{Few: onRing, Mask: m})
		together(64, func(i int) {
			p := make([]byte, size/64)
			off := int64(i * len(p))
			fill(p, off)
			for done := 0; done < len(p); {
				o := op.Op{Code: op.WriteAt, FD: &d.fd, Buf: p[done:], Off: off + int64(done)}
				res, ok := h.Do(context.Background(), &o)
				if !ok || res <= 0 {
					t.Errorf("write at %d: %d, %v", o.Off, res, ok)
					return
				}
				done += int(res)
			}
		})
		got, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if at := wrong(got, 0); len(got) != size || at >= 0 {
			t.Errorf("%d bytes, wrong at %d", len(got), at)
		}
	})
}

// TestResults compares what comes of odd ops with what plain calls give.
func TestResults(t *testing.T) {
	d := newDisk(t, block+10, 0)
	h := open(t, Config{Few: onRing})
	dir := reopenDir(t)
	p := make([]byte, 2*block)
	for _, c := range []struct {
		name string
		op   op.Op
		want int32
	}{
		{"short at the end", op.Op{Code: op.ReadAt, FD: &d.fd, Buf: p, Off: block}, 10},
		{"past the end", op.Op{Code: op.ReadAt, FD: &d.fd, Buf: p, Off: 1 << 40}, 0},
		{"nothing asked", op.Op{Code: op.ReadAt, FD: &d.fd, Off: 0}, 0},
		{"a directory", op.Op{Code: op.ReadAt, FD: &dir.fd, Buf: p, Off: 0}, -int32(unix.EISDIR)},
		{"past what files can have", op.Op{Code: op.WriteAt, FD: &d.fd, Buf: p, Off: 1<<63 - 10}, -int32(unix.EINVAL)},
	} {
		plain := c.op
		if res := plain.Attempt(); res != c.want {
			t.Errorf("%s: the plain call gives %d, want %d", c.name, res, c.want)
		}
		if res, ok := h.Do(context.Background(), &c.op); !ok || res != c.want {
			t.Errorf("%s: %d, %v, want %d", c.name, res, ok, c.want)
		}
	}
}

func reopenDir(t *testing.T) *disk {
	f, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	d := &disk{File: f}
	d.fd.Init(int32(f.Fd()))
	return d
}

// TestTakes: what has no entry, and what waits for readiness, is not taken.
func TestTakes(t *testing.T) {
	h := open(t, Config{})
	for code, want := range map[op.Code]bool{op.ReadAt: true, op.WriteAt: true, op.Recv: false, op.Poll: false} {
		if got := h.Takes(code); got != want {
			t.Errorf("%s: %v, want %v", op.Table[code].Name, got, want)
		}
		if !want {
			if res, ok := h.Do(context.Background(), &op.Op{Code: code}); ok {
				t.Errorf("%s: done, with %d", op.Table[code].Name, res)
			}
		}
	}
}
