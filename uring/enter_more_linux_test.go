//go:build linux

package uring

import (
	"encoding/binary"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/test/patience"
)

// TestEnterFor: each end that a wait may have.
func TestEnterFor(t *testing.T) {
	eachGeometry(t, func(t *testing.T, r *Ring) {
		if r.Features()&FeatExtArg == 0 {
			if _, errno := r.EnterFor(1, &Wait{}); errno != syscall.EINVAL {
				t.Errorf("without EXT_ARG: want EINVAL, got %v", errno)
			}
			return
		}
		if errno := enterFor(r, 1, Wait{Timeout: time.Millisecond}); errno != syscall.ETIME {
			t.Errorf("a time limit: want ETIME, got %v", errno)
		}
		start(t, r, (*SQE).PrepNop)
		patience.UntilBy(t, "a wait without a time limit ends", func() {}, func() bool {
			if _, errno := r.EnterFor(1, &Wait{}); errno != 0 && errno != syscall.EINTR {
				t.Fatalf("without one: %v", errno)
			}
			return r.CQReady() > 0
		})
		want(t, finishReady(t, r), 0)
		if r.Features()&FeatMinTimeout == 0 {
			if _, errno := r.EnterFor(1, &Wait{MinWait: 1}); errno != syscall.EINVAL {
				t.Errorf("without MIN_TIMEOUT: want EINVAL, got %v", errno)
			}
			return
		}
		// Two are asked for and one is there: when MinWait is over it is enough, long before the limit.
		start(t, r, (*SQE).PrepNop)
		patience.Within("a wait whose MinWait is over", func() {
			if errno := enterFor(r, 2, Wait{MinWait: time.Millisecond, Timeout: endless}); errno != 0 {
				t.Errorf("MinWait is over: %v", errno)
			}
		})
		want(t, finish(t, r, lastTag.Load()), 0)
	})
}

// TestEnterForSignals: a signal that is masked while the thread waits ends the wait no more than no signal.
func TestEnterForSignals(t *testing.T) {
	need(t, CheckExtArg)
	r := open(t, 8, nil)
	caught := make(chan os.Signal, 16)
	signal.Notify(caught, unix.SIGUSR2)
	defer signal.Stop(caught)
	tid, pid := unix.Gettid(), unix.Getpid()
	held := new(SignalSet)
	*held = held.With(int(unix.SIGUSR2)).With(int(unix.SIGURG)) // and what the scheduler preempts by
	for _, mask := range []*SignalSet{held, nil} {
		done := make(chan struct{})
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for {
				unix.Tgkill(pid, tid, unix.SIGUSR2)
				select {
				case <-done:
					return
				case <-time.After(time.Millisecond):
				}
			}
		}()
		if mask != nil {
			if _, errno := r.EnterFor(1, &Wait{Timeout: 50 * time.Millisecond, Signals: mask}); errno != syscall.ETIME {
				t.Errorf("held back: want ETIME, got %v", errno)
			}
		} else {
			patience.Within("a wait whose signal is not held back", func() {
				errno := syscall.Errno(0)
				for errno == 0 {
					_, errno = r.EnterFor(1, &Wait{Timeout: endless})
				}
				if errno != syscall.EINTR {
					t.Errorf("not held back: want EINTR, got %v", errno)
				}
			})
		}
		close(done)
		<-sent
	}
}

func TestEnterForAllocs(t *testing.T) {
	need(t, CheckExtArg)
	r := open(t, 8, nil)
	w := Wait{Timeout: time.Second}
	if r.Features()&FeatMinTimeout != 0 {
		w.MinWait = time.Microsecond
	}
	wantAllocs(t, 0, "EnterFor", func() {
		r.SQE().PrepNop()
		r.EnterFor(1, &w)
		r.CQE()
	})
}

func TestSetIOWait(t *testing.T) {
	r := open(t, 4, nil)
	err := r.SetIOWait(true)
	if r.Features()&FeatNoIOWait == 0 {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("got %v", err)
		}
		t.Skip(err)
	}
	for _, on := range []bool{true, false} {
		if err := r.SetIOWait(on); err != nil {
			t.Fatal(err)
		}
		want(t, do(t, r, (*SQE).PrepNop), 0)
	}
}

// TestSetEventfd: what completes while signals are off is signalled never.
func TestSetEventfd(t *testing.T) {
	eachGeometry(t, func(t *testing.T, r *Ring) {
		fd := eventfd(t)
		if err := r.RegisterEventfd(fd); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			asSince(t, r.SetEventfd(false), "5.8")
			if r.EventfdOn() {
				t.Error("on")
			}
			var count [8]byte
			want(t, do(t, r, (*SQE).PrepNop), 0)
			if _, err := unix.Read(fd, count[:]); err != unix.EAGAIN {
				t.Errorf("off, yet signalled: %v, %v", count, err)
			}
			if err := r.SetEventfd(true); err != nil || !r.EventfdOn() {
				t.Error("off", err)
			}
			want(t, do(t, r, (*SQE).PrepNop), 0)
			waitReadable(t, fd)
			if n, err := unix.Read(fd, count[:]); n != 8 || err != nil || binary.NativeEndian.Uint64(count[:]) == 0 {
				t.Errorf("on: %v, %v", count, err)
			}
		}
	})
}

// TestPeekAdvance, and CQEs: nothing is lost, nothing comes twice.
func TestPeekAdvance(t *testing.T) {
	eachGeometry(t, func(t *testing.T, r *Ring) {
		n := min(r.SQEntries(), r.CQEntries(), 8)
		next := uint64(0)
		turn := func(take func()) {
			t.Helper()
			for i := range n {
				e := r.SQE()
				e.PrepNop()
				e.SetUserData(next + uint64(i))
			}
			if _, err := r.Wait(n, waitMax); err != nil {
				t.Fatal(err)
			}
			take()
			if _, ok := r.CQE(); ok || r.CQReady() != 0 {
				t.Fatal("more CQEs than that")
			}
		}
		see := func(c CQE) {
			t.Helper()
			if c.UserData != next {
				t.Fatalf("want %d, got %d", next, c.UserData)
			}
			next++
		}
		into := make([]CQE, n)
		for range 40 {
			turn(func() {
				for range 2 { // they stay
					if got := r.Peek(into); got != n || into[0].UserData != next {
						t.Fatalf("peeked %d, the first is %d", got, into[0].UserData)
					}
				}
				see(into[0])
				r.Advance(1)
				c, _ := r.CQE()
				see(c)
				for _, c := range into[:r.Peek(into)] {
					see(c)
				}
				r.Advance(n - 2)
			})
			turn(func() {
				for c := range r.CQEs() {
					see(c)
					if c.UserData%3 == 0 {
						break
					}
				}
				for c := range r.CQEs() {
					see(c)
				}
			})
		}
		wantAllocs(t, 0, "CQEs, Peek, Advance", func() {
			r.SQE().PrepNop()
			r.Wait(1, waitMax)
			r.Peek(into)
			for range r.CQEs() {
			}
			r.SQE().PrepNop()
			r.Wait(1, waitMax)
			r.Advance(1)
		})
		defer func() {
			if recover() == nil {
				t.Error("Advance over nothing: no panic")
			}
		}()
		r.Advance(1)
	})
}

// TestBundleParts: a receive of many buffers at once is told apart into them, in the ring's order, also while another
// socket takes from the same ring.
func TestBundleParts(t *testing.T) {
	r := open(t, 16, nil)
	if r.Features()&FeatRecvSendBundle == 0 {
		t.Skip(&FeatureError{Name: "RECVSEND_BUNDLE", Since: "6.10"})
	}
	for _, incremental := range []bool{false, true} {
		b, err := r.OpenBufRing(BufRingConfig{Group: 5, Buffers: 8, Size: 16, Bundles: true, Incremental: incremental})
		if incremental {
			asSince(t, err, "6.12")
		} else if err != nil {
			t.Fatal(err)
		}
		x, y := socketpair(t, unix.SOCK_STREAM)
		v, w := socketpair(t, unix.SOCK_STREAM)
		recv := func(fd int) CQE {
			return do(t, r, func(e *SQE) {
				e.PrepRecvSelect(fd, 5, 0, 0)
				e.IOPrio = 1 << 4 // IORING_RECVSEND_BUNDLE
			})
		}
		// take returns what is left of the text: a bundle may be smaller than what there is.
		take := func(c CQE, text string) string {
			t.Helper()
			buffers := (int(c.Res) + 15) / 16
			if n := b.Covers(c); !incremental && n != buffers {
				t.Errorf("%d bytes: covers %d buffers, want %d", c.Res, n, buffers)
			}
			got, n := "", 0
			for p := b.Parts(c); ; n++ {
				id, part, done, ok := p.Next()
				if !ok {
					break
				}
				got += string(part)
				if done {
					b.Return(id)
				}
			}
			if got == "" || !strings.HasPrefix(text, got) || int(c.Res) != len(got) || !incremental && n != buffers {
				t.Fatalf("%+v: got %q in %d parts, want %q in %d", c, got, n, text, buffers)
			}
			return text[len(got):]
		}
		rest := func(fd int, text string) {
			t.Helper()
			for text != "" {
				text = take(recv(fd), text)
			}
		}
		for i := range 100 {
			text := make([]byte, 1+i%60)
			for j := range text {
				text[j] = byte('a' + (i+j)%26)
			}
			write(t, y, string(text))
			rest(x, string(text))
			if i%5 == 0 { // two that end in the other order than they took
				one, two := "one", "two and a little more than one buffer"
				write(t, y, one)
				write(t, w, two)
				c1 := recv(x)
				c2 := recv(v)
				if incremental {
					one = take(c1, one)
					two = take(c2, two)
				} else {
					two = take(c2, two)
					one = take(c1, one)
				}
				rest(x, one)
				rest(v, two)
			}
		}
		if n := b.Covers(CQE{Res: 5}); n != 0 {
			t.Errorf("a CQE without a buffer covers %d", n)
		}
		letter := []byte("x")
		wantAllocs(t, 0, "Parts", func() {
			unix.Write(y, letter)
			c := recv(x)
			for p := b.Parts(c); ; {
				id, _, done, ok := p.Next()
				if !ok {
					break
				}
				if done {
					b.Return(id)
				}
			}
		})
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
