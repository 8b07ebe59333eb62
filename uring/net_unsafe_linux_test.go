//go:build linux

package uring

import (
	"bytes"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestAccepts: what an accept gives, with what flags, how often.
func TestAccepts(t *testing.T) {
	runBoth(t, []ringCase{
		{"a listener that is not to block", func(t *testing.T, r *Ring) {
			ln, addr := listener(t)
			unix.SetNonblock(ln, true)
			tag := start(t, r, func(e *SQE) { e.PrepAccept(ln, unix.SOCK_CLOEXEC) })
			dial(t, addr)
			c := finish(t, r, tag)
			if c.Res == -int32(syscall.EAGAIN) && !newerThan("5.19") {
				t.Skip("accepts of O_NONBLOCK listeners did not wait then")
			}
			fdOf(t, c)
		}},
		{"cancelled, closed and not listening", func(t *testing.T, r *Ring) {
			ln, _ := listener(t)
			endByRemoval(t, r, start(t, r, func(e *SQE) { e.PrepAccept(ln, 0) }), (*SQE).PrepCancel)
			want(t, do(t, r, func(e *SQE) { e.PrepAccept(9999, 0) }), syscall.EBADF)
			_, fd := openNew(t)
			want(t, do(t, r, func(e *SQE) { e.PrepAccept(fd, 0) }), syscall.ENOTSOCK)
			a, _, _ := datagrams(t)
			want(t, do(t, r, func(e *SQE) { e.PrepAccept(a, 0) }), syscall.EOPNOTSUPP)
		}},
		{"two at once", func(t *testing.T, r *Ring) {
			ln, addr := listener(t)
			accept := func(e *SQE) { e.PrepAccept(ln, unix.SOCK_CLOEXEC) }
			tags := []uint64{start(t, r, accept), start(t, r, accept)}
			dial(t, addr)
			dial(t, addr)
			cqes := finishAll(t, r, tags...)
			if a, b := fdOf(t, cqes[0]), fdOf(t, cqes[1]); a == b {
				t.Errorf("both got descriptor %d", a)
			}
		}},
		{"address and its length, reused after the submit", func(t *testing.T, r *Ring) {
			ln, addr := listener(t)
			from, size := new(syscall.RawSockaddrInet4), new(uint32)
			*size = uint32(unsafe.Sizeof(*from))
			tag := start(t, r, func(e *SQE) { e.PrepAcceptAddr(ln, unsafe.Pointer(from), size, unix.SOCK_CLOEXEC) })
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			closeLater(t, fd)
			sa, n := addr.Pointer()
			connect := start(t, r, func(e *SQE) { e.PrepConnect(fd, sa, n) })
			clear(unsafe.Slice((*byte)(sa), n)) // the kernel has its copy
			cqes := finishAll(t, r, tag, connect)
			fdOf(t, cqes[0])
			want(t, cqes[1], 0)
			if from.Family != unix.AF_INET || *size != 16 {
				t.Errorf("family %d in %d bytes", from.Family, *size)
			}
		}},
		{"more are waiting", func(t *testing.T, r *Ring) {
			if r.Features()&FeatRecvSendBundle == 0 {
				t.Skip(&FeatureError{"ACCEPT's SOCK_NONEMPTY", "6.10"})
			}
			ln, addr := listener(t)
			for range 3 {
				dial(t, addr)
			}
			for left := 2; left >= 0; left-- {
				c := do(t, r, func(e *SQE) { e.PrepAccept(ln, unix.SOCK_CLOEXEC) })
				fdOf(t, c)
				if more := c.Flags&CQESockNonempty != 0; more != (left > 0) {
					t.Errorf("%d wait, the flag is %v", left, more)
				}
			}
		}},
		{"multishot, many, and the end", func(t *testing.T, r *Ring) {
			need(t, CheckAcceptMultishot)
			ln, addr := listener(t)
			tag := start(t, r, func(e *SQE) { e.PrepAcceptMultishot(ln, unix.SOCK_CLOEXEC) })
			for range 100 {
				fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					t.Fatal(err)
				}
				ap := addr.AddrPort()
				if err := unix.Connect(fd,
					&unix.SockaddrInet4{Addr: ap.Addr().As4(), Port: int(ap.Port())}); err != nil {
					t.Fatal(err)
				}
				c := finish(t, r, tag)
				if c.Res < 0 || !c.More() {
					t.Fatalf("%+v", c)
				}
				unix.Close(int(c.Res))
				unix.Close(fd)
			}
			unix.Shutdown(ln, unix.SHUT_RDWR)
			if c := finish(t, r, tag); c.Res != -int32(syscall.EINVAL) || c.More() {
				t.Errorf("after the shutdown: %+v", c)
			}
		}},
	})
}

// TestConnects: connects that fail do so every time, and one that succeeds, does.
func TestConnects(t *testing.T) {
	runBoth(t, []ringCase{
		{"nobody listens", func(t *testing.T, r *Ring) {
			bound, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			closeLater(t, bound)
			if err := unix.Bind(bound, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
				t.Fatal(err)
			}
			sa, n := sockname(t, bound).Pointer()
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			closeLater(t, fd)
			for range 3 {
				want(t, do(t, r, func(e *SQE) { e.PrepConnect(fd, sa, n) }), syscall.ECONNREFUSED)
			}
			if err := unix.Listen(bound, 1); err != nil {
				t.Fatal(err)
			}
			want(t, do(t, r, func(e *SQE) { e.PrepConnect(fd, sa, n) }), 0)
			want(t, do(t, r, func(e *SQE) { e.PrepConnect(fd, sa, n) }), syscall.EISCONN)
		}},
		{"not to block", func(t *testing.T, r *Ring) {
			_, addr := listener(t)
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
			if err != nil {
				t.Fatal(err)
			}
			closeLater(t, fd)
			sa, n := addr.Pointer()
			c := do(t, r, func(e *SQE) { e.PrepConnect(fd, sa, n) })
			if c.Res != 0 { // before Linux 6 the descriptor's flag counted
				want(t, c, syscall.EINPROGRESS)
			}
		}},
		{"what is no socket", func(t *testing.T, r *Ring) {
			_, addr := listener(t)
			sa, n := addr.Pointer()
			_, fd := openNew(t)
			want(t, do(t, r, func(e *SQE) { e.PrepConnect(fd, sa, n) }), syscall.ENOTSOCK)
			want(t, do(t, r, func(e *SQE) { e.PrepConnect(9999, sa, n) }), syscall.EBADF)
		}},
	})
}

// TestStreams: sends and receives of bytes, by each op, whole, short and at the end.
func TestStreams(t *testing.T) {
	runBoth(t, []ringCase{
		{"WAITALL waits for all", func(t *testing.T, r *Ring) {
			for _, ends := range []func() (int, int){func() (int, int) { return stream(t) },
				func() (int, int) { return socketpair(t, unix.SOCK_STREAM) }} {
				a, b := ends()
				p := make([]byte, 10)
				in := message("....", "......")
				for _, prep := range []func(e *SQE){func(e *SQE) { e.PrepRecv(a, p, unix.MSG_WAITALL) },
					func(e *SQE) { e.PrepRecvmsg(a, unsafe.Pointer(in.msg), unix.MSG_WAITALL) }} {
					tag := start(t, r, prep)
					write(t, b, "0123")
					write(t, b, "4567")
					write(t, b, "89")
					c := finish(t, r, tag)
					if c.Res == 4 && !newerThan("5.19") {
						t.Skip("MSG_WAITALL of a receive that waited was not whole then")
					}
					want(t, c, 10)
				}
				if got := string(in.parts[0]) + string(in.parts[1]); got != "0123456789" || string(p) != got {
					t.Errorf("received %q and %q", p, got)
				}
				tag := start(t, r, func(e *SQE) { e.PrepRecv(a, p, unix.MSG_WAITALL) })
				write(t, b, "end")
				unix.Shutdown(b, unix.SHUT_WR)
				want(t, finish(t, r, tag), 3)
			}
		}},
		{"WAITALL of a datagram", func(t *testing.T, r *Ring) {
			a, b, addr := datagrams(t)
			p := make([]byte, 10)
			tag := start(t, r, func(e *SQE) { e.PrepRecv(b, p, unix.MSG_WAITALL) })
			ap := addr.AddrPort()
			if err := unix.Sendto(a, []byte("short"), 0,
				&unix.SockaddrInet4{Addr: ap.Addr().As4(), Port: int(ap.Port())}); err != nil {
				t.Fatal(err)
			}
			want(t, finish(t, r, tag), 5)
		}},
		{"WAITALL of a send that does not fit", func(t *testing.T, r *Ring) {
			a, b := stream(t)
			out := pattern(8 << 20)
			tag := start(t, r, func(e *SQE) { e.PrepSend(a, out, unix.MSG_WAITALL) })
			got := make([]byte, 0, len(out))
			p := make([]byte, 1<<16)
			for len(got) < len(out) {
				n, err := unix.Read(b, p)
				if n <= 0 || err != nil {
					t.Fatal(n, err)
				}
				got = append(got, p[:n]...)
				r.Enter(0, true, -1) // the rest is sent by this thread
			}
			c := finish(t, r, tag)
			if c.Res < int32(len(out)) && !newerThan("5.19") {
				t.Skip("MSG_WAITALL of a send was not whole then")
			}
			want(t, c, len(out))
			if !bytes.Equal(got, out) {
				t.Error("the bytes are not those that were sent")
			}
		}},
		{"vectors, whatever the offset", func(t *testing.T, r *Ring) {
			for _, off := range []int64{0, -1} {
				a, b := stream(t)
				p := make([]byte, 8)
				vec, n := vector(p[:3], p[3:])
				tag := start(t, r, func(e *SQE) { e.PrepReadv(a, vec, n, off) })
				out, m := vector([]byte("he"), []byte("llo"))
				want(t, do1(t, r, tag, func(e *SQE) { e.PrepWritev(b, out, m, off) }), 5)
				if string(p[:5]) != "hello" {
					t.Errorf("received %q", p)
				}
			}
		}},
		{"vectors of a socket that is not to block", func(t *testing.T, r *Ring) {
			a, b := stream(t)
			unix.SetNonblock(a, true)
			p := make([]byte, 8)
			vec, n := vector(p)
			tag := start(t, r, func(e *SQE) { e.PrepReadv(a, vec, n, 0) })
			write(t, b, "hello")
			c := finish(t, r, tag)
			if c.Res == -int32(syscall.EAGAIN) && !newerThan("5.15") {
				t.Skip("reads of O_NONBLOCK sockets did not wait then")
			}
			want(t, c, 5)
			want(t, do(t, r, func(e *SQE) { e.PrepRead(a, p, 0); e.SetRWFlags(unix.RWF_NOWAIT) }), noWait())
		}},
		{"invalid", func(t *testing.T, r *Ring) {
			a, _ := socketpair(t, unix.SOCK_STREAM)
			_, fd := openNew(t)
			p := make([]byte, 8)
			want(t, do(t, r, func(e *SQE) { e.PrepRecv(fd, p, 0) }), syscall.ENOTSOCK)
			want(t, do(t, r, func(e *SQE) { e.PrepSend(fd, p, 0) }), syscall.ENOTSOCK)
			want(t, do(t, r, func(e *SQE) { e.PrepSend(9999, p, 0) }), syscall.EBADF)
			want(t, do(t, r, func(e *SQE) { e.PrepSend(a, p, 0); e.IOPrio = 1 << 15 }), syscall.EINVAL)
			want(t, do(t, r, func(e *SQE) { e.PrepSendmsg(a, nil, 0) }), syscall.EFAULT)
			want(t, do(t, r, func(e *SQE) { e.PrepRecvmsg(a, nil, 0) }), syscall.EFAULT)
		}},
		{"a message's vector, reused while the send waits", func(t *testing.T, r *Ring) {
			a, b := socketpair(t, unix.SOCK_STREAM)
			unix.SetsockoptInt(a, unix.SOL_SOCKET, unix.SO_SNDBUF, 4096)
			full := make([]byte, 1<<16)
			sent := 0
			for {
				n, err := unix.SendmsgN(a, full, nil, nil, unix.MSG_DONTWAIT)
				if err != nil {
					break
				}
				sent += n
			}
			out := message("hello, ", "world")
			tag := start(t, r, func(e *SQE) { e.PrepSendmsg(a, unsafe.Pointer(out.msg), unix.MSG_WAITALL) })
			out.iov = [2]syscall.Iovec{} // the kernel has its copy
			*out.msg = syscall.Msghdr{}
			for sent > 0 {
				n, err := unix.Read(b, full[:min(sent, len(full))])
				if n <= 0 || err != nil {
					t.Fatal(n, err)
				}
				sent -= n
			}
			c := finish(t, r, tag)
			readAll(t, b, "hello, world"[:max(0, int(c.Res))])
			if c.Res != 12 && newerThan("5.19") {
				t.Errorf("sent %s", result(c.Res))
			}
			runtime.KeepAlive(out)
		}},
		{"shut down for reading", func(t *testing.T, r *Ring) {
			a, b := stream(t)
			p := make([]byte, 8)
			tag := start(t, r, func(e *SQE) { e.PrepRecv(a, p, 0) })
			unix.Shutdown(a, unix.SHUT_RD)
			want(t, finish(t, r, tag), 0)
			unix.Shutdown(a, unix.SHUT_WR)
			want(t, do(t, r, func(e *SQE) { e.PrepSend(a, p, 0) }), syscall.EPIPE)
			want(t, do(t, r, func(e *SQE) { e.PrepWrite(a, p, 0) }), syscall.EPIPE)
			want(t, do(t, r, func(e *SQE) { e.PrepRecv(b, p, 0) }), 0)
		}},
		{"a send, and a shutdown right behind it", func(t *testing.T, r *Ring) {
			need(t, CheckRecvMultishot)
			bufs, err := r.BufRing(1, 8, 16)
			if err != nil {
				t.Fatal(err)
			}
			defer bufs.Close()
			for range 50 {
				a, b := socketpair(t, unix.SOCK_STREAM)
				tag := start(t, r, func(e *SQE) { e.PrepRecvMultishot(a, 1, 0) })
				write(t, b, "text")
				unix.Shutdown(b, unix.SHUT_WR)
				var got []int32
				for len(got) == 0 || got[len(got)-1] > 0 {
					for _, c := range takeAll(t, r, 1) {
						if c.UserData != tag {
							t.Fatalf("CQE of nobody: %+v", c)
						}
						if got = append(got, c.Res); c.Flags&CQEBuffer != 0 {
							bufs.Return(c.BufID())
						}
					}
				}
				if len(got) != 2 || got[0] != 4 || got[1] != 0 {
					t.Fatalf("received %v, want 4 bytes and the end", got)
				}
				unix.Close(a)
				unix.Close(b)
			}
		}},
		{"several receives of one socket", func(t *testing.T, r *Ring) {
			a, b := socketpair(t, unix.SOCK_SEQPACKET)
			const n = 8
			p := make([]byte, n)
			var tags []uint64
			for i := range n {
				tags = append(tags, start(t, r, func(e *SQE) { e.PrepRecv(a, p[i:i+1], 0) }))
			}
			for range n {
				write(t, b, "x")
			}
			for _, c := range finishAll(t, r, tags...) {
				want(t, c, 1)
			}
		}},
		{"many small pieces", func(t *testing.T, r *Ring) {
			a, b := stream(t)
			p, q := make([]byte, 128), make([]byte, 128)
			for i := range 200 {
				p[0] = byte(i)
				recv := start(t, r, func(e *SQE) { e.PrepRecv(b, q, 0) })
				want(t, do1(t, r, recv, func(e *SQE) { e.PrepSend(a, p, 0) }), len(q))
				if q[0] != byte(i) {
					t.Fatalf("piece %d is %d", i, q[0])
				}
			}
		}},
	})
}

// do1 runs one more entry, which must succeed, and returns the CQE of the first.
func do1(t *testing.T, r *Ring, first uint64, prep func(e *SQE)) CQE {
	t.Helper()
	cqes := finishAll(t, r, first, start(t, r, prep))
	if cqes[1].Res < 0 {
		t.Fatal(result(cqes[1].Res))
	}
	return cqes[0]
}

// TestZeroCopy: what does not copy, on what sockets, with what memory, and when it lets go of it.
func TestZeroCopy(t *testing.T) {
	needOp(t, OpSendZC, "6.0")
	runCases(t, []ringCase{
		{"large, past what fits", func(t *testing.T, r *Ring) {
			a, b := stream(t)
			out := pattern(2 << 20)
			tag := start(t, r, func(e *SQE) { e.PrepSendZC(a, out, unix.MSG_WAITALL) })
			got, p := make([]byte, 0, len(out)), make([]byte, 1<<16)
			for len(got) < len(out) {
				n, err := unix.Read(b, p)
				if n <= 0 || err != nil {
					t.Fatal(n, err)
				}
				got = append(got, p[:n]...)
				r.Enter(0, true, -1)
			}
			cqes := takeAll(t, r, 2)
			if cqes[0].UserData != tag || int(cqes[0].Res) != len(out) || !cqes[0].More() ||
				cqes[1].Flags&CQENotif == 0 {
				t.Errorf("%+v", cqes)
			}
			if !bytes.Equal(got, out) {
				t.Error("the bytes are not those that were sent")
			}
		}},
		{"to an address, by a worker", func(t *testing.T, r *Ring) {
			a, b, addr := datagrams(t)
			sa, n := addr.Pointer()
			text := []byte("hello")
			for _, flags := range []SQEFlags{0, SQEAsync} {
				sent, notif := doZC(t, r, b, "hello",
					flagged(func(e *SQE) { e.PrepSendZC(a, text, 0); e.SetAddr(sa, uint16(n)) }, flags))
				want(t, sent, 5)
				if notif.Flags&CQENotif == 0 {
					t.Error("no notification")
				}
			}
		}},
		{"faults and what cannot be", func(t *testing.T, r *Ring) {
			a, _ := stream(t)
			mem := pages(t, 2)
			page := len(mem) / 2
			if err := unix.Mprotect(mem[page:], unix.PROT_NONE); err != nil {
				t.Fatal(err)
			}
			if c, _ := doZC(t, r, -1, "",
				func(e *SQE) { e.PrepSendZC(a, mem[page:], 0) }); c.Res != -int32(syscall.EFAULT) {
				t.Errorf("from memory that cannot be read: %s", result(c.Res))
			}
			u, _ := socketpair(t, unix.SOCK_STREAM)
			text := []byte("hello")
			if c, _ := doZC(t, r, -1, "",
				func(e *SQE) { e.PrepSendZC(u, text, 0) }); c.Res != -int32(syscall.EOPNOTSUPP) {
				t.Errorf("by a Unix socket: %s", result(c.Res))
			}
			c := do(t, r, flagged(func(e *SQE) { e.PrepSendZC(a, text, 0) }, SQECQESkipSuccess))
			want(t, c, syscall.EINVAL)
		}},
		{"the buffer outlives its registration", func(t *testing.T, r *Ring) {
			x, y := stream(t)
			a, _ := fixed(t, r)
			copy(a, "hello")
			tag := start(t, r, func(e *SQE) { e.PrepSendZC(x, a[:5], 0); e.SetFixedBuf(0) })
			if err := r.UnregisterBuffers(); err != nil {
				t.Fatal(err)
			}
			readAll(t, y, "hello")
			for _, c := range takeAll(t, r, 2) {
				if c.UserData != tag || c.Res < 0 {
					t.Errorf("%+v", c)
				}
			}
		}},
		{"vectors of a registered buffer", func(t *testing.T, r *Ring) {
			needOp(t, OpReadvFixed, "6.15")
			a, b := fixed(t, r)
			f, fd := openNew(t)
			copy(a, pattern(len(a)))
			for _, pieces := range [][][2]int{{{0, 1}}, {{0, 100}, {100, 4096}}, {{4000, 4096}, {0, 10}, {5, 6}}} {
				var out, in [][]byte
				total := 0
				for _, p := range pieces {
					out, in = append(out, a[p[0]:p[1]]), append(in, b[p[0]:p[1]])
					total += p[1] - p[0]
				}
				clear(b)
				vec, n := vector(out...)
				want(t, do(t, r, func(e *SQE) { e.PrepWritevFixed(fd, vec, n, 0, 0) }), total)
				vec, n = vector(in...)
				want(t, do(t, r, func(e *SQE) { e.PrepReadvFixed(fd, vec, n, 0, 1) }), total)
				for _, p := range pieces {
					if !bytes.Equal(a[p[0]:p[1]], b[p[0]:p[1]]) {
						t.Errorf("pieces %v: what was read is not what was written", pieces)
					}
				}
				f.Truncate(0)
			}
			beyond, n := vector(unsafe.Slice(&a[0], len(a)+1))
			want(t, do(t, r, func(e *SQE) { e.PrepWritevFixed(fd, beyond, n, 0, 0) }), syscall.EFAULT)
			want(t, do(t, r, func(e *SQE) { e.PrepWritevFixed(fd, nil, 1, 0, 0) }), syscall.EFAULT)
		}},
	})
}
