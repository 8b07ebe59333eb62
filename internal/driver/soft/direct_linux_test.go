//go:build linux

package soft

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/poller"
	"ringo/internal/sys"
)

// direct gives a file that is open with O_DIRECT and has n blocks of its content,
// each of one letter, or skips where there is none.
func (r *rig) direct(n int) *fd.FD {
	r.t.Helper()
	f, err := os.CreateTemp(r.t.TempDir(), "")
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	for i := range n {
		if _, err := f.Write(bytes.Repeat([]byte{byte('a' + i)}, block4K)); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		r.t.Fatal(err)
	}
	d, err := syscall.Open(f.Name(), syscall.O_RDWR|syscall.O_CLOEXEC|syscall.O_DIRECT, 0)
	if err != nil {
		r.t.Skipf("no O_DIRECT in %s: %v", r.t.TempDir(), err)
	}
	return r.own(d)
}

const block4K = 4096

// pages is memory that begins at a page.
func (r *rig) pages(n int) []byte {
	r.t.Helper()
	p, err := syscall.Mmap(-1, 0, n*block4K, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { syscall.Munmap(p) })
	return p
}

func (r *rig) readInto(f *fd.FD, p []byte, off int64) *op.Op {
	return r.submit(op.Read, f, func(o *op.Op) { o.Buf, o.Off = p, off })
}

// Past the page cache the kernel has the op, and no worker.
func TestDirectFile(t *testing.T) {
	r := newRig(t)
	f := r.direct(8)
	p := r.pages(1)
	tookAIO := false
	for i := range 100 {
		if n := r.last(r.readInto(f, p, int64(i%8)*block4K)); n != block4K || p[0] != byte('a'+i%8) {
			t.Fatalf("read of block %d = %d %q", i%8, n, p[:1])
		}
		tookAIO = tookAIO || r.d.stats.Fallbacks == 0
	}
	if r.d.files.aio == nil {
		t.Skipf("no AIO: %v", r.d.files.aioErr)
	}
	if !slices.Contains(r.d.Info().Features, "aio") {
		t.Error("Info doesn't tell of AIO")
	}
	if t.Logf("%d of 100 reads fell back", r.d.stats.Fallbacks); !tookAIO {
		t.Skip("no read came without a wait: this file system has no asynchronous reads")
	}
}

// Vectors past the page cache, and syncs of any file, are the kernel's, too.
func TestDirectVectorsAndSync(t *testing.T) {
	r := newRig(t)
	f := r.direct(4)
	p := r.pages(2)
	vec := func(code op.Code) *op.Op {
		return r.submit(code, f, func(o *op.Op) {
			o.Off = block4K
			r.slab.Ext(o).SetVec([][]byte{p[block4K:], nil, p[:block4K]}, 0)
		})
	}
	for range 20 { // one that would have to wait is a worker's
		if n := r.last(vec(op.ReadVec)); n != 2*block4K || p[0] != 'c' || p[block4K] != 'b' {
			t.Fatalf("read of two slices = %d %q %q", n, p[:1], p[block4K:][:1])
		}
	}
	if r.d.files.aio == nil {
		t.Skipf("no AIO: %v", r.d.files.aioErr)
	}
	if _, err := unix.Preadv2(int(f.Sys()), [][]byte{p}, 0, unix.RWF_NOWAIT); errors.Is(err, unix.EOPNOTSUPP) {
		t.Skipf("preadv2(RWF_NOWAIT): %v", err) // as on tmpfs
	}
	if r.d.stats.Fallbacks == 20 {
		t.Error("no read of two slices was the kernel's")
	}
	copy(p, "first")
	copy(p[block4K:], "second")
	if n := r.last(vec(op.WriteVec)); n != 2*block4K {
		t.Fatalf("write of two slices = %d", n)
	}
	clear(p)
	if n := r.last(vec(op.ReadVec)); n != 2*block4K || !bytes.HasPrefix(p, []byte("first")) {
		t.Errorf("read of what was written = %d %q", n, p[:8])
	}
	before := r.d.stats.Fallbacks
	for _, how := range []uint32{0, op.DataOnly} {
		if res := r.last(r.submit(op.Sync, f, func(o *op.Op) { o.CallFlags = how })); res != 0 {
			t.Errorf("sync = %d", res)
		}
	}
	if r.d.stats.Fallbacks != before {
		t.Errorf("%d of two syncs were a worker's", r.d.stats.Fallbacks-before) // Linux 4.18 has them
	}
	if res := r.last(r.submit(op.Sync, r.own(int(sys.Eventfd())), nil)); res != -sys.EINVAL {
		t.Errorf("sync of an eventfd = %d, want -EINVAL", res)
	}
}

// More than AIO has room for, and what it can't take, goes to the workers.
func TestDirectFallsBack(t *testing.T) {
	r := newRig(t)
	f := r.direct(8)
	const n = 2 * directMax
	p := r.pages(n)
	index := map[*op.Op]int{}
	for i := range n {
		o := r.readInto(f, p[i*block4K:(i+1)*block4K], int64(i%8)*block4K)
		index[o] = i
	}
	for range n {
		for r.done.Len() == 0 {
			r.wait()
		}
		c, _ := r.done.Pop()
		if i := index[c.Op]; c.Res != block4K || p[i*block4K] != byte('a'+i%8) {
			t.Fatalf("read of block %d = %d %q", i%8, c.Res, p[i*block4K:][:1])
		}
		r.slab.Put(c.Op)
	}
	if r.d.stats.Fallbacks == 0 {
		t.Errorf("%d reads at once and no fallback, want some past %d", n, directMax)
	}
}

// Without AIO it is the workers' as any file.
func TestDirectWithout(t *testing.T) {
	r := newRigOn(t, poller.OpenEpoll, "aio")
	f := r.direct(2)
	p := r.pages(1)
	if n := r.last(r.readInto(f, p, block4K)); n != block4K || p[0] != 'b' {
		t.Errorf("read = %d %q", n, p[:1])
	}
	if r.d.files.aio != nil || r.d.files.aioErr == nil || r.d.stats.Fallbacks != 1 {
		t.Errorf("AIO is %v (%v), with %d fallbacks; want none, with a reason, and 1", r.d.files.aio,
			r.d.files.aioErr, r.d.stats.Fallbacks)
	}
}
