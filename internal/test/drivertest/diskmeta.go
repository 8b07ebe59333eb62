package drivertest

import (
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/test/linux"
)

// vec builds a ReadVec or WriteVec of these parts.
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

// about builds an op on n bytes from off on.
func (h *harness) about(code op.Code, f *desc, off, n int64, arg uint32) *call {
	c := h.op(code, f).on(nil, off).flags(arg)
	h.slab.Ext(c.o).Len = n
	return c
}

func diskLength(h *harness) {
	f := h.file("0123456789")
	r, _ := h.pipe()
	h.about(op.Ftruncate, f, 4, 0, 0).submit().want(0)
	h.about(op.Allocate, f, 0, 100, linux.FALLOC_FL_KEEP_SIZE).submit().want(0)
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
}

// Ops that go to a worker are not given to one before the next Wait, so a cancel before that ends them.
func diskCancelAll(h *harness) {
	f := h.file("0123456789")
	for code := range op.Codes {
		if d := &op.Table[code]; d.Kind != op.Blocking {
			continue
		}
		c := h.op(code, f).with(op.Offload).on(make([]byte, 1), 0)
		x := h.slab.Ext(c.o)
		x.Call = func() { h.Error("a cancelled call was made") }
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
