//go:build linux && !portable

package sys

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/test/patience"
)

// newAIO gives a context and an eventfd, or skips where the kernel has no AIO.
func newAIO(t *testing.T) (ctx AIO, event int32) {
	t.Helper()
	switch res := AIOSetup(4, &ctx); res {
	case 0:
	case -ENOSYS, -EPERM, -EAGAIN:
		t.Skipf("io_setup: %v", unix.Errno(-res))
	default:
		t.Fatalf("io_setup: %v", unix.Errno(-res))
	}
	event = Eventfd()
	t.Cleanup(func() {
		if res := AIODestroy(ctx); res != 0 {
			t.Errorf("io_destroy = %d", res)
		}
		Close(event)
	})
	return ctx, event
}

// The sizes are the kernel's.
var (
	_ = [1]int{}[unsafe.Sizeof(Iocb{})-64]
	_ = [1]int{}[unsafe.Sizeof(AIOEvent{})-32]
)

func TestAIOCancel(t *testing.T) {
	ctx, event := newAIO(t)
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	const iocbPoll = 5 // since Linux 4.18, the one request that the kernel can cancel
	b := &Iocb{data: 42, opcode: iocbPoll, fd: uint32(ends[0]), buf: PollIn, flags: iocbResFD, eventFD: uint32(event)}
	if res := AIOSubmit(ctx, []*Iocb{b}); res == -EINVAL {
		t.Skip("io_submit knows no poll (before Linux 4.18)")
	} else if res != 1 {
		t.Fatalf("io_submit = %d", res)
	}
	var events [4]AIOEvent
	if (*(**aioRing)(unsafe.Pointer(&ctx))).magic != aioMagic {
		t.Log("this kernel's queue of events is not known: AIOPending can't tell")
	} else if AIOPending(ctx) {
		t.Error("an event of a poll of an empty pipe")
	}
	if n := AIOEvents(ctx, events[:]); n != 0 || Poll(event, PollIn) != 0 {
		t.Fatalf("%d events of a poll of an empty pipe", n)
	}
	if res := AIOCancel(ctx, b); res != -EINPROGRESS {
		t.Fatalf("io_cancel = %d, want -EINPROGRESS", res)
	}
	patience.Until(t, "AIOPending sees the event", func() bool { return AIOPending(ctx) })
	n := int32(0)
	for n == 0 {
		n = AIOWait(ctx, events[:], 1e9)
	}
	if n != 1 || events[0].Data != 42 {
		t.Errorf("%d events, the first with %d, want 1 with 42", n, events[0].Data)
	}
	// The kernel shows the event first.
	patience.Until(t, "the eventfd is signalled", func() bool { return Poll(event, PollIn) != 0 })
	if res := AIOCancel(ctx, b); res != -EINVAL {
		t.Errorf("io_cancel of what has ended = %d, want -EINVAL", res)
	}
}

func TestAIORefuses(t *testing.T) {
	ctx, event := newAIO(t)
	b := new(Iocb)
	b.PrepRead(-1, make([]byte, 512), 0, 1, event)
	if res := AIOSubmit(ctx, []*Iocb{b}); res != -EBADF {
		t.Errorf("io_submit of no descriptor = %d, want -EBADF", res)
	}
	if res := AIOSubmit(0, []*Iocb{b}); res != -EINVAL {
		t.Errorf("io_submit to no context = %d, want -EINVAL", res)
	}
	if res := AIOEvents(0, make([]AIOEvent, 1)); res != -EINVAL {
		t.Errorf("io_getevents of no context = %d, want -EINVAL", res)
	}
}

// A request is never handed over by waiting: io_submit of a read of an empty pipe
// would sleep until somebody writes.
func TestAIONeverWaits(t *testing.T) {
	ctx, event := newAIO(t)
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	b := new(Iocb)
	b.PrepRead(int32(ends[0]), make([]byte, 8), 1, 42, event)
	var res int32
	patience.Within("io_submit of what has to wait", func() { res = AIOSubmit(ctx, []*Iocb{b}) })
	switch res {
	case 1:
	case -EOPNOTSUPP, -EINVAL:
		t.Skip("pipes have no RWF_NOWAIT (before Linux 6.4)")
	default:
		t.Fatalf("io_submit = %d", res)
	}
	var events [1]AIOEvent
	n := AIOWait(ctx, events[:], int64(patience.Max))
	if res = events[0].Res(); n != 1 || res != -EAGAIN && res != -EOPNOTSUPP {
		t.Errorf("%d events, a read of an empty pipe = %d, want -EAGAIN", n, res)
	}
}

// Calls with RWF_NOWAIT come back from a descriptor in blocking mode, or say that
// this sort of file can't.
func TestNow(t *testing.T) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r, w := int32(ends[0]), int32(ends[1])
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	if !Blocks(r) || IsDirect(r) {
		t.Errorf("of a new pipe Blocks is %v and IsDirect %v, want true and false", Blocks(r), IsDirect(r))
	}
	p := make([]byte, 8)
	switch res := ReadNow(r, p); res {
	case -EAGAIN:
	case -EOPNOTSUPP, -ENOSYS:
		t.Skip("pipes have no RWF_NOWAIT (before Linux 6.4)")
	default:
		t.Fatalf("read of an empty pipe = %d, want -EAGAIN", res)
	}
	if res := WriteNow(w, []byte("hello")); res != 5 {
		t.Errorf("write = %d, want 5", res)
	}
	if res := ReadNow(r, p); res != 5 || string(p[:5]) != "hello" {
		t.Errorf("read = %d %q, want hello", res, p[:max(res, 0)])
	}
	if res := WriteNow(w, make([]byte, 1<<20)); res <= 0 || res == 1<<20 {
		t.Errorf("a write past the pipe's room = %d, want a short count", res)
	}
	if err := unix.SetNonblock(ends[0], true); err != nil || Blocks(r) {
		t.Errorf("in non-blocking mode Blocks is %v (%v)", Blocks(r), err)
	}
}
