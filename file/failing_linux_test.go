//go:build linux

package file_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
	"ringo/internal/test/testmain"
)

// A write, a sync or a close that fails, for want of a working disk or of a quota, does as
// with package os: the count is of what went out, the error of the call that met it, a
// file whose close has failed is closed.
func TestFailingCalls(t *testing.T) {
	dir := mountFailing(t).dir
	steps := []step{wr(1000), wr(0), wr(300_000), sk(0, io.SeekCurrent), wrAt(5000, 4096), syncs, syncs,
		sk(0, io.SeekStart), wr(10), shut, shut, wr(1)}
	for _, w := range ways {
		if !testmain.Long() && w.known != 0 {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			w.take(t, dir)
			eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
				failingFiles(dir, func(name, call string, errno unix.Errno) {
					f, err := file.OpenFile(name, os.O_WRONLY, 0)
					if err != nil {
						t.Fatal(err)
					}
					defer f.Close()
					g, err := os.OpenFile(name, os.O_WRONLY, 0)
					if err != nil {
						t.Fatal(err)
					}
					defer g.Close()
					failed := 0
					for i, s := range steps {
						got, want := s(f), s(g)
						if !same(got, want) {
							t.Errorf("%s, step %d: %s\nos gives %s", filepath.Base(name), i, show(got), show(want))
						}
						if err, ok := got[len(got)-1].(error); ok && errors.Is(err, errno) {
							failed++
						}
					}
					if failed == 0 {
						t.Errorf("%s: no call failed", filepath.Base(name))
					}
				})
			})
		})
	}
}

// The same of what has no counterpart in package os.
func TestFailingCallsBeyondOS(t *testing.T) {
	dir := mountFailing(t).dir
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		failingFiles(dir, func(name, call string, errno unix.Errno) {
			f, err := file.OpenFile(name, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			want := func(what string, fails bool, err error) {
				t.Helper()
				if fails && !errors.Is(err, errno) || !fails && err != nil {
					t.Errorf("%s of %s: %v", what, filepath.Base(name), err)
				}
			}
			all := bytesOf(300_000)
			n, err := f.WriteVAt([][]byte{all[:10], nil, all[10:200_000], all[200_000:]}, 0)
			want("WriteVAt", call == failWrite || call == failLate, err)
			if sizes := map[string]int{failWrite: 0, failLate: lateAfter}; err != nil && n != sizes[call] {
				t.Errorf("WriteVAt of %s = %d, want %d", filepath.Base(name), n, sizes[call])
			}
			want("Datasync", call == failSync, f.Datasync())
			w, err := file.NewWriter(f, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.Write(all)
			want("a stream's Flush", call == failWrite || call == failLate, errors.Join(err, w.Flush()))
			w.Close()
			want("Close", call == failClose, f.Close())
		})
	})
}
