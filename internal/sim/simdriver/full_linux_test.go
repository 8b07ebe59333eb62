//go:build linux

package simdriver

import (
	"bytes"
	"testing"
	"time"

	"ringo/internal/bufs"
	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/sim/memkernel"
	"ringo/internal/sim/world"
	"ringo/internal/sys"
	"ringo/internal/test/drivertest"
)

// turnsAlone are the turns of a loop beside which nothing runs.
type turnsAlone struct{ w *world.World }

func (t turnsAlone) Pause() { t.w.MoveTo(t.w.Now() + 1000) }
func (t turnsAlone) Rouse() {}

func (t turnsAlone) Sleep(until int64) {
	if !t.w.Step(until) {
		t.w.MoveTo(until)
	}
}

// An op that is to do all goes on where the kernel does a part of it, on a stream and on a file, also one whose disk
// takes time; any other op ends with the part.
func TestFullInPieces(t *testing.T) {
	for _, takes := range []time.Duration{0, time.Millisecond} {
		w := drivertest.NewWorld(t)
		h := memkernel.NewNetwork(w).Host("here")
		h.Disk = func(*op.Op) time.Duration { return takes }
		h.Short = func(what memkernel.Part, n int) int {
			if what == memkernel.FileRead {
				return n
			}
			return (n + 1) / 2
		}
		var out driver.Outbox
		slab := op.NewSlab(0)
		d, err := Open(Config{Config: driver.Config{Slab: slab, Outbox: &out, Ring: bufs.NewRingPool(2, 2, 64, nil)},
			Host: h, World: w, Turns: turnsAlone{w}, Killed: func() bool { return false }})
		if err != nil {
			t.Fatal(err)
		}
		stream, peer, res := h.Socketpair(sys.SockStream)
		if res < 0 {
			t.Fatalf("socketpair: %d", res)
		}
		how := sys.OpenHow{Flags: sys.ORdwr | sys.OCreat, Mode: 0o600}
		file := h.Openat2(sys.AtFdcwd, []byte("/file\x00"), &how)
		if file < 0 {
			t.Fatalf("open: %d", file)
		}
		const size = 1000
		letters := make([]byte, size)
		for i := range letters {
			letters[i] = byte(i % 251)
		}
		for _, c := range []struct {
			what       string
			code, back op.Code
			n, at      int32
		}{{"a send", op.Send, op.Recv, stream, peer}, {"a write", op.WriteAt, op.ReadAt, file, file}} {
			for flags, want := range map[op.Flags]int32{0: size / 2, op.Full: size} {
				if c.code == op.WriteAt {
					h.Attempt(&op.Op{Code: op.Ftruncate, FD: hold(file)})
				}
				o := slab.Get(c.code)
				o.FD = hold(c.n)
				o.Buf, o.Flags = letters, flags
				d.Submit(o)
				var done driver.Queue
				for end := w.Now() + int64(time.Minute); done.Len() == 0 && w.Now() < end; {
					if err := d.Wait(end, &done); err != nil {
						t.Fatal(err)
					}
				}
				if e, ok := done.Pop(); !ok || e.Res != want {
					t.Errorf("%s of %d bytes, flags %#x, a disk that takes %v: %d, want %d", c.what, size, flags,
						takes, e.Res, want)
				}
				got := make([]byte, size)
				if res := h.Attempt(&op.Op{Code: c.back, FD: hold(c.at), Buf: got}); res != want ||
					!bytes.Equal(got[:res], letters[:res]) {
					t.Errorf("%s of %d bytes, flags %#x: %d bytes are there, or others", c.what, size, flags, res)
				}
				slab.Put(o)
			}
		}
		var done driver.Queue
		if err := d.Close(&done); err != nil {
			t.Error(err)
		}
		for _, n := range []int32{stream, peer, file} {
			h.Close(n)
		}
	}
}

// hold is a descriptor as ops have it.
func hold(n int32) *fd.FD {
	f := new(fd.FD)
	f.Init(n)
	return f
}
