//go:build linux

package uring

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/test/patience"
)

func init() {
	prepTests = append(prepTests,
		prepTest{"PrepReadSelect", []string{CheckBufRing}, testReadSelect},
		prepTest{"PrepReadMultishot", []string{CheckBufRing}, testReadMultishot},
		prepTest{"PrepReadFixed", nil, testFixed},
		prepTest{"PrepWriteFixed", nil, testFixed},
		prepTest{"PrepReadvFixed", nil, testVecFixed},
		prepTest{"PrepWritevFixed", nil, testVecFixed},
		prepTest{"SetRWFlags", nil, testRWFlags},
		prepTest{"SetIntegrity", nil, testIntegrity},
		prepTest{"PrepFsync", nil, testFsync},
		prepTest{"PrepSyncFileRange", nil, testSyncFileRange},
		prepTest{"PrepFallocate", nil, testFallocate},
		prepTest{"PrepFtruncate", nil, testFtruncate},
		prepTest{"PrepFadvise", nil, testFadvise},
		prepTest{"PrepMadvise", nil, testMadvise},
	)
}

// openNew gives a new file with the bytes "text", and its number.
func openNew(t *testing.T) (f *os.File, fd int) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString("text"); err != nil {
		t.Fatal(err)
	}
	return f, int(f.Fd())
}

// wantSize fails unless the file is so long.
func wantSize(t *testing.T, f *os.File, size int64) {
	t.Helper()
	if info, err := f.Stat(); err != nil || info.Size() != size {
		t.Errorf("the file: %v, %v, want %d bytes", info, err, size)
	}
}

// wantContent fails unless the file holds these bytes.
func wantContent(t *testing.T, f *os.File, text string) {
	t.Helper()
	if got, err := os.ReadFile(f.Name()); err != nil || string(got) != text {
		t.Errorf("the file holds %q, %v, want %q", got, err, text)
	}
}

// pipe gives both ends of a pipe.
func pipe(t testing.TB) (rd, wr int) {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	closeLater(t, fds[0], fds[1])
	return fds[0], fds[1]
}

func testReadSelect(t *testing.T, r *Ring) {
	bufs, err := r.BufRing(3, 2, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer bufs.Close()
	_, fd := openNew(t)
	for off, text := range map[int64]string{0: "text", 2: "xt"} {
		c := do(t, r, func(e *SQE) { e.PrepReadSelect(fd, 3, 0, off) })
		want(t, c, len(text))
		if c.Flags&CQEBuffer == 0 || string(bufs.Bytes(c.BufID())[:c.Res]) != text {
			t.Errorf("at %d: want %q, got %q by %+v", off, text, bufs.Bytes(c.BufID()), c)
		}
	}
	want(t, do(t, r, func(e *SQE) { e.PrepReadSelect(fd, 3, 0, 0) }), syscall.ENOBUFS)
	bufs.Return(0)
	want(t, do(t, r, func(e *SQE) { e.PrepReadSelect(fd, 3, 1, 0) }), 1)
}

func testReadMultishot(t *testing.T, r *Ring) {
	needOp(t, OpReadMultishot, "6.7")
	bufs, err := r.BufRing(3, 2, 16)
	if err != nil {
		t.Fatal(err)
	}
	defer bufs.Close()
	rd, wr := pipe(t)
	tag := start(t, r, func(e *SQE) { e.PrepReadMultishot(rd, 3) })
	for _, text := range []string{"one", "two", "three"} {
		write(t, wr, text)
		c := finish(t, r, tag)
		if !c.More() || int(c.Res) != len(text) || string(bufs.Bytes(c.BufID())[:c.Res]) != text {
			t.Fatalf("want %q and more, got %q by %+v", text, bufs.Bytes(c.BufID()), c)
		}
		bufs.Return(c.BufID())
	}
	unix.Close(wr)
	if c := finish(t, r, tag); c.Res != 0 || c.More() {
		t.Errorf("the end: %+v", c)
	}
	_, fd := openNew(t)
	want(t, do(t, r, func(e *SQE) { e.PrepReadMultishot(fd, 3) }), syscall.EBADFD)
}

// pages is memory that is page-aligned and not on the Go heap.
func pages(t testing.TB, n int) []byte {
	t.Helper()
	p, err := unix.Mmap(-1, 0, n*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(p) })
	return p
}

// fixed registers two buffers of a page each.
func fixed(t *testing.T, r *Ring) (a, b []byte) {
	t.Helper()
	a, b = pages(t, 1), pages(t, 1)
	if err := r.RegisterBuffers([][]byte{a, b}); err != nil {
		t.Fatal(err)
	}
	return a, b
}

func testFixed(t *testing.T, r *Ring) {
	a, b := fixed(t, r)
	f, fd := openNew(t)
	copy(a[100:], "hello")
	want(t, do(t, r, func(e *SQE) { e.PrepWriteFixed(fd, a[100:105], 2, 0) }), 5)
	wantContent(t, f, "tehello")
	want(t, do(t, r, func(e *SQE) { e.PrepReadFixed(fd, b[50:60], 1, 1) }), 6)
	if got := string(b[49:57]); got != "\x00ehello\x00" {
		t.Errorf("read %q", got)
	}
	stray := make([]byte, 8)
	for name, prep := range map[string]func(e *SQE){
		"the other buffer": func(e *SQE) { e.PrepReadFixed(fd, b[:8], 0, 0) },
		"no buffer":        func(e *SQE) { e.PrepReadFixed(fd, b[:8], 0, 2) },
		"other memory":     func(e *SQE) { e.PrepWriteFixed(fd, stray, 0, 0) },
	} {
		if c := do(t, r, prep); c.Res != -int32(syscall.EFAULT) {
			t.Errorf("%s: want EFAULT, got %s", name, result(c.Res))
		}
	}
}

func testVecFixed(t *testing.T, r *Ring) {
	needOp(t, OpReadvFixed, "6.15")
	a, b := fixed(t, r)
	f, fd := openNew(t)
	copy(a[10:], "abc")
	copy(a[20:], "defg")
	vec, n := vector(a[20:24], a[10:13])
	want(t, do(t, r, func(e *SQE) { e.PrepWritevFixed(fd, vec, n, 1, 0) }), 7)
	wantContent(t, f, "tdefgabc")
	vec, n = vector(b[5:7], b[:3])
	want(t, do(t, r, func(e *SQE) { e.PrepReadvFixed(fd, vec, n, 2, 1) }), 5)
	if got := string(b[:8]); got != "gab\x00\x00ef\x00" {
		t.Errorf("read %q", got)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepReadvFixed(fd, vec, n, 2, 0) }), syscall.EFAULT)
}

func testRWFlags(t *testing.T, r *Ring) {
	f, fd := openNew(t)
	appended := []byte("ual")
	want(t, do(t, r, func(e *SQE) {
		e.PrepWrite(fd, appended, 0)
		e.SetRWFlags(unix.RWF_APPEND)
	}), 3)
	wantContent(t, f, "textual")
	rd, _ := pipe(t)
	want(t, do(t, r, func(e *SQE) {
		e.PrepRead(rd, appended, -1)
		e.SetRWFlags(unix.RWF_NOWAIT)
	}), noWait())
	want(t, do(t, r, func(e *SQE) {
		e.PrepRead(fd, appended, 0)
		e.SetRWFlags(1 << 30)
	}), syscall.EOPNOTSUPP)
}

// testIntegrity: no disk here has integrity; that the kernel says so, and not that the attribute is unknown, shows that
// it was read. With an attribute of which it knows nothing it says EINVAL.
func testIntegrity(t *testing.T, r *Ring) {
	if r.Features()&FeatRWAttr == 0 {
		t.Skip(&FeatureError{"RW_ATTR", "6.14"})
	}
	_, fd := openNew(t)
	p, pi := make([]byte, 8), new(Integrity)
	pi.SetInfo(make([]byte, 8))
	c := do(t, r, func(e *SQE) {
		e.PrepRead(fd, p, 0)
		e.SetIntegrity(pi)
	})
	if c.Res >= 0 {
		t.Fatalf("read %d bytes with integrity from a file that has none", c.Res)
	}
	t.Skipf("no file here has protection information: %s", result(c.Res))
}

func testFsync(t *testing.T, r *Ring) {
	_, fd := openNew(t)
	for _, dataOnly := range []bool{false, true} {
		want(t, do(t, r, func(e *SQE) { e.PrepFsync(fd, dataOnly) }), 0)
		want(t, do(t, r, func(e *SQE) { e.PrepFsync(-1, dataOnly) }), syscall.EBADF)
		want(t, do(t, r, func(e *SQE) {
			e.PrepFsync(fd, dataOnly)
			e.Off, e.Len = 1, 2
		}), 0)
	}
	rd, _ := pipe(t)
	want(t, do(t, r, func(e *SQE) { e.PrepFsync(rd, false) }), syscall.EINVAL)
}

func testSyncFileRange(t *testing.T, r *Ring) {
	_, fd := openNew(t)
	const all = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
	want(t, do(t, r, func(e *SQE) { e.PrepSyncFileRange(fd, 0, 4, all) }), 0)
	want(t, do(t, r, func(e *SQE) { e.PrepSyncFileRange(fd, 0, 0, all) }), 0)
	want(t, do(t, r, func(e *SQE) { e.PrepSyncFileRange(fd, 0, 4, 1<<30) }), syscall.EINVAL)
	rd, _ := pipe(t)
	want(t, do(t, r, func(e *SQE) { e.PrepSyncFileRange(rd, 0, 4, all) }), syscall.ESPIPE)
}

func testFallocate(t *testing.T, r *Ring) {
	needOp(t, OpFallocate, "5.6")
	f, fd := openNew(t)
	want(t, do(t, r, func(e *SQE) { e.PrepFallocate(fd, 0, 100, 1<<16) }), 0)
	wantSize(t, f, 1<<16+100)
	want(t, do(t, r, func(e *SQE) { e.PrepFallocate(fd, unix.FALLOC_FL_KEEP_SIZE, 0, 1<<17) }), 0)
	wantSize(t, f, 1<<16+100)
	want(t, do(t, r, func(e *SQE) { e.PrepFallocate(fd, 0, 0, 0) }), syscall.EINVAL)
}

func testFtruncate(t *testing.T, r *Ring) {
	needOp(t, OpFtruncate, "6.9")
	f, fd := openNew(t)
	want(t, do(t, r, func(e *SQE) { e.PrepFtruncate(fd, 5<<30) }), 0)
	wantSize(t, f, 5<<30)
	want(t, do(t, r, func(e *SQE) { e.PrepFtruncate(fd, 1) }), 0)
	wantSize(t, f, 1)
	want(t, do(t, r, func(e *SQE) { e.PrepFtruncate(fd, -1) }), syscall.EINVAL)
}

// testFadvise: what is not needed any more leaves the page cache.
func testFadvise(t *testing.T, r *Ring) {
	f, fd := openNew(t)
	rd, _ := pipe(t)
	advise := func(fd int, off, n int64, advice uint32, res any) {
		t.Helper()
		want(t, do(t, r, func(e *SQE) { e.PrepFadvise(fd, off, n, advice) }), res)
	}
	advise(fd, 0, 4, 99, syscall.EINVAL)
	advise(rd, 0, 4, unix.FADV_NORMAL, syscall.ESPIPE)
	advise(fd, 1, 2, unix.FADV_SEQUENTIAL, 0)
	var fs unix.Statfs_t
	// All of a page: where blocks are smaller, what is of a part of one counts as nothing.
	_, err := f.WriteAt(make([]byte, os.Getpagesize()), 0)
	if err := errors.Join(err, f.Sync(), unix.Fstatfs(fd, &fs)); err != nil {
		t.Fatal(err)
	}
	onDisk := fs.Type == unix.EXT4_SUPER_MAGIC || fs.Type == unix.XFS_SUPER_MAGIC
	if onDisk && !cached(t, fd) {
		t.Fatal("the page that was just written is not cached")
	}
	// Who else looks at the page at this moment, as writeback may, keeps it: then it is dropped next time.
	patience.Until(t, "the page is not cached any more", func() bool {
		advise(fd, 0, 0, unix.FADV_DONTNEED, 0)
		return !onDisk || !cached(t, fd)
	})
	c := do(t, r, func(e *SQE) { e.PrepFadvise(fd, 0, 5<<30, unix.FADV_NORMAL) })
	want(t, needFlag(t, c, "FADVISE of 64 bits", "6.10"), 0)
}

// cached says whether the first page of a file is in the page cache.
func cached(t *testing.T, fd int) bool {
	t.Helper()
	p, err := unix.Mmap(fd, 0, os.Getpagesize(), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(p)
	var vec [1]byte
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)),
		uintptr(unsafe.Pointer(&vec))); errno != 0 {
		t.Fatal(errno)
	}
	return vec[0]&1 != 0
}

// seen is the byte that the kernel finds at an address.
func seen(t *testing.T, p *byte) byte {
	t.Helper()
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	var b [1]byte
	if _, err := mem.ReadAt(b[:], int64(uintptr(unsafe.Pointer(p)))); err != nil {
		t.Fatal(err)
	}
	return b[0]
}

// testMadvise: anonymous memory that is not needed any more reads as zeros.
func testMadvise(t *testing.T, r *Ring) {
	p := pages(t, 2)
	page := len(p) / 2
	p[0], p[page] = 1, 2
	want(t, do(t, r, func(e *SQE) { e.PrepMadvise(p[:page], unix.MADV_DONTNEED) }), 0)
	if p[0] != 0 || p[page] != 2 {
		t.Errorf("the pages begin with %d and %d, want 0 and 2", p[0], p[page])
	}
	want(t, do(t, r, func(e *SQE) { e.PrepMadvise(p, 9999) }), syscall.EINVAL)
	if unsafe.Sizeof(uintptr(0)) < 8 {
		return
	}
	n := uint64(1)<<32 + uint64(page)
	big, err := unix.Mmap(-1, 0, int(n), unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		t.Skip("no 4 GiB of addresses:", err)
	}
	defer unix.Munmap(big)
	last := &big[len(big)-1]
	big[0], *last = 1, 2
	c := do(t, r, func(e *SQE) { e.PrepMadvise(big, unix.MADV_DONTNEED) })
	want(t, needFlag(t, c, "MADVISE of 64 bits", "6.10"), 0)
	// The kernel's view: emulated processors may go on with pages that are gone.
	if a, b := seen(t, &big[0]), seen(t, last); a != 0 || b != 0 {
		t.Errorf("the ends are %d and %d, want zeros", a, b)
	}
}

// noWait is what RWF_NOWAIT gives on a pipe or socket that has nothing.
func noWait() syscall.Errno {
	if !newerThan("6.4") {
		return syscall.EOPNOTSUPP
	}
	return syscall.EAGAIN
}
