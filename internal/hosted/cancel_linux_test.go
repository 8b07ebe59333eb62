//go:build linux

package hosted

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/mask"
	"ringo/internal/op"
)

func TestCancel(t *testing.T) {
	eachKernel(t, func(t *testing.T, m *mask.Mask) {
		h := open(t, Config{Few: onRing, Mask: m})
		t.Run("before", func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			want(t, newPipe(t).read(ctx, h, make([]byte, 8)), canceled, true)
		})
		t.Run("under way", func(t *testing.T) {
			p, buf := newPipe(t), make([]byte, 8)
			before := h.Info().Stats
			ctx, cancel := context.WithCancel(context.Background())
			got := p.read(ctx, h, buf)
			inFlight(t, h, before.Submitted+1)
			cancel()
			want(t, got, canceled, true)
			// What comes later is not for this caller, and its memory is its own.
			p.write(t, "late")
			if buf[0] != 0 {
				t.Errorf("the buffer was written to: %q", buf)
			}
			want(t, p.read(context.Background(), h, buf), 4, true)
			if s := h.Info().Stats; s.Canceled != before.Canceled+1 || s.Stale != 0 {
				t.Errorf("counted: %+v", s)
			}
		})
		t.Run("after", func(t *testing.T) {
			p, buf := newPipe(t), make([]byte, 8)
			ctx, cancel := context.WithCancel(context.Background())
			got := p.read(ctx, h, buf)
			p.write(t, "data")
			want(t, got, 4, true)
			cancel()
		})
	})
}

// TestCancelStorm cancels reads at any moment. Each byte that was written is read once,
// and no buffer is touched after its read has returned.
func TestCancelStorm(t *testing.T) {
	h := open(t, Config{Few: onRing, InFlight: 32})
	const readers, bytes = 100, 3000
	p := newPipe(t)
	total := make(chan int, readers)
	stop := make(chan struct{})
	for i := range readers {
		go func() {
			rng := rand.New(rand.NewPCG(uint64(i), 3))
			sum, b := 0, make([]byte, 1)
			defer func() { total <- sum }()
			for {
				select {
				case <-stop:
					return
				default:
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rng.IntN(2000))*time.Microsecond)
				b[0] = 0
				res, ok := h.Do(ctx, &op.Op{Code: op.ReadAt, FD: &p.fd, Buf: b, Off: -1})
				cancel()
				switch {
				case ok && res == 1 && b[0] == 'x':
					sum++
				case !ok || res != canceled || b[0] != 0:
					t.Errorf("got %d, %v, and %q", res, ok, b)
					return
				}
			}
		}()
	}
	until(t, "a cancel", func() bool { return h.Info().Stats.Canceled > 0 }) // bytes may come so fast that none is left
	for range bytes {
		p.write(t, "x")
	}
	until(t, "the pipe empty", func() bool {
		n, err := unix.IoctlGetInt(p.r, unix.TIOCINQ)
		return err == nil && n == 0
	})
	close(stop)
	sum := 0
	for range readers {
		sum += <-total
	}
	if sum != bytes {
		t.Errorf("%d bytes were read, want %d", sum, bytes)
	}
	if info := h.Info(); info.Used != 0 || info.Waiting != 0 || info.Stats.Canceled == 0 {
		t.Errorf("left: %+v", info)
	}
}
