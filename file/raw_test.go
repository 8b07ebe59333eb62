package file_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"ringo"
	"ringo/file"
)

// Close ends a RawConn's calls of a function that never has enough, also where there is nothing to wait for.
func TestCloseEndsRawCalls(t *testing.T) {
	eachCallerHere(t, func(t *testing.T, l *ringo.Loop) {
		f, err := file.Create(filepath.Join(tempDir(t), "file"))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := f.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var joins []func()
		for name, call := range map[string]func(func(uintptr) bool) error{"Read": raw.Read, "Write": raw.Write} {
			called := ringo.NewChan[struct{}](1)
			joins = append(joins, begin(l, func() {
				err := call(func(uintptr) bool {
					called.TrySend(struct{}{})
					return false
				})
				if !errors.Is(err, fs.ErrClosed) {
					t.Errorf("%s = %v, want ErrClosed", name, err)
				}
			}))
			called.Recv()
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		for _, join := range joins {
			join()
		}
	})
}
