package memkernel

import (
	"slices"
	"testing"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// A host that has crashed does nothing until it is restarted, whatever it is asked for: it has no new descriptor and no
// new name, and a call that could still fail by a storm is none.
func TestNothingWithoutPower(t *testing.T) {
	d := newDisk(t, 1)
	h, asked := d.h, 0
	d.h.Close(d.open("/old", sys.OCreat|sys.OWronly))
	d.syncDir("/")
	h.Fail = func(*op.Op) int32 { asked++; return 0 }
	h.Crash()
	path, to := []byte("/old\x00"), []byte("/new\x00")
	name := func(code op.Code, path, to []byte) int32 {
		o := &op.Op{Code: code, Ext: &op.Ext{Name: &op.Name{Path: path, To: to, How: sys.OpenHow{Flags: sys.OCreat}}}}
		return h.Attempt(o)
	}
	for what, res := range map[string]int32{
		"Socket":     h.Socket(sys.AFInet, sys.SockStream, 0),
		"Eventfd":    h.Eventfd(),
		"Receive":    h.Receive(h.first, nil),
		"Send":       h.Send(h.first, nil),
		"Nop":        d.do(h, op.Nop, h.first, nil),
		"Call":       h.Call(&op.Op{Code: op.Call, Ext: &op.Ext{Call: func() { t.Error("a call was made") }}}),
		"Openat2":    h.Openat2(sys.AtFdcwd, to, &sys.OpenHow{Flags: sys.OCreat | sys.OWronly}),
		"an open":    name(op.Openat2, to, nil),
		"Mkdirat":    name(op.Mkdirat, to, nil),
		"Renameat":   name(op.Renameat, path, to),
		"Linkat":     name(op.Linkat, path, to),
		"Symlinkat":  name(op.Symlinkat, to, path),
		"Unlinkat":   h.Unlinkat(sys.AtFdcwd, path, 0),
		"Mknodat":    h.Mknodat(sys.AtFdcwd, to, sys.SIfifo, 0),
		"Fchmodat":   h.Fchmodat(sys.AtFdcwd, path, 0o777, 0),
		"Truncate":   h.Truncate(path, 100),
		"Statx":      h.Statx(sys.AtFdcwd, path, 0, 0, new(sys.Statx)),
		"Readlinkat": h.Readlinkat(sys.AtFdcwd, path, make([]byte, 10)),
	} {
		if res != -sys.EIO {
			t.Errorf("%s = %d", what, res)
		}
	}
	if asked > 0 {
		t.Errorf("%d calls were asked for", asked)
	}
	h.Restart()
	if n := h.Open(); n > 0 {
		t.Errorf("%d descriptors are open", n)
	}
	var names []string
	for e := range h.root.entries.all() {
		names = append(names, e.name)
	}
	if slices.Contains(names, "new") || !slices.Contains(names, "old") {
		t.Errorf("there are %q", names)
	}
}
