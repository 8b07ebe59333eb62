//go:build linux

package drivertest

import (
	"strings"

	"golang.org/x/sys/unix"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// vec is a ReadVec or WriteVec of these parts.
func (h *harness) vec(code op.Code, f *desc, off int64, parts ...[]byte) *call {
	c := h.op(code, f).on(nil, off)
	h.slab.Ext(c.o).SetVec(parts, 0)
	return c
}

func diskVectors(h *harness, flags op.Flags) {
	f := h.file("0123456789")
	a, b := make([]byte, 3), make([]byte, 4)
	h.vec(op.ReadVec, f, 2, a, nil, b).with(flags).submit().want(7)
	if string(a)+string(b) != "2345678" {
		h.Errorf("got %q and %q", a, b)
	}
	h.vec(op.ReadVec, f, 8, a, b).with(flags).submit().want(2)
	h.vec(op.ReadVec, f, 10, a, b).with(flags).submit().want(0)
	h.vec(op.WriteVec, f, 9, []byte("ab"), []byte("cde")).with(flags).submit().want(5)
	if got := h.content(f); got != "012345678abcde" {
		h.Errorf("the file has %q", got)
	}
	many := make([][]byte, op.VecMax+10)
	for i := range many {
		many[i] = []byte{'x'}
	}
	h.vec(op.WriteVec, f, 0, many...).with(flags).submit().want(op.VecMax)
	h.needsFound(f)
	switch res, ok := h.try(&op.Op{Code: op.ReadVec, FD: &f.FD, Off: 1, Ext: vecOf(a)}); {
	case ok && res == -sys.EOPNOTSUPP:
	case !ok || res != 3 || string(a) != "xxx":
		h.Errorf("Try of a read gave %s, %v and %q, want what is in memory", show(res), ok, a)
	}
}

func vecOf(parts ...[]byte) *op.Ext {
	x := new(op.Ext)
	x.SetVec(parts, 0)
	return x
}

// about is an op on n bytes from off on.
func (h *harness) about(code op.Code, f *desc, off, n int64, arg uint32) *call {
	c := h.op(code, f).on(nil, off).args(arg, 0)
	h.slab.Ext(c.o).Len = n
	return c
}

func diskLength(h *harness) {
	f := h.file("0123456789")
	r, _ := h.pipe()
	h.about(op.Ftruncate, f, 4, 0, 0).submit().want(0)
	h.about(op.Allocate, f, 0, 100, unix.FALLOC_FL_KEEP_SIZE).submit().want(0)
	if got := h.content(f); got != "0123" {
		h.Errorf("the file has %q, want its first four bytes", got)
	}
	h.about(op.Allocate, f, 0, 6, 0).submit().want(0)
	if got := h.content(f); got != "0123\x00\x00" {
		h.Errorf("the file has %q, want six bytes", got)
	}
	for _, arg := range []uint32{0, op.DataOnly} {
		h.about(op.Sync, f, 0, 0, arg).submit().want(0)
		h.about(op.Sync, r, 0, 0, arg).submit().want(-sys.EINVAL)
	}
	h.about(op.SyncRange, f, 0, 0, unix.SYNC_FILE_RANGE_WRITE).submit().want(0)
	h.about(op.SyncRange, f, 0, 0, 1<<20).submit().want(-sys.EINVAL)
	h.about(op.Advise, f, 0, 0, unix.FADV_WILLNEED).submit().want(0)
	h.about(op.Advise, f, 0, 0, 1<<20).submit().want(-sys.EINVAL)
	h.about(op.Advise, r, 0, 0, unix.FADV_WILLNEED).submit().want(-int32(unix.ESPIPE))
}

func diskStat(h *harness) {
	f := h.file("0123456789")
	st := new(sys.Statx)
	stat := func() {
		h.Helper()
		c := h.op(op.Stat, f)
		h.slab.Ext(c.o).Stat = st
		c.submit().want(0)
	}
	stat()
	if st.Size != 10 || st.Mode != unix.S_IFREG|0o600 || st.Nlink != 1 {
		h.Errorf("statx: size %d, mode %o, %d links", st.Size, st.Mode, st.Nlink)
	}
	h.about(op.Chmod, f, 0, 0, 0o640).submit().want(0)
	h.op(op.Chown, f).args(uint32(unix.Getuid()), ^uint32(0)).submit().want(0)
	h.about(op.Chtimes, f, 1e9+5, 2e9+7, 0).submit().want(0)
	h.about(op.Chtimes, f, 99, 3e9, op.OmitAccess).submit().want(0)
	stat()
	if st.Mode != unix.S_IFREG|0o640 || st.Atime.Sec != 1 || st.Atime.Nsec != 5 ||
		st.Mtime.Sec != 3 || st.Mtime.Nsec != 0 {
		h.Errorf("statx after chmod and times: mode %o, %+v, %+v", st.Mode, st.Atime, st.Mtime)
	}
	at := int64(-1)
	seek := h.op(op.Lseek, f).on(nil, -3).args(unix.SEEK_END, 0)
	seek.onEnd = func(o *op.Op, _ int32) { at = o.Off }
	if seek.submit().want(0); at != 7 {
		h.Errorf("lseek to three before the end came to %d", at)
	}
	h.op(op.Lseek, f).on(nil, -1).submit().want(-sys.EINVAL)
	kind := int64(0)
	fs := h.op(op.StatFS, f)
	fs.onEnd = func(o *op.Op, _ int32) { kind = o.Off }
	if fs.submit().want(0); kind == 0 {
		h.Error("the file system is of no sort")
	}
}

func (h *harness) attr(code op.Code, f *desc, name string, p []byte) *call {
	c := h.op(code, f).on(p, 0)
	h.slab.Ext(c.o).Attr = append([]byte(name), 0)
	return c
}

func diskAttrs(h *harness) {
	f, p := h.file(""), make([]byte, 100)
	switch res := h.attr(op.SetAttr, f, "user.a", []byte("value")).submit().end(); res {
	case 0:
	case -sys.EOPNOTSUPP:
		h.Skipf("no extended attributes of users in %s", h.TempDir())
	default:
		h.Fatalf("setxattr gave %s", show(res))
	}
	h.attr(op.GetAttr, f, "user.a", p).submit().wantBytes(p, "value")
	h.attr(op.GetAttr, f, "user.b", p).submit().want(-int32(unix.ENODATA))
	n := h.attr(op.ListAttrs, f, "", p).submit().end()
	if n < 7 || !strings.Contains(string(p[:n]), "user.a\x00") {
		h.Errorf("the attributes are %s: %q", show(n), p)
	}
	h.attr(op.RemoveAttr, f, "user.a", nil).submit().want(0)
	h.attr(op.GetAttr, f, "user.a", p).submit().want(-int32(unix.ENODATA))
}

// A lock is the open file's: another one is refused it, and does not wait.
func diskLock(h *harness) {
	f := h.file("")
	n, err := unix.Open("/proc/self/fd/"+itoa(f), unix.O_RDWR|unix.O_CLOEXEC, 0)
	h.check(err)
	g := h.desc(n)
	h.about(op.Lock, f, 0, 0, sys.FWrlck).submit().want(0)
	h.about(op.Lock, g, 0, 0, sys.FRdlck).submit().want(-sys.EACCES)
	h.about(op.Lock, f, 0, 10, sys.FUnlck).submit().want(0)
	h.about(op.Lock, g, 0, 10, sys.FRdlck).submit().want(0)
	h.about(op.Lock, g, 10, 1, sys.FRdlck).submit().want(-sys.EACCES)
}

// Rows that no entry serves go to a worker, and are nobody's before the next Wait.
func diskCancelAll(h *harness) {
	f := h.file("0123456789")
	for code := range op.Codes {
		if d := &op.Table[code]; d.Kind != op.Blocking || code == op.CloseFile || code == op.Open {
			continue
		}
		c := h.op(code, f).with(op.Offload).on(make([]byte, 1), 0)
		x := h.slab.Ext(c.o)
		x.Attr, x.Stat = []byte("user.a\x00"), new(sys.Statx)
		x.SetVec([][]byte{make([]byte, 1)}, 0)
		c.submit().wantCanceled()
	}
	r, w := h.pipe()
	b := []byte("#")
	h.vec(op.ReadVec, r, atPosition, b).submit().wantCanceled()
	w.plain().fill()
	h.vec(op.WriteVec, w, atPosition, b).submit().wantCanceled()
	if got := h.content(f); got != "0123456789" {
		h.Errorf("what was cancelled left %q in the file", got)
	}
}
