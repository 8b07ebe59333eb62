//go:build windows

package posix

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/windows"
)

// What a result stands for is what package os and package net give here, and errors.Is knows it.
func TestResults(t *testing.T) {
	for n, e := range natives {
		if _, other := others[e]; other { // of which calls give it for another reason
			continue
		}
		if got := Result(e); got != -n && natives[-got] != e {
			t.Errorf("number %d is %d, whose result is %d", n, e, got)
		}
	}
	for _, c := range []struct {
		e    Errno
		res  int32
		back Errno
	}{
		{windows.WSAECONNRESET, -104, ECONNRESET},
		{windows.ERROR_PATH_NOT_FOUND, -2, ENOENT},
		{windows.ERROR_ALREADY_EXISTS, -17, EEXIST},
		{windows.WSAESHUTDOWN, -32, EPIPE},
		{windows.ERROR_BAD_EXE_FORMAT, -(foreign + 193), windows.ERROR_BAD_EXE_FORMAT},
	} {
		if res := Result(c.e); res != c.res || Of(res) != c.back {
			t.Errorf("%v is result %d, which is %v; want %d and %v", c.e, res, Of(res), c.res, c.back)
		}
	}
	for res, want := range map[int32]error{-2: fs.ErrNotExist, -17: fs.ErrExist, -13: fs.ErrPermission,
		-1: fs.ErrPermission, -38: errors.ErrUnsupported, -95: errors.ErrUnsupported} {
		if !errors.Is(Of(res), want) {
			t.Errorf("%d is %v, which is not %v", res, Of(res), want)
		}
	}
	if _, err := os.Open(`C:\no such file`); !errors.Is(err, Of(-2)) {
		t.Errorf("package os says %v, want %v", err, Of(-2))
	}
	if _, err := syscall.Socket(9999, 1, 0); err != EAFNOSUPPORT {
		t.Errorf("a socket of no family gives %v, want %v", err, EAFNOSUPPORT)
	}
}
