//go:build linux

package uring

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestBufRingRefuses(t *testing.T) {
	need(t, CheckBufRing)
	r := open(t, 2, nil)
	for _, entries := range []int{-2, 0, 1, 3, 2 * BufRingMax} {
		if _, err := r.RegisterBufRing(1, entries); err == nil {
			t.Errorf("%d entries: no error", entries)
		}
	}
	for _, c := range [][2]int{{0, 8}, {BufRingMax + 1, 8}, {8, 0}, {8, -1}, {BufRingMax, 1 << 30}} {
		if _, err := r.BufRing(1, c[0], c[1]); err == nil {
			t.Errorf("%d buffers of %d bytes: no error", c[0], c[1])
		}
	}
	b, err := r.RegisterBufRing(1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.RegisterBufRing(1, 2); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("the same group: want EEXIST, got %v", err)
	}
	for range 2 {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	b, err = r.RegisterBufRing(1, BufRingMax)
	if err != nil {
		t.Fatal("the group again, as large as can be:", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// TestBufRingAddCommit: the kernel sees what is committed, in order, and no more; the tail wraps and the id in entry 0,
// which shares its word, stays right.
func TestBufRingAddCommit(t *testing.T) {
	need(t, CheckBufRing)
	eachGeometry(t, func(t *testing.T, r *Ring) {
		b, err := r.RegisterBufRing(7, 4)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		x, y := socketpair(t, unix.SOCK_STREAM)
		mem := make([]byte, 64)
		recv := func() CQE {
			return do(t, r, func(e *SQE) { e.PrepRecvSelect(x, 7, 0, unix.MSG_DONTWAIT) })
		}
		write(t, y, "a")
		b.Add(mem[:8], 500)
		want(t, recv(), syscall.ENOBUFS)
		b.Commit()
		c := recv()
		want(t, c, 1)
		if c.BufID() != 500 || mem[0] != 'a' {
			t.Fatalf("id %d, byte %q", c.BufID(), mem[0])
		}
		const turns = 70000 // more than the tail's 16 bits count
		for i := range turns {
			id := uint16(i * 7)
			b.Add(mem[i%8*8:][:8], id)
			b.Commit()
			if i%997 != 0 && i < turns-16 {
				b.next-- // take it back: the next Add and Commit write the same place
				continue
			}
			write(t, y, "b")
			if c := recv(); c.Res != 1 || c.BufID() != id || mem[i%8*8] != 'b' {
				t.Fatalf("turn %d: want id %d, got %d (%s)", i, id, c.BufID(), result(c.Res))
			}
			mem[i%8*8] = 0
		}
	})
}

// TestBufRingTailWraps lends and gets back so many buffers that the 16-bit tail passes its end.
func TestBufRingTailWraps(t *testing.T) {
	need(t, CheckRecvMultishot)
	r := open(t, 64, nil)
	const buffers, size = 32, 16
	b, err := r.BufRing(1, buffers, size)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	x, y := socketpair(t, unix.SOCK_STREAM)
	tag := start(t, r, func(e *SQE) { e.PrepRecvMultishot(x, 1, 0) })
	chunk := make([]byte, size*16)
	next, cqes := byte(0), make([]CQE, 64)
	for received := 0; received < 70000*size; {
		for i := range chunk {
			chunk[i] = byte(i)
		}
		if _, err := unix.Write(y, chunk); err != nil {
			t.Fatal(err)
		}
		for missing := len(chunk); missing > 0; {
			if _, err := r.Wait(1, waitMax); err != nil {
				t.Fatal(err)
			}
			for _, c := range cqes[:r.Drain(cqes)] {
				if c.UserData != tag || c.Res <= 0 || !c.More() {
					t.Fatalf("after %d bytes: %+v", received, c)
				}
				for _, got := range b.Bytes(c.BufID())[:c.Res] {
					if got != next {
						t.Fatalf("want %d, got %d", next, got)
					}
					next++
				}
				missing -= int(c.Res)
				received += int(c.Res)
				b.Add(b.Bytes(c.BufID()), c.BufID())
			}
			b.Commit()
		}
	}
	endByRemoval(t, r, tag, (*SQE).PrepCancel)
}

// TestBufRingOfSize: any number of buffers, each with its own memory, all of them lent.
func TestBufRingOfSize(t *testing.T) {
	need(t, CheckBufRing)
	for _, n := range []int{1, 2, 3, 5, 64, 100} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := open(t, 2, nil)
			b, err := r.BufRing(9, n, 10)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if b.Group() != 9 || b.Entries() < n || b.Entries() >= 2*max(n, 2) {
				t.Errorf("group %d, %d entries for %d buffers", b.Group(), b.Entries(), n)
			}
			x, y := socketpair(t, unix.SOCK_STREAM)
			seen := map[uint16]bool{}
			for i := range n {
				write(t, y, fmt.Sprintf("%010d", i))
				c := do(t, r, func(e *SQE) { e.PrepRecvSelect(x, 9, 0, 0) })
				want(t, c, 10)
				if got := string(b.Bytes(c.BufID())); got != fmt.Sprintf("%010d", i) || seen[c.BufID()] {
					t.Fatalf("buffer %d: %q, seen before: %v", c.BufID(), got, seen[c.BufID()])
				}
				seen[c.BufID()] = true
			}
			want(t, do(t, r, func(e *SQE) { e.PrepRecvSelect(x, 9, 0, unix.MSG_DONTWAIT) }), syscall.ENOBUFS)
		})
	}
}

// TestBufRingMisuse: what a ring was not made for is said, with its numbers.
func TestBufRingMisuse(t *testing.T) {
	need(t, CheckBufRing)
	r := open(t, 2, nil)
	ringOf := func(cfg BufRingConfig) *BufRing {
		b, err := r.OpenBufRing(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return b
	}
	plain := ringOf(BufRingConfig{Group: 0, Buffers: 3, Size: 10})
	bundles := ringOf(BufRingConfig{Group: 1, Buffers: 3, Size: 10, Bundles: true})
	others := ringOf(BufRingConfig{Group: 2, Entries: 4})
	bundle := CQE{Res: 25, Flags: CQEBuffer}
	for _, c := range []struct {
		misuse func()
		want   string
	}{
		{func() { plain.Bytes(3) }, "buffer 3 of group 0, which has 3"},
		{func() { bundles.Add(make([]byte, 10), 3) }, "buffer 3 of group 1, which has 3"},
		{func() { others.Parts(bundle) }, "parts of buffer 0 of group 2, whose ring has no buffers of its own"},
		{func() { others.PartsOf(bundle, 0) }, "parts of buffer 0 of group 2, whose ring has no buffers of its own"},
	} {
		func() {
			defer func() {
				if v := fmt.Sprint(recover()); v != "uring: "+c.want {
					t.Errorf("panic %q, want %q", v, c.want)
				}
			}()
			c.misuse()
		}()
	}
	gone := ringOf(BufRingConfig{Group: 3, Buffers: 512, Size: 8})
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	gone.next = 511 // not a place in the first page, whose fault would be a panic, too
	for _, misuse := range []func(){func() { gone.Add(make([]byte, 8), 0) }, gone.Commit} {
		func() {
			defer func() {
				if v := fmt.Sprint(recover()); v != "uring: buffer ring of group 3 is closed" {
					t.Errorf("panic %q", v)
				}
			}()
			misuse()
		}()
	}
	if n, err := gone.Available(); n != 0 || !errors.Is(err, syscall.EBADF) {
		t.Errorf("%d available of a closed buffer ring, %v; want EBADF", n, err)
	}
	for _, p := range []BufParts{plain.Parts(bundle), bundles.PartsOf(bundle, 0)} {
		if _, part, done, ok := p.Next(); len(part) != 10 || !done || !ok {
			t.Errorf("the one buffer: %d bytes, %v, %v", len(part), done, ok)
		}
		if id, _, _, ok := p.Next(); ok {
			t.Errorf("%d is a second one", id)
		}
	}
}

// TestBufRingCloseRefused: while the kernel has the group its memory stays, and Close can be called again.
func TestBufRingCloseRefused(t *testing.T) {
	need(t, CheckBufRing)
	t.Run("restricted", func(t *testing.T) {
		r := openWith(t, 8, Config{With: SetupRDisabled}, "5.10")
		if err := errors.Join(r.RegisterRestrictions([]Restriction{
			AllowOp(OpRecv), AllowFlags(SQEBufferSelect), AllowRegister(RegEnableRings), AllowRegister(RegPbufRing),
		}), r.Enable()); err != nil {
			t.Fatal(err)
		}
		b, err := r.BufRing(1, 4, 64)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			err := b.Close()
			if !errors.Is(err, syscall.EACCES) || !strings.Contains(err.Error(), "the ring's own restrictions") {
				t.Fatalf("Close: want EACCES and why, got %v", err)
			}
		}
		receiveInto(t, r, b)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("after the ring's Close: %v", err)
		}
	})
	t.Run("another thread", func(t *testing.T) {
		r := open(t, 8, nil)
		if r.Flags()&SetupSingleIssuer == 0 {
			t.Skip("needs SINGLE_ISSUER (Linux 6.0)")
		}
		b, err := r.BufRing(1, 4, 64)
		if err != nil {
			t.Fatal(err)
		}
		closed := make(chan error)
		go func() { closed <- b.Close() }()
		if err := <-closed; !errors.Is(err, syscall.EEXIST) {
			t.Errorf("Close: want EEXIST, got %v", err)
		}
		receiveInto(t, r, b)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// receiveInto receives a byte into one of a buffer ring's buffers.
func receiveInto(t *testing.T, r *Ring, b *BufRing) {
	t.Helper()
	x, y := socketpair(t, unix.SOCK_STREAM)
	write(t, y, "x")
	c := do(t, r, func(e *SQE) { e.PrepRecvSelect(x, b.Group(), 0, 0) })
	want(t, c, 1)
	if got := b.Bytes(c.BufID())[0]; got != 'x' {
		t.Errorf("received %q", got)
	}
}

// given takes the parts of a CQE, and gives back the buffers that are done.
func given(b *BufRing, p BufParts) (text string) {
	for {
		id, part, done, ok := p.Next()
		if !ok {
			return text
		}
		if text += string(part); done {
			b.Return(id)
		}
	}
}

// TestPartsOfCut: of a message that MSG_TRUNC tells the length of there is what the one buffer has, and no other buffer
// is given back, since none was taken.
func TestPartsOfCut(t *testing.T) {
	need(t, CheckRecvMultishot)
	const buffers, size = 4, 64
	for _, bundles := range []bool{false, true} {
		for _, multishot := range []bool{false, true} {
			r := open(t, 8, nil)
			b, err := r.OpenBufRing(BufRingConfig{Group: 1, Buffers: buffers, Size: size, Bundles: bundles})
			if err != nil {
				t.Fatal(err)
			}
			x, y := socketpair(t, unix.SOCK_DGRAM)
			arm := func() uint64 {
				return start(t, r, func(e *SQE) {
					if e.PrepRecvSelect(x, 1, 0, unix.MSG_TRUNC); multishot {
						e.PrepRecvMultishot(x, 1, unix.MSG_TRUNC)
					}
				})
			}
			tag := arm()
			for i := range 2 * buffers {
				message := strings.Repeat(string(rune('a'+i)), size+2*i*size/buffers)
				write(t, y, message)
				c := finish(t, r, tag)
				want(t, c, len(message))
				p := b.Parts(c)
				if bundles {
					p = b.PartsOf(c, 0)
				}
				if got := given(b, p); got != message[:size] {
					t.Errorf("Bundles %v, multishot %v: of %d bytes got %d, %q", bundles, multishot, c.Res, len(got),
						got)
				}
				if n, err := b.Available(); err == nil && n != buffers {
					t.Fatalf("Bundles %v, multishot %v: %d of %d buffers are lent", bundles, multishot, n, buffers)
				}
				if !multishot && i+1 < 2*buffers {
					tag = arm()
				}
			}
			if multishot {
				endByRemoval(t, r, tag, (*SQE).PrepCancel)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestPartsOfCounted: an incremental buffer goes on where the kernel does, which is behind the length of an entry where
// it takes a buffer before it knows what there is.
func TestPartsOfCounted(t *testing.T) {
	need(t, CheckBufRing)
	for _, bundles := range []bool{false, true} {
		r := open(t, 8, nil)
		b, err := r.OpenBufRing(BufRingConfig{Group: 1, Buffers: 2, Size: 64, Incremental: true, Bundles: bundles})
		asSince(t, err, "6.12")
		fd := fileOf(t, "0123456789")
		x, y := socketpair(t, unix.SOCK_STREAM)
		read := func(n uint32, off int64, text string) {
			t.Helper()
			c := do(t, r, func(e *SQE) { e.PrepReadSelect(fd, 1, n, off) })
			if got := given(b, b.PartsOf(c, int(n))); got != text {
				t.Errorf("Bundles %v: a read of %d at %d: %q, want %q", bundles, n, off, got, text)
			}
		}
		receive := func(n uint32, counted int, flags SQEFlags, text string) {
			t.Helper()
			tag := start(t, r, flagged(func(e *SQE) { e.PrepRecvSelect(x, 1, n, 0) }, flags))
			write(t, y, text)
			if got := given(b, b.PartsOf(finish(t, r, tag), counted)); got != text {
				t.Errorf("Bundles %v: a receive of %d with %v: %q, want %q", bundles, n, flags, got, text)
			}
		}
		for turn := range 20 {
			read(4, 8, "89")
			read(4, 0, "0123")
			read(4, 100, "")
			receive(16, 0, 0, "plain"[:1+turn%5])
			receive(16, 16, SQEAsync, "async"[:1+turn%4])
			receive(0, 0, SQEAsync, "whole"[:1+turn%5])
			receive(16, 16, SQEDrain, "drained"[:1+turn%7])
			read(0, 4, "456789")
			read(3, 9, "9")
		}
		if n, err := b.Available(); err == nil && n != 2 {
			t.Errorf("Bundles %v: %d of 2 buffers are lent", bundles, n)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}
