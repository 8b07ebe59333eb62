//go:build linux

package uring

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func init() {
	prepTests = append(prepTests,
		prepTest{"PrepOpenat", nil, testOpenat},
		prepTest{"PrepOpenat2", nil, testOpenat2},
		prepTest{"PrepGetxattr", nil, testXattr},
		prepTest{"PrepFgetxattr", nil, testXattr},
		prepTest{"PrepSetxattr", nil, testXattr},
		prepTest{"PrepFsetxattr", nil, testXattr},
		prepTest{"PrepStatx", nil, testStatx},
		prepTest{"PrepMkdirat", nil, testNames(OpMkdirat, "5.15", mkdirat)},
		prepTest{"PrepUnlinkat", nil, testNames(OpUnlinkat, "5.11", unlinkat)},
		prepTest{"PrepRenameat", nil, testNames(OpRenameat, "5.11", renameat)},
		prepTest{"PrepLinkat", nil, testNames(OpLinkat, "5.15", linkat)},
		prepTest{"PrepSymlinkat", nil, testNames(OpSymlinkat, "5.15", symlinkat)},
	)
}

// path is a name as the kernel takes it.
func path(name string) []byte { return lend(append([]byte(name), 0)) }

// openDir gives a directory with a file "f" that holds "text", and its number.
func openDir(t *testing.T) (name string, fd int) {
	t.Helper()
	name = t.TempDir()
	if err := os.WriteFile(filepath.Join(name, "f"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return name, fd
}

// testNames is a test of an entry that came later than the ring.
func testNames(op Op, since string, run func(t *testing.T, r *Ring, name string, dir int)) func(t *testing.T, r *Ring) {
	return func(t *testing.T, r *Ring) {
		needOp(t, op, since)
		name, dir := openDir(t)
		run(t, r, name, dir)
	}
}

func testOpenat2(t *testing.T, r *Ring) {
	needOp(t, OpOpenat2, "5.6")
	_, dir := openDir(t)
	how := &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH}
	c := do(t, r, func(e *SQE) { e.PrepOpenat2(dir, path("f"), unsafe.Pointer(how)) })
	if c.Res < 0 {
		t.Fatal(result(c.Res))
	}
	f := os.NewFile(uintptr(c.Res), "f")
	defer f.Close()
	p := make([]byte, 10)
	if n, err := f.Read(p); string(p[:n]) != "text" {
		t.Errorf("read %q, %v", p[:n], err)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepOpenat2(dir, path("../f"), unsafe.Pointer(how)) }), syscall.EXDEV)
	want(t, do(t, r, func(e *SQE) { e.PrepOpenat2(dir, path("g"), unsafe.Pointer(how)) }), syscall.ENOENT)
}

func testStatx(t *testing.T, r *Ring) {
	needOp(t, OpStatx, "5.6")
	_, dir := openDir(t)
	st := new(unix.Statx_t)
	want(t, do(t, r, func(e *SQE) { e.PrepStatx(dir, path("f"), 0, unix.STATX_BASIC_STATS, unsafe.Pointer(st)) }), 0)
	if st.Size != 4 || st.Mode != unix.S_IFREG|0o600 {
		t.Errorf("size %d, mode %o", st.Size, st.Mode)
	}
	want(t, do(t, r, func(e *SQE) {
		e.PrepStatx(dir, path(""), unix.AT_EMPTY_PATH, unix.STATX_MODE, unsafe.Pointer(st))
	}), 0)
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		t.Errorf("the directory has mode %o", st.Mode)
	}
}

func mkdirat(t *testing.T, r *Ring, name string, dir int) {
	want(t, do(t, r, func(e *SQE) { e.PrepMkdirat(dir, path("d"), 0o500) }), 0)
	if st, err := os.Stat(filepath.Join(name, "d")); err != nil || st.Mode() != os.ModeDir|0o500 {
		t.Errorf("%v, %v", st, err)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepMkdirat(dir, path("d"), 0o500) }), syscall.EEXIST)
}

func unlinkat(t *testing.T, r *Ring, name string, dir int) {
	want(t, do(t, r, func(e *SQE) { e.PrepUnlinkat(dir, path("f"), unix.AT_REMOVEDIR) }), syscall.ENOTDIR)
	want(t, do(t, r, func(e *SQE) { e.PrepUnlinkat(dir, path("f"), 0) }), 0)
	want(t, do(t, r, func(e *SQE) { e.PrepUnlinkat(dir, path("f"), 0) }), syscall.ENOENT)
}

func renameat(t *testing.T, r *Ring, name string, dir int) {
	_, other := openDir(t)
	want(t, do(t, r, func(e *SQE) {
		e.PrepRenameat(dir, path("f"), other, path("f"), unix.RENAME_NOREPLACE)
	}), syscall.EEXIST)
	want(t, do(t, r, func(e *SQE) { e.PrepRenameat(dir, path("f"), other, path("g"), 0) }), 0)
	if entries, err := os.ReadDir(name); len(entries) != 0 || err != nil {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func linkat(t *testing.T, r *Ring, name string, dir int) {
	_, other := openDir(t)
	want(t, do(t, r, func(e *SQE) { e.PrepLinkat(dir, path("f"), other, path("f"), 0) }), syscall.EEXIST)
	want(t, do(t, r, func(e *SQE) { e.PrepLinkat(dir, path("f"), other, path("g"), 0) }), 0)
	var st unix.Stat_t
	if err := unix.Fstatat(other, "g", &st, 0); err != nil || st.Nlink != 2 {
		t.Errorf("%d names, %v", st.Nlink, err)
	}
}

func symlinkat(t *testing.T, r *Ring, name string, dir int) {
	want(t, do(t, r, func(e *SQE) { e.PrepSymlinkat(path("to/there"), dir, path("s")) }), 0)
	if to, err := os.Readlink(filepath.Join(name, "s")); to != "to/there" {
		t.Errorf("it leads to %q, %v", to, err)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepSymlinkat(path("x"), dir, path("f")) }), syscall.EEXIST)
}

func testOpenat(t *testing.T, r *Ring) {
	needOp(t, OpOpenat, "5.6")
	name, dir := openDir(t)
	open := func(file string, flags, mode uint32) CQE {
		return do(t, r, func(e *SQE) { e.PrepOpenat(dir, path(file), flags, mode) })
	}
	fd := fdOf(t, open("f", unix.O_RDONLY|unix.O_CLOEXEC, 0))
	p := make([]byte, 8)
	if n, err := unix.Read(fd, p); err != nil || string(p[:n]) != "text" {
		t.Errorf("the file holds %q, %v", p[:n], err)
	}
	fdOf(t, open("new", unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o640))
	info, err := os.Stat(filepath.Join(name, "new"))
	if err != nil || info.Mode()&^0o040 != 0o600 { // whatever the umask
		t.Errorf("made: %v, %v", info, err)
	}
	want(t, open("new", unix.O_CREAT|unix.O_EXCL, 0), syscall.EEXIST)
	want(t, open("none", unix.O_RDONLY, 0), syscall.ENOENT)
}

// testXattr sets and asks for attributes by both names of the file.
func testXattr(t *testing.T, r *Ring) {
	needOp(t, OpSetxattr, "5.19")
	name, _ := openDir(t)
	name = filepath.Join(name, "f")
	if err := unix.Setxattr(name, "user.a", []byte("first"), 0); err != nil {
		t.Skip("no attributes on this file system:", err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, a, b, p := int(f.Fd()), path("user.a"), path("user.b"), make([]byte, 8)
	get := func(fill func(e *SQE), text string) {
		t.Helper()
		want(t, do(t, r, fill), len(text))
		if got := string(p[:len(text)]); got != text {
			t.Errorf("the attribute is %q, want %q", got, text)
		}
	}
	get(func(e *SQE) { e.PrepGetxattr(path(name), a, p) }, "first")
	get(func(e *SQE) { e.PrepFgetxattr(fd, a, p) }, "first")
	text := []byte("second")
	want(t, do(t, r, func(e *SQE) { e.PrepSetxattr(path(name), a, text, unix.XATTR_REPLACE) }), 0)
	get(func(e *SQE) { e.PrepFgetxattr(fd, a, p) }, "second")
	want(t, do(t, r, func(e *SQE) { e.PrepFsetxattr(fd, b, text[:3], unix.XATTR_CREATE) }), 0)
	get(func(e *SQE) { e.PrepGetxattr(path(name), b, p) }, "sec")

	want(t, do(t, r, func(e *SQE) { e.PrepFsetxattr(fd, b, text, unix.XATTR_CREATE) }), syscall.EEXIST)
	want(t, do(t, r, func(e *SQE) { e.PrepSetxattr(path(name), path("user.c"), text, unix.XATTR_REPLACE) }),
		syscall.ENODATA)
	want(t, do(t, r, func(e *SQE) { e.PrepFgetxattr(fd, path("user.c"), p) }), syscall.ENODATA)
	want(t, do(t, r, func(e *SQE) { e.PrepGetxattr(path(name), a, p[:2]) }), syscall.ERANGE)
	want(t, do(t, r, func(e *SQE) { e.PrepGetxattr(path(name), a, nil) }), 6)
	want(t, do(t, r, func(e *SQE) { e.PrepFgetxattr(-1, a, p) }), syscall.EBADF)
}
