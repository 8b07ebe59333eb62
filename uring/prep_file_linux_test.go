//go:build linux

package uring

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	prepTests = append(prepTests,
		prepTest{"PrepFsync", nil, testFsync},
		prepTest{"PrepFallocate", nil, testFallocate},
		prepTest{"PrepFtruncate", nil, testFtruncate},
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

func testFsync(t *testing.T, r *Ring) {
	_, fd := openNew(t)
	for _, dataOnly := range []bool{false, true} {
		want(t, do(t, r, func(e *SQE) { e.PrepFsync(fd, dataOnly) }), 0)
		want(t, do(t, r, func(e *SQE) { e.PrepFsync(-1, dataOnly) }), syscall.EBADF)
	}
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
