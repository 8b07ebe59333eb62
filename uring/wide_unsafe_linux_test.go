//go:build linux

package uring

import (
	"bytes"
	"encoding/binary"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/sys"
)

// bigCQEs runs a test on rings that have completions of 32 bytes, all of them or some.
func bigCQEs(t *testing.T, cfg Config, test func(t *testing.T, r *Ring)) {
	t.Run("all", func(t *testing.T) {
		cfg := cfg
		cfg.With |= SetupCQE32
		test(t, openWith(t, 8, cfg, "5.19"))
	})
	t.Run("mixed", func(t *testing.T) {
		cfg := cfg
		cfg.With |= SetupCQEMixed
		test(t, openWith(t, 8, cfg, "6.18"))
	})
}

// takeBig waits for one CQE of 32 bytes.
func takeBig(t *testing.T, r *Ring) CQE32 {
	t.Helper()
	for range 3 { // what fills a gap at the ring's end counts as one, too
		if _, err := r.Wait(1, waitMax); err != nil {
			t.Fatal(err)
		}
		if c, ok := r.CQE32(); ok {
			return c
		}
	}
	t.Fatal("no CQE")
	return CQE32{}
}

// TestBigCQEs: completions of both sizes, many times around the ring, and past its end.
func TestBigCQEs(t *testing.T) {
	needOp(t, OpNop, "5.1")
	bigCQEs(t, Config{CQEntries: 8}, func(t *testing.T, r *Ring) {
		nop := func(big bool, tag uint64) {
			e := r.SQE()
			if e.PrepNop(); big {
				e.PrepNopFlags(NopCQE32)
				e.Off, e.Addr = tag+1, tag+2
			}
			e.SetUserData(tag)
		}
		look := func(c CQE32, big bool, tag uint64) {
			t.Helper()
			if c.Res == -int32(syscall.EINVAL) && !newerThan("6.18") {
				t.Skip(&FeatureError{"NOP_CQE32", "6.18"})
			}
			if c.UserData != tag || c.Res != 0 || big && c.Extra != [2]uint64{tag + 1, tag + 2} {
				t.Fatalf("want number %d, got %+v", tag, c)
			}
		}
		tag := uint64(0)
		for i := range 100 {
			tag++
			nop(i%3 == 0, tag)
			if _, err := r.Submit(); err != nil {
				t.Fatal(err)
			}
			look(takeBig(t, r), i%3 == 0, tag)
		}
		for range 3 { // more than there is room for
			first := tag + 1
			for i := range 14 {
				tag++
				nop(i%2 == 0, tag)
				if _, err := r.Submit(); err != nil {
					t.Fatal(err)
				}
			}
			seen := map[uint64]bool{}
			for range uint64(14) {
				// A small one may pass a big one for which there was no room: Linux 6.18 keeps no order then.
				c := takeBig(t, r)
				if i := c.UserData - first; i >= 14 || seen[c.UserData] {
					t.Fatalf("from %d on: %+v after %v", first, c, seen)
				}
				seen[c.UserData] = true
				look(c, (c.UserData-first)%2 == 0, c.UserData)
			}
		}
	})
}

// TestBigSQEs: entries of 128 bytes, many times around the ring; a command's bytes reach into the second half.
func TestBigSQEs(t *testing.T) {
	r := openWith(t, 8, Config{With: SetupSQE128}, "5.19")
	for i := range 50 {
		e := r.SQE128()
		e.PrepNop()
		e.SetUserData(uint64(i))
		e.Rest[63] = 0xff
		if c := takeOne(t, r); c.UserData != uint64(i) || c.Res != 0 {
			t.Fatalf("entry %d: %+v", i, c)
		}
	}
	_, fd := openNew(t)
	p := make([]byte, 8)
	want(t, do(t, r, func(e *SQE) { e.PrepRead(fd, p, 0) }), 4)
	needSockCmd(t, r)
	a, _ := stream(t)
	val := new(int32)
	*val = 1
	e := r.SQE128()
	e.PrepUringCmd(a, 3)
	e.Addr = word(unix.SOL_SOCKET, unix.SO_KEEPALIVE)
	e.FileIndex = 4
	binary.NativeEndian.PutUint64(e.Command()[:8], ptr(unsafe.Pointer(val)))
	e.Command()[79] = 1
	want(t, takeOne(t, r), 0)
	if got, err := unix.GetsockoptInt(a, unix.SOL_SOCKET, unix.SO_KEEPALIVE); got != 1 || err != nil {
		t.Errorf("the option is %d, %v", got, err)
	}
}

// TestMixedSQEs: entries of both sizes on one ring, at each place of it, its end included.
func TestMixedSQEs(t *testing.T) {
	needOp(t, OpNop128, "6.19")
	r := openWith(t, 8, Config{With: SetupSQEMixed}, "6.19")
	a, _ := stream(t)
	for i := range 100 {
		tag := uint64(i + 1)
		var e *SQE
		switch i % 3 {
		case 0:
			e = r.SQE()
			e.PrepNop()
		case 1:
			e = &r.SQE128().SQE
			e.PrepNop128()
		case 2:
			e = &r.SQE128().SQE
			e.PrepUringCmd128(a, 0) // how much is unread
		}
		e.SetUserData(tag)
		if c := takeOne(t, r); c.UserData != tag || c.Res != 0 {
			t.Fatalf("entry %d: %+v", i, c)
		}
	}
}

// TestTimestamps: a socket tells when its packets went out.
func TestTimestamps(t *testing.T) {
	bigCQEs(t, Config{}, func(t *testing.T, r *Ring) {
		needSockCmd(t, ringOf(t, 4))
		a, b, addr := datagrams(t)
		const wanted = unix.SOF_TIMESTAMPING_TX_SOFTWARE | unix.SOF_TIMESTAMPING_SOFTWARE |
			unix.SOF_TIMESTAMPING_OPT_ID | unix.SOF_TIMESTAMPING_OPT_TSONLY
		if err := unix.SetsockoptInt(a, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, wanted); err != nil {
			t.Skip(err)
		}
		tag := start(t, r, func(e *SQE) { e.PrepTxTimestamp(a) })
		ap := addr.AddrPort()
		for i := range int32(3) {
			err := unix.Sendto(a, []byte("hello"), 0, &unix.SockaddrInet4{Addr: ap.Addr().As4(), Port: int(ap.Port())})
			if err != nil {
				t.Fatal(err)
			}
			readAll(t, b, "hello")
			c := takeBig(t, r)
			if c.Res == -int32(syscall.EOPNOTSUPP) && !newerThan("6.17") {
				t.Skip(&FeatureError{"SOCKET_URING_OP_TX_TIMESTAMP", "6.17"})
			}
			at := time.Unix(int64(c.Extra[0]), int64(c.Extra[1]))
			if c.UserData != tag || c.Res != i || !c.More() || time.Since(at).Abs() > time.Minute {
				t.Fatalf("packet %d: %+v, at %v", i, c, at)
			}
		}
	})
}

// TestIncrementalBuffers: the kernel goes on in a buffer where it has stopped.
func TestIncrementalBuffers(t *testing.T) {
	incremental := func(t *testing.T, r *Ring, n, size int) *BufRing {
		t.Helper()
		bufs, err := r.OpenBufRing(BufRingConfig{Group: 1, Buffers: n, Size: size, Incremental: true, Bundles: true})
		if err != nil {
			if !newerThan("6.12") {
				t.Skip(&FeatureError{"PBUF_RING_INC", "6.12"})
			}
			t.Fatal(err)
		}
		t.Cleanup(func() { bufs.Close() })
		return bufs
	}
	collect := func(bufs *BufRing, c CQE) (got []byte) {
		for p := bufs.Parts(c); ; {
			id, part, done, ok := p.Next()
			if !ok {
				return got
			}
			if got = append(got, part...); done {
				bufs.Return(id)
			}
		}
	}
	runCases(t, []ringCase{
		{"a file", func(t *testing.T, r *Ring) {
			bufs := incremental(t, r, 2, 64)
			_, fd := openNew(t)
			for range 10 {
				c := do(t, r, func(e *SQE) { e.PrepReadSelect(fd, 1, 3, 1) })
				want(t, c, 3)
				if got := collect(bufs, c); string(got) != "ext" {
					t.Fatalf("read %q", got)
				}
			}
		}},
		{"a pipe, and its end", func(t *testing.T, r *Ring) {
			bufs := incremental(t, r, 1, 1024)
			rd, wr := pipe(t)
			tag := start(t, r, func(e *SQE) { e.PrepReadMultishot(rd, 1) })
			for _, text := range []string{"one", "two", "three"} {
				write(t, wr, text)
				c := finish(t, r, tag)
				if c.Flags&CQEBufMore == 0 || !c.More() || string(collect(bufs, c)) != text {
					t.Fatalf("%q came as %+v", text, c)
				}
			}
			unix.Close(wr)
			if c := finish(t, r, tag); c.Res != 0 || c.More() {
				t.Errorf("the end: %+v", c)
			}
		}},
		{"a stream, in order", func(t *testing.T, r *Ring) {
			for _, bundle := range []bool{false, true} {
				bufs := incremental(t, r, 4, 100)
				a, b := socketpair(t, unix.SOCK_STREAM)
				arm := func() {
					start(t, r, func(e *SQE) {
						if e.PrepRecvMultishot(a, 1, 0); bundle {
							e.SetBundle()
						}
					})
				}
				arm()
				var out, got []byte
				for i, n := range []int{1, 50, 99, 100, 101, 7, 7, 300, 2, 250} {
					p := bytes.Repeat([]byte{byte('a' + i)}, n)
					out = append(out, p...)
					if _, err := unix.Write(b, p); err != nil {
						t.Fatal(err)
					}
					for len(got) < len(out) {
						for _, c := range takeAll(t, r, 1) {
							if got = append(got, collect(bufs, c)...); !c.More() {
								arm()
							}
						}
					}
				}
				if !bytes.Equal(got, out) {
					t.Errorf("bundle %v: the bytes came in another order than they were sent in", bundle)
				}
				unix.Close(b)
				takeAll(t, r, 1)
				bufs.Close()
			}
		}},
		{"messages, until there is no room for one's front", func(t *testing.T, r *Ring) {
			bufs := incremental(t, r, 2, 100)
			a, b := socketpair(t, unix.SOCK_SEQPACKET)
			msg := new(sys.Msghdr)
			arm := func() { start(t, r, func(e *SQE) { e.PrepRecvmsgMultishot(a, unsafe.Pointer(msg), 1, 0) }) }
			arm()
			text := strings.Repeat("m", 20)
			for got := 0; got < 12; {
				write(t, b, text)
				c := takeOne(t, r)
				if c.Res < 0 { // the rest of a buffer is shorter than the front: nothing is lost
					if c.Res != -int32(syscall.EFAULT) && c.Res != -int32(syscall.ENOBUFS) {
						t.Fatal(result(c.Res))
					}
					t.Skipf("this kernel does not pass over a rest that is too short: %s", result(c.Res))
				}
				m, ok := ParseRecvmsg(collect(bufs, c), 0, 0)
				if !ok || len(m.Payload) == 0 || !strings.HasPrefix(text, string(m.Payload)) {
					t.Fatalf("message %d: %+v, %+v", got, c, m)
				}
				if got++; !c.More() {
					arm()
				}
			}
		}},
	})
}
