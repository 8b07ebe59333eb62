package op

import (
	"net/netip"
	"testing"

	"ringo/internal/fd"
	"ringo/internal/sys"
	"ringo/uring"
)

// oneFace are the rows that never become a submission; faceless those that are
// never a plain call.
var (
	oneFace = map[Code]bool{Send: true, Sendmsg: true, Recvmmsg: true,
		Sendmmsg: true, SpliceIn: true, SpliceOut: true, Sendfile: true, Room: true, Call: true}
	faceless = map[Code]bool{Timeout: true}
)

func TestTableIsComplete(t *testing.T) {
	names := map[string]Code{}
	for code := range Codes {
		d := &Table[code]
		if d.Name == "" {
			t.Errorf("op %d has no name", code)
		}
		if other, ok := names[d.Name]; ok {
			t.Errorf("ops %d and %d are both called %s", other, code, d.Name)
		}
		names[d.Name] = code
		if (d.Prep == nil) != oneFace[code] {
			t.Errorf("%s: has a Prep: %v, want %v", d.Name, d.Prep != nil, !oneFace[code])
		}
		if (d.Attempt == nil) != faceless[code] {
			t.Errorf("%s: has an Attempt: %v, want %v", d.Name, d.Attempt != nil, !faceless[code])
		}
		pollable := d.Kind == Pollable
		if code != Poll && pollable != (d.Interest != 0) {
			t.Errorf("%s: kind %d with interest %#x: a pollable op has one, others none", d.Name, d.Kind, d.Interest)
		}
		if d.Cached != nil && d.Kind != Blocking {
			t.Errorf("%s is not Blocking, and has a call that does not wait beside its Attempt", d.Name)
		}
		if d.Select && d.Interest&sys.PollIn == 0 {
			t.Errorf("%s selects a buffer, but does not wait for input", d.Name)
		}
		if d.Prep != nil && d.Opcode == uring.OpNop && code != Nop {
			t.Errorf("%s has no opcode", d.Name)
		}
	}
}

// Each Prep must name the opcode that the probe is asked for, and say what the op says.
func TestPrep(t *testing.T) {
	var f fd.FD
	f.Init(42)
	p := []byte("bytes")
	ext := func() *Ext {
		x := new(Ext)
		x.Addr.Set(netip.MustParseAddrPort("127.0.0.1:80"))
		x.SetVector([][]byte{p, p})
		return x
	}
	named := &Ext{Name: &Name{Path: []byte("path\x00"), To: []byte("to\x00"), ToDir: 43, How: sys.OpenHow{Mode: 7}}}
	vec := func() *Ext {
		x := new(Ext)
		x.SetVec([][]byte{p, nil, p}, 1)
		return x
	}
	for name, c := range map[string]struct {
		op   Op
		want func(e *uring.SQE) bool
	}{
		"nop": {Op{Code: Nop}, func(e *uring.SQE) bool { return e.FD == -1 || e.FD == 0 }},
		"accept": {Op{Code: Accept, FD: &f}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.OpFlags == sys.SockNonblock|sys.SockCloexec && e.IOPrio == 0
		}},
		"accept forever": {Op{Code: Accept, FD: &f, Flags: Multishot}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.IOPrio != 0 && e.Addr == 0
		}},
		"connect": {Op{Code: Connect, FD: &f, Ext: ext()}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.Addr != 0 && e.Off == 16
		}},
		"recv": {Op{Code: Recv, FD: &f, Buf: p, CallFlags: 2}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.Len == 5 && e.OpFlags == 2 && e.Flags == 0
		}},
		"recv selecting": {Op{Code: Recv, FD: &f, Flags: Select}, func(e *uring.SQE) bool {
			return e.Flags&uring.SQEBufferSelect != 0 && e.BufIndex == RingGroup && e.IOPrio == 0
		}},
		"recv forever": {Op{Code: Recv, FD: &f, Flags: Select | Multishot}, func(e *uring.SQE) bool {
			return e.Flags&uring.SQEBufferSelect != 0 && e.BufIndex == RingGroup && e.IOPrio != 0
		}},
		"recvmsg": {Op{Code: Recvmsg, FD: &f, Ext: ext()}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.Addr != 0 && e.OpFlags == sys.MsgCmsgCloexec
		}},
		"poll": {Op{Code: Poll, FD: &f, Events: sys.PollIn}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.OpFlags == sys.PollIn && e.Len == 0
		}},
		"poll forever": {Op{Code: Poll, FD: &f, Events: sys.PollIn, Flags: Multishot}, func(e *uring.SQE) bool {
			return e.OpFlags == sys.PollIn && e.Len == 1
		}},
		"timeout": {Op{Code: Timeout, Ext: ext()}, func(e *uring.SQE) bool {
			return e.Addr != 0 && e.Len == 1 && e.Off == 0
		}},
		"read": {Op{Code: Read, FD: &f, Buf: p, Off: 3}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.Len == 5 && e.Off == 3
		}},
		"read where it is": {Op{Code: Read, FD: &f, Buf: p, Off: -1}, func(e *uring.SQE) bool {
			return e.Off == ^uint64(0)
		}},
		"write": {Op{Code: Write, FD: &f, Buf: p, Off: 3}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.Len == 5 && e.Off == 3
		}},
		"read at": {Op{Code: ReadAt, FD: &f, Buf: p, Off: 3}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.Len == 5 && e.Off == 3
		}},
		"read at, idle": {Op{Code: ReadAt, FD: &f, Buf: p, CallFlags: 3 << 13}, func(e *uring.SQE) bool {
			return e.IOPrio == 3<<13 && e.OpFlags == 0
		}},
		"write at, idle": {Op{Code: WriteAt, FD: &f, Buf: p, CallFlags: 3 << 13}, func(e *uring.SQE) bool {
			return e.IOPrio == 3<<13 && e.OpFlags == 0
		}},
		"read slices at, idle": {Op{Code: ReadVec, FD: &f, Ext: vec(), CallFlags: 3 << 13}, func(e *uring.SQE) bool {
			return e.IOPrio == 3<<13 && e.OpFlags == 0
		}},
		"write slices at, idle": {Op{Code: WriteVec, FD: &f, Ext: vec(), CallFlags: 3 << 13}, func(e *uring.SQE) bool {
			return e.IOPrio == 3<<13 && e.OpFlags == 0
		}},
		"openat2": {Op{Code: Openat2, FD: &f, Ext: named}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.Len == 24 && e.Addr != 0 && e.Off != 0 && e.OpFlags == 0
		}},
		"openat2 from here": {Op{Code: Openat2, Ext: named}, func(e *uring.SQE) bool { return e.FD == sys.AtFdcwd }},
		"statx": {Op{Code: Statx, FD: &f, Ext: named, CallFlags: 7}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.Len == sys.StatxAll && e.Addr != 0 && e.Off != 0 && e.OpFlags == 7
		}},
		"mkdirat": {Op{Code: Mkdirat, FD: &f, Ext: named, CallFlags: 7}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.Len == 7 && e.Addr != 0
		}},
		"unlinkat": {Op{Code: Unlinkat, FD: &f, Ext: named, CallFlags: 7}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.OpFlags == 7 && e.Addr != 0
		}},
		"renameat": {Op{Code: Renameat, FD: &f, Ext: named, CallFlags: 7}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.Len == 43 && e.OpFlags == 7 && e.Addr != 0 && e.Off != 0 && e.Addr != e.Off
		}},
		"renameat from here": {Op{Code: Renameat, Ext: named}, func(e *uring.SQE) bool {
			return e.FD == sys.AtFdcwd && int32(e.Len) == sys.AtFdcwd
		}},
		"linkat": {Op{Code: Linkat, FD: &f, Ext: named, CallFlags: 7}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.Len == 43 && e.OpFlags == 7 && e.Addr != 0 && e.Off != 0
		}},
		"symlinkat": {Op{Code: Symlinkat, FD: &f, Ext: named}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.Addr != 0 && e.Off != 0 && e.OpFlags == 0
		}},
		"append": {Op{Code: WriteAt, FD: &f, Buf: p, Off: -1}, func(e *uring.SQE) bool {
			return e.Off == 1<<64-1 && e.Flags == uring.SQEAsync
		}},
		"write at the rest": {Op{Code: WriteAt, FD: &f, Buf: p, Off: 3, Done: 1}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.Len == 4 && e.Off == 4
		}},
		"read a vector": {Op{Code: ReadVec, FD: &f, Ext: vec(), Off: 3}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.Addr != 0 && e.Len == 2 && e.Off == 3
		}},
		"write a vector": {Op{Code: WriteVec, FD: &f, Ext: vec(), Off: 3}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.Addr != 0 && e.Len == 2 && e.Off == 3
		}},
		"fsync": {Op{Code: Sync, FD: &f}, func(e *uring.SQE) bool { return e.FD == 42 && e.OpFlags == 0 }},
		"fdatasync": {Op{Code: Sync, FD: &f, CallFlags: DataOnly}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.OpFlags == 1
		}},
		"fallocate": {Op{Code: Allocate, FD: &f, CallFlags: 3, Off: 7, Ext: &Ext{Len: 9}}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.Len == 3 && e.Off == 7 && e.Addr == 9
		}},
		"ftruncate": {Op{Code: Ftruncate, FD: &f, Off: 7}, func(e *uring.SQE) bool {
			return e.FD == 42 && e.Off == 7
		}},
		"write the rest": {Op{Code: Write, FD: &f, Buf: p, Off: 3, Done: 1}, func(e *uring.SQE) bool {
			return e.Len == 4 && e.Off == 4
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := new(uring.SQE)
			o := c.op
			o.Def().Prep(&o, e)
			if e.Op != o.Def().Opcode {
				t.Errorf("opcode %d, want the row's %d", e.Op, o.Def().Opcode)
			}
			if !c.want(e) {
				t.Errorf("SQE %+v", *e)
			}
		})
	}
}
