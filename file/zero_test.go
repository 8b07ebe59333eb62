package file_test

import (
	"errors"
	"io/fs"
	"testing"

	"ringo"
	"ringo/file"
)

// A File or a Dir that nobody opened has no descriptor: above all not 0, which is
// somebody else's.
func TestZeroValues(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		for name, f := range map[string]*file.File{"nil": nil, "zero": new(file.File)} {
			invalid := func(what string, err error) {
				t.Helper()
				if !errors.Is(err, fs.ErrInvalid) {
					t.Errorf("%s File: %s: %v, want fs.ErrInvalid", name, what, err)
				}
			}
			p := make([]byte, 1)
			_, err := f.Read(p)
			invalid("Read", err)
			_, err = f.ReadAt(p, 0)
			invalid("ReadAt", err)
			_, err = f.Write(p)
			invalid("Write", err)
			_, err = f.WriteAt(p, 0)
			invalid("WriteAt", err)
			_, err = f.Seek(0, 0)
			invalid("Seek", err)
			_, err = f.Stat()
			invalid("Stat", err)
			_, err = f.SyscallConn()
			invalid("SyscallConn", err)
			_, err = file.NewReader(f, nil)
			invalid("NewReader", err)
			_, err = file.NewWriter(f, nil)
			invalid("NewWriter", err)
			invalid("Sync", f.Sync())
			invalid("Truncate", f.Truncate(0))
			invalid("Close", f.Close())
			invalid("second Close", f.Close())
			if fd := f.Fd(); fd != ^uintptr(0) {
				t.Errorf("%s File: Fd: %d, want none", name, int(fd))
			}
		}
		if _, err := file.NewReader(nil, nil); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("NewReader of nil: %v, want fs.ErrInvalid", err)
		}
		var d file.Dir
		_, opened := d.Open("x")
		for what, err := range map[string]error{"Open": opened, "Sync": d.Sync(),
			"Remove": d.Remove("x"), "Close": d.Close()} {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("zero Dir: %s: %v, want fs.ErrInvalid", what, err)
			}
		}
	})
}
