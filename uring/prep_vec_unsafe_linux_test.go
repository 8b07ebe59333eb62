//go:build linux

package uring

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"
)

func init() {
	prepTests = append(prepTests,
		prepTest{"PrepReadv", nil, testReadv},
		prepTest{"PrepWritev", nil, testWritev},
	)
}

// vector is what a vectored call takes: addresses and lengths.
func vector(parts ...[]byte) (unsafe.Pointer, int) {
	v := make([]syscall.Iovec, len(parts))
	for i, p := range parts {
		v[i].Base = unsafe.SliceData(p)
		v[i].SetLen(len(p))
	}
	return unsafe.Pointer(unsafe.SliceData(v)), len(v)
}

func testReadv(t *testing.T, r *Ring) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, b := make([]byte, 3), make([]byte, 4)
	vec, n := vector(a, b)
	want(t, do(t, r, func(e *SQE) { e.PrepReadv(int(f.Fd()), vec, n, 1) }), 7)
	if got := string(a) + " " + string(b); got != "123 4567" {
		t.Errorf("read %q", got)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepReadv(9999, vec, n, 0) }), syscall.EBADF)
}

func testWritev(t *testing.T, r *Ring) {
	name := filepath.Join(t.TempDir(), "f")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	vec, n := vector([]byte("abc"), []byte("defg"))
	want(t, do(t, r, func(e *SQE) { e.PrepWritev(int(f.Fd()), vec, n, 2) }), 7)
	if got, err := os.ReadFile(name); string(got) != "\x00\x00abcdefg" {
		t.Errorf("the file holds %q, %v", got, err)
	}
	want(t, do(t, r, func(e *SQE) { e.PrepWritev(9999, vec, n, 0) }), syscall.EBADF)
}
