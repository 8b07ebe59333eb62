//go:build linux

package hosted

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/offload"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/sys"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/testmain"
)

// openAIO makes rings of native AIO for a test, which skips where that is refused.
func openAIO(t testing.TB, cfg Config) *Rings {
	t.Helper()
	if err := offload.ProbeAIO(); err != nil {
		t.Skip("no native AIO here:", err)
	}
	cfg.Native = true
	return open(t, cfg)
}

// needNoWait skips where the file system has no requests that don't wait, as tmpfs: each is a plain call there.
func needNoWait(t testing.TB, d *disk) {
	t.Helper()
	_, err := unix.Preadv2(int(d.fd.Sys()), [][]byte{aligned(block)}, 0, unix.RWF_NOWAIT)
	if errors.Is(err, unix.EOPNOTSUPP) {
		t.Skipf("%s: preadv2(RWF_NOWAIT): %v", d.Name(), err)
	}
}

// do runs an op by the ring, and where that would have to wait by a plain call. It reports whether it was the ring.
func do(t testing.TB, h *Rings, o *op.Op) (res int32, native bool) {
	t.Helper()
	if res, native = h.Do(context.Background(), o); native {
		return res, true
	}
	plain := *o
	return plain.Attempt(), false
}

// TestNativeTransfers has hundreds of goroutines write, read and compare, whole and by slices.
func TestNativeTransfers(t *testing.T) {
	const size, goroutines = 16 << 20, 200
	each := 20
	if !testmain.Long() {
		each = 4
	}
	for name, cfg := range map[string]Config{
		"one":         {Rings: 1, Few: onRing},
		"three":       {Rings: 3, Few: onRing},
		"small":       {Few: onRing, InFlight: 4},
		"few at once": {Few: 8},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(t, size, unix.O_DIRECT)
			needNoWait(t, d)
			h := openAIO(t, cfg)
			var native [goroutines]int
			together(goroutines, func(i int) {
				rng := rand.New(rand.NewPCG(uint64(i), 7))
				p := aligned(4 * block)
				own := size / goroutines / block * block // what this goroutine alone writes
				for n := range each {
					length := block * (1 + rng.IntN(4))
					off := int64(i*own) + int64(rng.IntN((own-length)/block+1))*block
					var x op.Ext
					x.SetVec([][]byte{p[:block], p[block:length]}, 0)
					o := op.Op{Code: op.ReadAt, FD: &d.fd, Buf: p[:length], Off: off}
					switch n % 4 {
					case 0:
						o.Code = op.WriteAt
					case 1:
						o.Code, o.Buf, o.Ext = op.WriteVec, nil, &x
					case 2:
						o.Code, o.Buf, o.Ext = op.ReadVec, nil, &x
					}
					clear(p)
					if n%4 < 2 {
						fill(p[:length], off)
					}
					res, ok := do(t, h, &o)
					if at := wrong(p[:length], off); int(res) != length || at >= 0 {
						t.Errorf("%s of %d at %d: %d, wrong at %d", o.Def().Name, length, off, res, at)
					}
					if ok {
						native[i]++
					}
				}
			})
			sum := 0
			for _, n := range native {
				sum += n
			}
			if t.Logf("%d of %d by the ring: %+v", sum, goroutines*each, stats(t, h)); sum == 0 {
				t.Error("none was the ring's")
			}
			if info := h.Info(); info.Used != 0 || info.Waiting != 0 {
				t.Errorf("left: %+v", info)
			}
			got, err := os.ReadFile(d.Name())
			if at := wrong(got, 0); err != nil || len(got) != size || at >= 0 {
				t.Errorf("in the end %d bytes, wrong at %d: %v", len(got), at, err)
			}
		})
	}
}

// TestNativeResults compares what comes of odd ops with what plain calls give.
func TestNativeResults(t *testing.T) {
	d := newDisk(t, 2*block, unix.O_DIRECT)
	h := openAIO(t, Config{Few: onRing})
	pipe, p := newPipe(t), aligned(4*block)
	for _, c := range []struct {
		name string
		op   op.Op
	}{
		{"short at the end", op.Op{Code: op.ReadAt, FD: &d.fd, Buf: p, Off: block}},
		{"past the end", op.Op{Code: op.ReadAt, FD: &d.fd, Buf: p, Off: 1 << 40}},
		{"not aligned", op.Op{Code: op.ReadAt, FD: &d.fd, Buf: p[1:101], Off: 0}},
		{"an offset of a pipe", op.Op{Code: op.ReadAt, FD: &pipe.fd, Buf: p, Off: 5}},
		{"past what files can have", op.Op{Code: op.WriteAt, FD: &d.fd, Buf: p, Off: 1<<63 - block}},
		{"sync", op.Op{Code: op.Sync, FD: &d.fd}},
		{"sync of the data", op.Op{Code: op.Sync, FD: &d.fd, CallFlags: op.DataOnly}},
		{"sync of a pipe", op.Op{Code: op.Sync, FD: &pipe.fd}},
	} {
		plain := c.op
		want := plain.Attempt()
		if res, native := do(t, h, &c.op); res != want {
			t.Errorf("%s: %d (by the ring: %v), want %d", c.name, res, native, want)
		}
	}
	if h.Takes(op.Recv) || !h.DirectOnly() {
		t.Error("it takes what it can't do")
	}
}

// TestNativeOneCall: those that come together are handed over together.
func TestNativeOneCall(t *testing.T) {
	d := newDisk(t, 16<<20, unix.O_DIRECT)
	h := openAIO(t, Config{Rings: 1, Few: onRing})
	each := 50
	if !testmain.Long() {
		each = 5
	}
	together(128, func(i int) {
		p := aligned(block)
		for n := range each {
			res, _ := do(t, h, &op.Op{Code: op.ReadAt, FD: &d.fd, Buf: p, Off: int64(n*128+i) % 4096 * block})
			if at := wrong(p, int64(n*128+i)%4096*block); res != block || at >= 0 {
				t.Errorf("%d, wrong at %d", res, at)
			}
		}
	})
	if s := stats(t, h); s.Enters >= s.Submitted {
		t.Errorf("no two went by one call: %+v", s)
	}
}

func TestNativeAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	d := newDisk(t, 1<<20, unix.O_DIRECT)
	h := openAIO(t, Config{Few: onRing})
	o := &op.Op{Code: op.ReadAt, FD: &d.fd, Buf: aligned(block), Off: block}
	if res, native := do(t, h, o); res == block && !native {
		t.Skip("native AIO would have to wait for this disk")
	}
	if got := alloctest.Least(500, 0.1, func() {
		if res, native := h.Do(context.Background(), o); res != block || !native {
			t.Fatalf("%d, by AIO: %v", res, native)
		}
	}); got > 0.1 {
		t.Errorf("%v allocations, want 0", got)
	}
}

// TestNativeShortage: with fs.aio-max-nr nearly used up a context is smaller.
func TestNativeShortage(t *testing.T) {
	for _, c := range []struct {
		asked, left, got int
		res              int32
	}{
		{256, 1000, 256, 0}, {256, 100, 64, 0}, {256, 40, 32, 0}, {256, 10, 32, -sys.EAGAIN}, {8, 4, 8, -sys.EAGAIN},
	} {
		got, res := fit(c.asked, func(n int) int32 {
			if n > c.left {
				return -sys.EAGAIN
			}
			return 0
		})
		if got != c.got || res != c.res {
			t.Errorf("of %d with %d left: %d, %d", c.asked, c.left, got, res)
		}
	}
	if n, res := fit(256, func(int) int32 { return -sys.ENOSYS }); n != 256 || res != -sys.ENOSYS {
		t.Errorf("refused: %d, %d", n, res)
	}
}
