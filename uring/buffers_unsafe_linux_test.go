//go:build linux

package uring

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/sys"
)

// lent makes a buffer ring, closed at the test's end.
func lent(t *testing.T, r *Ring, group uint16, n, size int) *BufRing {
	t.Helper()
	bufs, err := r.BufRing(group, n, size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bufs.Close() })
	return bufs
}

// TestBuffersOfGroups: how buffers are taken, run out, come back, and whose they are.
func TestBuffersOfGroups(t *testing.T) {
	need(t, CheckBufRing)
	runCases(t, []ringCase{
		{"drained and filled", func(t *testing.T, r *Ring) {
			bufs := lent(t, r, 1, 4, 8)
			_, fd := openNew(t)
			for range 20 {
				var ids []uint16
				for range 4 {
					c := do(t, r, func(e *SQE) { e.PrepReadSelect(fd, 1, 0, 0) })
					want(t, c, 4)
					ids = append(ids, c.BufID())
				}
				want(t, do(t, r, func(e *SQE) { e.PrepReadSelect(fd, 1, 0, 0) }), syscall.ENOBUFS)
				for _, id := range ids {
					if string(bufs.Bytes(id)[:4]) != "text" {
						t.Fatalf("buffer %d holds %q", id, bufs.Bytes(id))
					}
					bufs.Return(id)
				}
			}
		}},
		{"groups of a ring are its own", func(t *testing.T, r *Ring) {
			lent(t, r, 1, 2, 8)
			_, fd := openNew(t)
			want(t, do(t, r, func(e *SQE) { e.PrepReadSelect(fd, 2, 0, 0) }), syscall.ENOBUFS)
			if _, err := r.BufRing(1, 2, 8); err == nil {
				t.Error("group 1 was made twice")
			}
			for _, group := range []uint16{0, 63, 64, 65535} {
				b, err := r.BufRing(group, 2, 8)
				if err != nil {
					t.Fatal(group, err)
				}
				want(t, do(t, r, func(e *SQE) { e.PrepReadSelect(fd, group, 0, 0) }), 4)
				if err := b.Close(); err != nil {
					t.Error(group, err)
				}
				want(t, do(t, r, func(e *SQE) { e.PrepReadSelect(fd, group, 0, 0) }), syscall.ENOBUFS)
			}
		}},
		{"one buffer, one vector", func(t *testing.T, r *Ring) {
			lent(t, r, 1, 2, 8)
			_, fd := openNew(t)
			p := make([]byte, 4)
			vec, n := vector(p, p)
			want(t, do(t, r, func(e *SQE) { e.PrepReadv(fd, vec, n, 0); e.SetBufGroup(1) }), syscall.EINVAL)
			if c := do(t, r, func(e *SQE) { e.PrepWrite(fd, p, 0); e.SetBufGroup(1) }); c.Res >= 0 {
				t.Errorf("a write that picks a buffer: %d", c.Res)
			}
			if c := do(t, r, func(e *SQE) { e.PrepNop(); e.SetBufGroup(1) }); c.Res >= 0 {
				t.Errorf("a nop that picks a buffer: %d", c.Res)
			}
		}},
		{"a legacy group becomes a ring", func(t *testing.T, r *Ring) {
			mem := make([]byte, 8)
			if c := do(t, r, func(e *SQE) { e.PrepProvideBuffers(1, 7, mem, 1) }); c.Res < 0 {
				t.Fatal(result(c.Res))
			}
			_, fd := openNew(t)
			if c := do(t, r, func(e *SQE) { e.PrepReadSelect(fd, 1, 0, 0) }); c.Res != 4 || c.BufID() != 7 {
				t.Fatalf("%+v", c)
			}
			bufs := lent(t, r, 1, 2, 8)
			if c := do(t, r, func(e *SQE) { e.PrepProvideBuffers(1, 7, mem, 1) }); c.Res != -int32(syscall.EINVAL) {
				t.Errorf("a buffer provided to a ring: %s", result(c.Res))
			}
			if c := do(t, r, func(e *SQE) { e.PrepRemoveBuffers(1, 1) }); c.Res != -int32(syscall.EINVAL) {
				t.Errorf("a buffer removed from a ring: %s", result(c.Res))
			}
			c := do(t, r, func(e *SQE) { e.PrepReadSelect(fd, 1, 0, 0) })
			if c.Res != 4 || string(bufs.Bytes(c.BufID())[:4]) != "text" {
				t.Errorf("%+v", c)
			}
		}},
		{"a read over the buffer ring itself", func(t *testing.T, r *Ring) {
			// The bytes land on the entries that the kernel is just using: it must not believe them.
			bufs, err := r.RegisterBufRing(1, 2)
			if err != nil {
				t.Fatal(err)
			}
			defer bufs.Close()
			f, fd := openNew(t)
			f.WriteString(strings.Repeat("\xff", 64))
			bufs.Add(unsafe.Slice((*byte)(bufs.entries), 16), 0)
			bufs.Commit()
			if c := do(t, r, func(e *SQE) { e.PrepReadSelect(fd, 1, 0, 4) }); c.Res > 16 {
				t.Errorf("read %d bytes into 16", c.Res)
			}
		}},
		{"shared by many receives", func(t *testing.T, r *Ring) {
			need(t, CheckRecvMultishot)
			const streams, rounds = 8, 20
			bufs := lent(t, r, 1, 4, 32) // fewer than the streams
			var ends [streams]int
			var got [streams]bytes.Buffer
			of := map[uint64]int{}
			arm := func(i, fd int) { of[start(t, r, func(e *SQE) { e.PrepRecvMultishot(fd, 1, 0) })] = i }
			var mine [streams]int
			for i := range ends {
				mine[i], ends[i] = socketpair(t, unix.SOCK_STREAM)
				arm(i, mine[i])
			}
			total := 0
			for round := range rounds {
				for i, fd := range ends {
					write(t, fd, string(rune('a'+i))+string(rune('A'+round)))
					total += 2
				}
				for sum := 0; sum < total; {
					for _, c := range takeAll(t, r, 1) {
						i := of[c.UserData]
						if c.Flags&CQEBuffer != 0 {
							got[i].Write(bufs.Bytes(c.BufID())[:c.Res])
							bufs.Return(c.BufID())
						}
						if !c.More() {
							if c.Res < 0 && c.Res != -int32(syscall.ENOBUFS) {
								t.Fatalf("stream %d: %s", i, result(c.Res))
							}
							arm(i, mine[i])
						}
					}
					sum = 0
					for i := range got {
						sum += got[i].Len()
					}
				}
			}
			for i := range got {
				var text strings.Builder
				for round := range rounds {
					text.WriteString(string(rune('a'+i)) + string(rune('A'+round)))
				}
				if got[i].String() != text.String() {
					t.Errorf("stream %d: %q, want %q", i, got[i].String(), text.String())
				}
			}
		}},
		{"fair", func(t *testing.T, r *Ring) {
			// A stream that always has more does not keep the other from its turn.
			need(t, CheckRecvMultishot)
			bufs := lent(t, r, 1, 16, 64)
			a, b := socketpair(t, unix.SOCK_STREAM)
			c, d := socketpair(t, unix.SOCK_STREAM)
			full := bytes.Repeat([]byte("x"), 1<<15)
			busy := start(t, r, func(e *SQE) { e.PrepRecvMultishot(a, 1, 0) })
			quiet := start(t, r, func(e *SQE) { e.PrepRecvMultishot(c, 1, 0) })
			if _, err := unix.Write(b, full); err != nil {
				t.Fatal(err)
			}
			write(t, d, "me")
			heard, bytesIn := false, 0
			for bytesIn < len(full) || !heard {
				for _, c := range takeAll(t, r, 1) {
					if c.Flags&CQEBuffer != 0 {
						bufs.Return(c.BufID())
					}
					if c.UserData == quiet {
						heard = true
						continue
					}
					if c.Res > 0 {
						bytesIn += int(c.Res)
					}
					if !c.More() {
						busy = start(t, r, func(e *SQE) { e.PrepRecvMultishot(a, 1, 0) })
					}
				}
			}
			_ = busy
		}},
		{"a receive that runs dry goes on", func(t *testing.T, r *Ring) {
			need(t, CheckRecvMultishot)
			bufs := lent(t, r, 1, 2, 4)
			a, b := stream(t)
			out := pattern(1000)
			if _, err := unix.Write(b, out); err != nil {
				t.Fatal(err)
			}
			var got []byte
			dry := 0
			arm := func() { start(t, r, func(e *SQE) { e.PrepRecvMultishot(a, 1, 0) }) }
			arm()
			for len(got) < len(out) {
				list := takeAll(t, r, 1)
				for _, c := range list {
					if c.Flags&CQEBuffer != 0 {
						got = append(got, bufs.Bytes(c.BufID())[:c.Res]...)
					}
				}
				for _, c := range list {
					if c.Flags&CQEBuffer != 0 {
						bufs.Return(c.BufID())
					}
					if !c.More() {
						want(t, c, syscall.ENOBUFS)
						dry++
						arm()
					}
				}
			}
			if !bytes.Equal(got, out) || dry == 0 {
				t.Errorf("%d bytes, equal %v, %d times dry", len(got), bytes.Equal(got, out), dry)
			}
		}},
		{"empty at the start", func(t *testing.T, r *Ring) {
			need(t, CheckRecvMultishot)
			bufs, err := r.RegisterBufRing(1, 2)
			if err != nil {
				t.Fatal(err)
			}
			defer bufs.Close()
			a, b := socketpair(t, unix.SOCK_STREAM)
			write(t, b, "text")
			want(t, do(t, r, func(e *SQE) { e.PrepRecvMultishot(a, 1, 0) }), syscall.ENOBUFS)
			p := make([]byte, 8)
			want(t, do(t, r, func(e *SQE) { e.PrepRecv(a, p, 0) }), 4)
		}},
		{"multishot receives that cannot be", func(t *testing.T, r *Ring) {
			need(t, CheckRecvMultishot)
			lent(t, r, 1, 2, 8)
			a, _ := socketpair(t, unix.SOCK_STREAM)
			want(t, do(t, r, func(e *SQE) { e.PrepRecvMultishot(a, 1, unix.MSG_WAITALL) }), syscall.EINVAL)
			want(t, do(t, r, func(e *SQE) { e.PrepRecvMultishot(a, 1, 0); e.Flags = 0; e.BufIndex = 0 }),
				syscall.EINVAL)
		}},
		{"messages that are cut, empty, and with a name", func(t *testing.T, r *Ring) {
			need(t, CheckRecvMultishot)
			bufs := lent(t, r, 1, 4, 64)
			a, b, addr := datagrams(t)
			msg := &sys.Msghdr{Namelen: 16}
			tag := start(t, r, func(e *SQE) { e.PrepRecvmsgMultishot(b, unsafe.Pointer(msg), 1, 0) })
			sa := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: int(addr.AddrPort().Port())}
			for _, text := range []string{"text", strings.Repeat("x", 100)} {
				if err := unix.Sendto(a, []byte(text), 0, sa); err != nil {
					t.Fatal(err)
				}
				c := finish(t, r, tag)
				m, ok := ParseRecvmsg(bufs.Bytes(c.BufID())[:c.Res], 16, 0)
				if !ok || !c.More() || len(m.Name) != 16 || string(m.Payload) != text[:min(len(text), 32)] ||
					(m.Flags&unix.MSG_TRUNC != 0) != (len(text) > 32) {
					t.Errorf("%q came as %+v, %+v", text, c, m)
				}
				bufs.Return(c.BufID())
			}
		}},
	})
}

// TestBundles: more than one buffer for one CQE, in the order in which they were lent, wholly used but the last.
func TestBundles(t *testing.T) {
	need(t, CheckRecvMultishot)
	bundle := func(t *testing.T, r *Ring) {
		t.Helper()
		if r.Features()&FeatRecvSendBundle == 0 {
			t.Skip(&FeatureError{"RECVSEND_BUNDLE", "6.10"})
		}
	}
	// receive has a multishot bundle take what is sent in pieces, and puts it together by the order of lending.
	receive := func(t *testing.T, r *Ring, a, b int, pieces []int) {
		t.Helper()
		const n, size = 16, 64
		bufs := lent(t, r, 1, n, size)
		queue := make([]uint16, 0, n) // the ids in the order in which they were lent
		for id := range uint16(n) {
			queue = append(queue, id)
		}
		arm := func() uint64 { return start(t, r, func(e *SQE) { e.PrepRecvMultishot(a, 1, 0); e.SetBundle() }) }
		tag := arm()
		var out, got []byte
		for i, piece := range pieces {
			p := bytes.Repeat([]byte{byte('a' + i%26)}, piece)
			if _, err := unix.Write(b, p); err != nil {
				t.Fatal(err)
			}
			out = append(out, p...)
			for len(got) < len(out) {
				for _, c := range takeAll(t, r, 1) {
					if c.Res > 0 && c.BufID() != queue[0] {
						t.Fatalf("the first buffer is %d, that which was lent first is %d", c.BufID(), queue[0])
					}
					for left := int(c.Res); left > 0; left -= size {
						id := queue[0]
						queue = append(queue[1:], id)
						got = append(got, bufs.Bytes(id)[:min(left, size)]...)
						bufs.Return(id)
					}
					if !c.More() {
						tag = arm()
					}
				}
			}
		}
		if !bytes.Equal(got, out) {
			t.Errorf("%d bytes came in another order than they were sent in", len(out))
		}
		_ = tag
	}
	pieces := []int{1, 63, 64, 65, 200, 300, 2, 500, 1, 1, 64 * 8}
	runCases(t, []ringCase{
		{"of a Unix stream", func(t *testing.T, r *Ring) {
			bundle(t, r)
			a, b := socketpair(t, unix.SOCK_STREAM)
			receive(t, r, a, b, pieces)
		}},
		{"of TCP", func(t *testing.T, r *Ring) {
			bundle(t, r)
			a, b := stream(t)
			receive(t, r, a, b, pieces)
		}},
		{"a try leaves the buffer whole", func(t *testing.T, r *Ring) {
			// The kernel once kept the length that one receive had cut the first buffer to.
			bundle(t, r)
			bufs := lent(t, r, 1, 2, 64)
			a, b := stream(t)
			short := func(e *SQE) { e.PrepRecvSelect(a, 1, 4, unix.MSG_DONTWAIT); e.SetBundle() }
			want(t, do(t, r, short), syscall.EAGAIN)
			out := pattern(100)
			if _, err := unix.Write(b, out); err != nil {
				t.Fatal(err)
			}
			got := 0
			for got < len(out) {
				c := do(t, r, func(e *SQE) { e.PrepRecvSelect(a, 1, 0, 0); e.SetBundle() })
				if c.Res <= 0 {
					t.Fatalf("%s after %d bytes", result(c.Res), got)
				}
				if got == 0 && c.Res >= 64 && !bytes.Equal(bufs.Bytes(c.BufID()), out[:64]) {
					t.Error("the first buffer is not filled")
				}
				got += int(c.Res)
			}
		}},
		{"sent until there are none", func(t *testing.T, r *Ring) {
			bundle(t, r)
			bufs := lent(t, r, 1, 8, 16)
			for id := range uint16(8) {
				copy(bufs.Bytes(id), bytes.Repeat([]byte{byte('a' + id)}, 16))
			}
			a, b := stream(t)
			c := do(t, r, func(e *SQE) { e.PrepSendSelect(a, 1, 0, unix.MSG_WAITALL); e.SetBundle() })
			want(t, c, 128)
			var text string
			for id := range 8 {
				text += strings.Repeat(string(rune('a'+id)), 16)
			}
			readAll(t, b, text)
		}},
	})
}
