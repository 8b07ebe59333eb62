//go:build linux

package uring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
	"ringo/internal/test/patience"
)

// words are bytes as the kernel reads them, from numbers of the sizes that they have.
func words(list ...any) []byte {
	var b bytes.Buffer
	for _, v := range list {
		if err := binary.Write(&b, binary.NativeEndian, v); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

// wantCall checks the bytes of a register call.
func wantCall(t *testing.T, got call, fd int, op RegisterOp, n uint32, arg []byte) {
	t.Helper()
	if got.fd != fd || got.op != op || got.n != n {
		t.Errorf("descriptor %d, %v, %d: want %d, %v, %d", got.fd, got.op, got.n, fd, op, n)
	}
	if !bytes.Equal(got.arg, arg) {
		t.Errorf("%v:\n got %x\nwant %x", op, got.arg, arg)
	}
}

// openRecorder opens a ring on a kernel that notes register calls.
func openRecorder(t *testing.T, answer func(c call, arg unsafe.Pointer) (int, syscall.Errno)) (*Ring, *recorder) {
	t.Helper()
	k := &recorder{size: sizeOf, answer: answer}
	cfg := Config{AnyThread: true}
	cfg.seam.Kernel = k
	r, err := Open(4, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	k.calls = nil
	return r, k
}

const ringOfRecorder = 1 << 20

func napiBytes(busy uint32, prefer, opcode uint8, param uint32) []byte {
	return words(busy, prefer, opcode, uint16(0), param, uint32(0))
}

func testNAPI(t *testing.T) {
	// The bytes, in the shape of 6.13, which is that of 6.9 where nothing newer is asked for.
	r, k := openRecorder(t, func(c call, arg unsafe.Pointer) (int, syscall.Errno) {
		*(*[16]byte)(arg) = [16]byte(napiBytes(7, 1, 0, 255))
		return 0, 0
	})
	old, err := r.RegisterNAPI(NAPI{BusyPoll: 50 * time.Microsecond, Prefer: true})
	if err != nil || old != (NAPI{7 * time.Microsecond, true, NAPIInactive}) {
		t.Errorf("old %+v, %v", old, err)
	}
	r.RegisterNAPI(NAPI{BusyPoll: time.Millisecond, Tracking: NAPIStatic})
	wantCall(t, k.calls[0], ringOfRecorder, RegNAPI, 1, napiBytes(50, 1, 0, 0))
	wantCall(t, k.calls[1], ringOfRecorder, RegNAPI, 1, napiBytes(1000, 0, 0, 1))

	r = open(t, 8, nil)
	if _, err := r.RegisterNAPI(NAPI{BusyPoll: 50 * time.Microsecond, Prefer: true}); errors.Is(err, syscall.EINVAL) {
		t.Skip("an older kernel than 6.9, or one without CONFIG_NET_RX_BUSY_POLL: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	now, err := r.UnregisterNAPI()
	if err != nil || now.BusyPoll != 50*time.Microsecond || !now.Prefer {
		t.Errorf("was %+v, %v", now, err)
	}
}

func testNAPIIDs(t *testing.T) {
	r, k := openRecorder(t, func(call, unsafe.Pointer) (int, syscall.Errno) { return 0, 0 })
	if err := errors.Join(r.AddNAPI(8193), r.DropNAPI(8194)); err != nil {
		t.Error(err)
	}
	wantCall(t, k.calls[0], ringOfRecorder, RegNAPI, 1, napiBytes(0, 0, 1, 8193))
	wantCall(t, k.calls[1], ringOfRecorder, RegNAPI, 1, napiBytes(0, 0, 2, 8194))

	r = open(t, 8, nil)
	_, err := r.RegisterNAPI(NAPI{BusyPoll: 50 * time.Microsecond, Tracking: NAPIStatic})
	if errors.Is(err, syscall.EINVAL) {
		t.Skip("an older kernel than 6.13, or one without CONFIG_NET_RX_BUSY_POLL: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	// No queue has such an id here, which the kernel finds out when it polls.
	const id = 1 << 30
	for _, try := range []struct {
		name string
		err  error
		want error
	}{
		{"drop first", r.DropNAPI(id), syscall.ENOENT}, {"add", r.AddNAPI(id), nil},
		{"again", r.AddNAPI(id), syscall.EEXIST},
		{"drop", r.DropNAPI(id), nil}, {"no id at all", r.AddNAPI(0), syscall.EINVAL},
	} {
		if !errors.Is(try.err, try.want) {
			t.Errorf("%s: want %v, got %v", try.name, try.want, try.err)
		}
	}
}

// testZCRX plays the kernel and the card: what is asked for, where the data is, and what comes back.
func testZCRX(t *testing.T) {
	const token = uint64(3) << abi.IORING_ZCRX_AREA_SHIFT
	var refill unsafe.Pointer
	r, k := openRecorder(t, func(c call, arg unsafe.Pointer) (int, syscall.Errno) {
		switch c.op {
		case RegZCRXIfq:
			reg := (*abi.Io_uring_zcrx_ifq_reg)(arg)
			desc := *(**abi.Io_uring_region_desc)(unsafe.Pointer(&reg.Region_ptr))
			area := *(**abi.Io_uring_zcrx_area_reg)(unsafe.Pointer(&reg.Area_ptr))
			refill = *(*unsafe.Pointer)(unsafe.Pointer(&desc.User_addr))
			pages := desc.Size / uint64(os.Getpagesize())
			if desc.Flags != abi.IORING_MEM_REGION_TYPE_USER || pages != 2 || area.Len != 1<<16 {
				t.Errorf("region %+v, area %+v", desc, area)
			}
			area.Rq_area_token = token
			reg.Offsets = abi.Io_uring_zcrx_offsets{Head: 0, Tail: 64, Rqes: 128}
			reg.Zcrx_id = 9
		case RegZCRXCtrl:
			if (*abi.Io_uring_zcrx_ctrl)(arg).Op == abi.ZCRX_CTRL_EXPORT {
				(*abi.Io_uring_zcrx_ctrl)(arg).Zcrx_fd = 77
			}
		}
		return 0, 0
	})
	k.mapFresh = true
	area := make([]byte, 1<<16)
	if _, err := r.RegisterZCRX(ZCRXConfig{Entries: 3, Area: area}); err == nil {
		t.Error("3 entries: no error")
	}
	z, err := r.RegisterZCRX(ZCRXConfig{Interface: 2, Queue: 5, Entries: 4, Area: area, BufferSize: 8192, Flags: 2})
	if err != nil {
		t.Fatal(err)
	}
	got := k.calls[0].arg
	wantCall(t, call{k.calls[0].fd, k.calls[0].op, got[:16], k.calls[0].n}, ringOfRecorder, RegZCRXIfq, 1,
		words(uint32(2), uint32(5), uint32(4), uint32(2)))
	if !bytes.Equal(got[68:72], words(uint32(8192))) { // rx_buf_len
		t.Errorf("%x", got)
	}
	if z.ID() != 9 {
		t.Errorf("id %d", z.ID())
	}
	c := CQE32{CQE: CQE{Res: 100}, Extra: [2]uint64{token | 4096, 0}}
	copy(area[4096:], "hello")
	if d := z.Data(c); len(d) != 100 || string(d[:5]) != "hello" {
		t.Errorf("data %q", d)
	}
	for _, bad := range []CQE32{{}, {CQE: CQE{Res: -5}}, {CQE: CQE{Res: 2}, Extra: [2]uint64{1<<16 - 1, 0}}} {
		if d := z.Data(bad); d != nil {
			t.Errorf("%+v: data %q", bad, d)
		}
	}
	for i := range 5 {
		if ok := z.Return(c); ok != (i < 4) {
			t.Errorf("return %d of 4 at most: %v", i, ok)
		}
	}
	rqe := unsafe.Slice((*byte)(unsafe.Add(refill, 128)), 16)
	entry := words(token|4096, uint32(100), uint32(0))
	if tail := *(*uint32)(unsafe.Add(refill, 64)); tail != 4 || !bytes.Equal(rqe, entry) {
		t.Errorf("tail %d, entry %x", tail, rqe)
	}
	*(*uint32)(refill) = 1 // the card has taken one
	if !z.Return(c) {
		t.Error("no room after the head has moved")
	}
	k.calls = nil
	if err := z.Flush(); err != nil {
		t.Error(err)
	}
	if fd, err := z.Export(); fd != 77 || err != nil {
		t.Errorf("exported %d, %v", fd, err)
	}
	for i, op := range []uint32{abi.ZCRX_CTRL_FLUSH_RQ, abi.ZCRX_CTRL_EXPORT} {
		wantCall(t, k.calls[i], ringOfRecorder, RegZCRXCtrl, 0, append(words(uint32(9), op), make([]byte, 64)...))
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if z.Return(c) {
		t.Error("returned to a ring that is closed")
	}
	if t.Failed() {
		return
	}

	// The real one: that there is no such card it says itself.
	real := openWith(t, 8, Config{With: SetupCQE32}, "5.19")
	_, err = real.RegisterZCRX(ZCRXConfig{Interface: 1 << 20, Entries: 4, Area: area})
	if err == nil {
		t.Error("an interface that nobody has: no error")
	}
	t.Logf("here: %v", err)
}

// testZCRXNoCard receives more than the area holds, from the area, where the kernel copies into it for want of a card.
func testZCRXNoCard(t *testing.T) {
	const pages, total = 16, 1 << 20
	r := openWith(t, 8, Config{With: SetupCQE32, CQEntries: 64}, "5.19")
	area := mapped(t, pages*os.Getpagesize())
	z, err := r.RegisterZCRX(ZCRXConfig{Entries: pages, Area: area, Flags: ZCRXNoCard})
	if errors.Is(err, syscall.EPERM) {
		t.Skip(err)
	}
	asSince(t, err, "7.0")
	a, b := stream(t)
	go func() {
		p := make([]byte, total)
		for i := range p {
			p[i] = byte(i % 251)
		}
		for len(p) > 0 {
			n, err := unix.Write(b, p)
			if err != nil && err != unix.EINTR {
				break
			}
			p = p[max(0, n):]
		}
		unix.Shutdown(b, unix.SHUT_WR)
	}()
	flushed, got := 0, 0
	for more, end := false, false; !end; {
		if !more {
			r.SQE().PrepRecvZC(a, z.ID(), 0)
		}
		if _, err := r.Wait(1, waitMax); err != nil {
			t.Fatalf("after %d bytes: %v", got, err)
		}
		for c, ok := r.CQE32(); ok; c, ok = r.CQE32() {
			more = c.More()
			if c.Res == -int32(syscall.ENOMEM) {
				flushed++
				if err := z.Flush(); err != nil {
					t.Fatal(err)
				}
				continue
			}
			data := z.Data(c)
			if c.Res < 0 || len(data) != int(c.Res) {
				t.Fatalf("after %d bytes: %s, and %d of data", got, result(c.Res), len(data))
			}
			for i, x := range data {
				if x != byte((got+i)%251) {
					t.Fatalf("byte %d is %d", got+i, x)
				}
			}
			got += len(data)
			end = c.Res == 0 && !more
			for c.Res > 0 && !z.Return(c) {
				flushed++
				if err := z.Flush(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if got != total || flushed == 0 {
		t.Errorf("%d bytes of %d, %d flushes", got, total, flushed)
	}
	fd, err := z.Export()
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
}

func testQueryOthers(t *testing.T) {
	_, k := openRecorder(t, func(c call, arg unsafe.Pointer) (int, syscall.Errno) {
		h := (*abi.Io_uring_query_hdr)(arg)
		data := *(*unsafe.Pointer)(unsafe.Pointer(&h.Query_data))
		switch h.Query_op {
		case abi.IO_URING_QUERY_ZCRX:
			copy(unsafe.Slice((*byte)(data), h.Size), words([2]uint64{1, 2}, [4]uint32{3, 4, 5, 6}, uint64(0)))
		case abi.IO_URING_QUERY_SCQ:
			copy(unsafe.Slice((*byte)(data), h.Size), words(uint64(64), uint64(128)))
		default:
			h.Result = -int32(syscall.EOPNOTSUPP)
		}
		return 0, 0
	})
	if s, err := queryZCRX(k); err != nil || s != (ZCRXSupport{1, 2, 3, 4, 5, 6}) {
		t.Errorf("%+v, %v", s, err)
	}
	if size, align, err := queryRings(k); size != 64 || align != 128 || err != nil {
		t.Errorf("%d, %d, %v", size, align, err)
	}
	if _, err := query(k); !errors.Is(err, syscall.EOPNOTSUPP) {
		t.Errorf("a result in the header: %v", err)
	}
	for i, want := range []struct{ op, size uint32 }{{1, 40}, {2, 16}, {0, 48}} {
		c := k.calls[i]
		c.arg = append(append([]byte{}, c.arg[:8]...), c.arg[16:]...) // without the address
		wantCall(t, c, -1, RegQuery, 0, append(words(uint64(0), want.op, want.size), make([]byte, 16)...))
	}

	size, align, err := QueryRings()
	if err == nil && (size != ringHeader || align == 0) {
		t.Errorf("the rings' words take %d bytes, aligned to %d: this package counts with %d", size, align, ringHeader)
	}
	if _, zerr := QueryZCRX(); err != nil || zerr != nil {
		if newerThan("6.19") {
			t.Error(err, zerr)
		}
		t.Skip("needs Linux 6.19: ", err, zerr)
	}
}

// testFilter plays the kernel: refusals by a program need Linux 7.0.
func testFilter(t *testing.T) {
	f := &Filter{Op: OpSocket, Payload: 12, DenyRest: true, Program: []FilterStep{{0x06, 1, 2, 3}}}
	r, k := openRecorder(t, func(c call, arg unsafe.Pointer) (int, syscall.Errno) {
		reg := (*abi.Io_uring_bpf)(arg)
		step := **(**[8]byte)(unsafe.Pointer(&reg.Filter.Filter_ptr))
		if !bytes.Equal(step[:], words(uint16(6), uint8(1), uint8(2), uint32(3))) {
			t.Errorf("step %x", step)
		}
		if reg.Filter.Flags&abi.IO_URING_BPF_FILTER_SZ_STRICT != 0 {
			reg.Filter.Pdu_size = 16
			return 0, syscall.EMSGSIZE
		}
		return 0, 0
	})
	if err := errors.Join(r.RegisterFilter(f), registerTaskFilter(k, f)); err != nil {
		t.Error(err)
	}
	f.Strict, f.DenyRest = true, false
	var size *FilterSizeError
	if err := r.RegisterFilter(f); !errors.As(err, &size) || size.Have != 16 || !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("want the kernel's size, 16, got %v", err)
	}
	for i, want := range []struct {
		fd    int
		flags uint32
	}{{ringOfRecorder, 1}, {-1, 1}, {ringOfRecorder, 2}} {
		c := k.calls[i]
		c.arg = append(append([]byte{}, c.arg[:24]...), c.arg[32:]...) // without the address
		head := words([2]uint16{1, 0}, [4]uint32{0, uint32(OpSocket), want.flags, 1}, [4]uint8{12})
		wantCall(t, c, want.fd, RegBPFFilter, 1, append(head, make([]byte, 40)...))
	}

	real := open(t, 8, nil)
	allow := &Filter{Op: OpNop, Program: []FilterStep{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}}
	asSince(t, real.RegisterFilter(allow), "7.0")
	want(t, do(t, real, (*SQE).PrepNop), syscall.EACCES)
}

func testTaskRestrictions(t *testing.T) {
	_, k := openRecorder(t, func(call, unsafe.Pointer) (int, syscall.Errno) { return 0, 0 })
	if err := registerTaskRestrictions(k, []Restriction{AllowOp(OpRead), RequireFlags(SQEFixedFile)}); err != nil {
		t.Error(err)
	}
	wantCall(t, k.calls[0], -1, RegRestrictions, 1, words(uint16(0), uint16(2), [3]uint32{},
		uint16(1), uint8(OpRead), uint8(0), [3]uint32{}, uint16(3), uint8(SQEFixedFile), uint8(0), [3]uint32{}))
	if !newerThan("7.0") {
		t.Skip("what it does to a thread needs Linux 7.0")
	}
	done := make(chan error)
	go func() { // on a thread that ends with it
		lockForever()
		done <- func() error {
			if err := RegisterTaskRestrictions([]Restriction{AllowOp(OpNop), AllowRegister(RegRingFDs),
				AllowRegister(RegUnregisterRingFDs)}); err != nil {
				return err
			}
			r, err := Open(4, nil)
			if err != nil {
				return err
			}
			defer r.Close()
			e := r.SQE()
			e.PrepNop()
			e.Op = OpRead
			if _, err := r.Wait(1, waitMax); err != nil {
				return err
			}
			if c, _ := r.CQE(); c.Res != -int32(syscall.EACCES) {
				return errors.New(result(c.Res))
			}
			return nil
		}()
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// testRegion: waits of each kind that lie in a region, in the kernel's memory and in the caller's.
func testRegion(t *testing.T) {
	page := os.Getpagesize()
	for name, memory := range map[string][]byte{"kernel's": nil, "caller's": mapped(t, page)} {
		t.Run(name, func(t *testing.T) {
			r := openWith(t, 8, Config{With: SetupRDisabled}, "5.10")
			g, err := r.RegisterRegion(RegionConfig{Size: page, Memory: memory, Waits: true})
			asSince(t, err, "6.13")
			if _, err := r.RegisterRegion(RegionConfig{Size: page}); !errors.Is(err, syscall.EBUSY) {
				t.Errorf("a second one: want EBUSY, got %v", err)
			}
			if err := r.Enable(); err != nil {
				t.Fatal(err)
			}
			if g.Waits() != page/64-1 || len(g.Bytes()) != page {
				t.Fatalf("%d waits in %d bytes", g.Waits(), len(g.Bytes()))
			}
			last := g.Waits() - 1
			g.SetWait(last, Wait{Timeout: time.Millisecond})
			if n, errno := r.EnterWait(1, last); n != 0 || errno != syscall.ETIME {
				t.Errorf("want ETIME, got %v after %d entries", errno, n)
			}
			// A point in time that is over is: taken for a time from now on it would be a machine's whole uptime.
			var now unix.Timespec
			unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
			g.SetWait(2, Wait{Timeout: time.Duration(now.Nano()) - 1, Absolute: true})
			patience.Within("a wait for a point in time that is over", func() {
				if n, errno := r.EnterWait(1, 2); n != 0 || errno != syscall.ETIME {
					t.Errorf("a point in time: want ETIME, got %v after %d entries", errno, n)
				}
			})
			g.SetWait(0, Wait{})
			r.SQE().PrepNop()
			if n, errno := r.EnterWait(1, 0); n != 1 || errno != 0 {
				t.Fatalf("%d entries, %v", n, errno)
			}
			want(t, finishReady(t, r), 0)
			for _, i := range []int{-1, last + 1} {
				if _, errno := r.EnterWait(1, i); errno != syscall.EINVAL {
					t.Errorf("wait %d: want EINVAL, got %v", i, errno)
				}
			}
			// One CQE of two that are asked for is enough when MinWait is over; the rest of the wait is not waited for.
			g.SetWait(1, Wait{Timeout: endless, MinWait: time.Millisecond})
			r.SQE().PrepNop()
			patience.Within("a wait whose MinWait is over", func() {
				if _, errno := r.EnterWait(2, 1); errno != 0 || r.CQReady() != 1 {
					t.Errorf("%v, %d CQEs", errno, r.CQReady())
				}
			})
			finishReady(t, r)
			wantAllocs(t, 0, "EnterWait", func() {
				r.SQE().PrepNop()
				r.EnterWait(1, last)
				r.CQE()
			})
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if g.Bytes() != nil || g.Waits() != 0 {
				t.Error("a region of a closed ring")
			}
		})
	}
	r := open(t, 8, nil)
	if _, err := r.RegisterRegion(RegionConfig{Size: page, Waits: true}); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("waits, enabled: want EINVAL, got %v", err)
	}
	g, err := r.RegisterRegion(RegionConfig{Size: page})
	asSince(t, err, "6.13")
	if err != nil || g.Waits() != 0 || len(g.Bytes()) != page {
		t.Errorf("without waits: %v", err)
	}
	if _, errno := r.EnterWait(1, 0); errno != syscall.EINVAL {
		t.Errorf("no waits: want EINVAL, got %v", errno)
	}
}

// mapped is memory that is not the Go heap's.
func mapped(t *testing.T, size int) []byte {
	t.Helper()
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANONYMOUS|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(mem) })
	return mem
}

// testBufRingKinds receives by each kind of buffer ring.
func testBufRingKinds(t *testing.T) {
	need(t, CheckBufRing)
	for _, c := range []struct {
		name, since string
		cfg         BufRingConfig
	}{
		{"plain", "5.19", BufRingConfig{}},
		{"mapped", "6.4", BufRingConfig{Mapped: true}},
		{"incremental", "6.12", BufRingConfig{Incremental: true}},
		{"incremental, with something left", "7.1", BufRingConfig{Incremental: true, MinLeft: 4}},
		{"incremental, mapped", "6.12", BufRingConfig{Incremental: true, Mapped: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := open(t, 8, nil)
			c.cfg.Group, c.cfg.Buffers, c.cfg.Size = 3, 2, 16
			b, err := r.OpenBufRing(c.cfg)
			asSince(t, err, c.since)
			defer b.Close()
			x, y := socketpair(t, unix.SOCK_STREAM)
			recv := func(n uint32) CQE {
				return do(t, r, func(e *SQE) { e.PrepRecvSelect(x, 3, n, 0) })
			}
			for turn := range 40 {
				text := string([]byte{byte('a' + turn%26)}) + "23456"
				write(t, y, text)
				var got []byte
				for len(got) < len(text) { // a buffer's rest may be less
					c := recv(uint32(len(text) - len(got)))
					p := b.Parts(c)
					id, part, done, ok := p.Next()
					if !ok || len(part) != int(c.Res) || done == (c.Flags&CQEBufMore != 0) {
						t.Fatalf("turn %d: %q, done %v, %v; %+v", turn, part, done, ok, c)
					}
					got = append(got, part...)
					if done {
						b.Return(id)
					}
					if _, _, _, ok := p.Next(); ok {
						t.Fatal("more than one part")
					}
				}
				if string(got) != text {
					t.Fatalf("turn %d: %q", turn, got)
				}
			}
		})
	}
	r := open(t, 2, nil)
	for _, cfg := range []BufRingConfig{{Entries: 3}, {Entries: 2, Buffers: 3, Size: 1}, {Buffers: -1, Size: 1},
		{Entries: 2, MinLeft: 1}, {Entries: 2, Bundles: true},
		{Buffers: 1, Size: 1, Incremental: true, MinLeft: -1}} {
		if _, err := r.OpenBufRing(cfg); err == nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
}

func testBufRingStatus(t *testing.T) {
	need(t, CheckBufRing)
	r := open(t, 8, nil)
	b, err := r.BufRing(3, 4, 8)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	x, y := socketpair(t, unix.SOCK_STREAM)
	for taken := range 5 {
		head, err := b.Status()
		asSince(t, err, "6.8")
		if n, err := b.Available(); err != nil || n != 4-taken || int(head) != taken {
			t.Fatalf("%d taken: head %d, %d available, %v", taken, head, n, err)
		}
		if taken == 4 {
			break
		}
		write(t, y, "x")
		want(t, do(t, r, func(e *SQE) { e.PrepRecvSelect(x, 3, 0, 0) }), 1)
	}
	b.Return(0)
	if n, err := b.Available(); n != 1 || err != nil {
		t.Errorf("one returned: %d available, %v", n, err)
	}
	b.group = 4
	if _, err := b.Status(); !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a group that is none: %v", err)
	}
	b.group = 3
}

// reserved is memory that nothing backs.
func reserved(t *testing.T, size int) []byte {
	t.Helper()
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_ANONYMOUS|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		t.Skip("no room for so much memory: ", err)
	}
	t.Cleanup(func() { unix.Munmap(mem) })
	return mem
}
