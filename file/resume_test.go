package file_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"ringo"
	"ringo/file"
)

// goOn has f called again and again, for longer and shorter moments that grow, until it says that it is done. What ends
// it in between is the timeout alone.
func goOn(t *testing.T, l *ringo.Loop, f func() (done bool, err error)) {
	t.Helper()
	for i := 0; ; i++ {
		done := false
		err := l.WithTimeout(time.Duration(i%64*(i/16+4))*time.Microsecond, func() (err error) {
			done, err = f()
			return err
		})
		switch {
		case done:
			return
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			t.Fatal(err)
		}
	}
}

// A task whose Copy was ended by a timeout goes on by another, and nothing is missing: what was read is written, or is
// there to be read.
func TestCopyGoesOn(t *testing.T) {
	want := bytesOf(1<<20 + 77)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			dir := tempDir(t)
			from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
			if err := writeFile(from, want, 0o600); err != nil {
				t.Fatal(err)
			}
			open := func(name string, flag int) *file.File {
				f, err := file.OpenFile(name, flag, 0o600)
				if err != nil {
					t.Fatal(err)
				}
				return f
			}
			pipe := func() (r, w *file.File) {
				r, w, err := file.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				return r, w
			}
			moved := func(what string, dst, src *file.File) {
				sum := int64(0)
				goOn(t, l, func() (bool, error) {
					n, err := file.Copy(dst, src)
					sum += n
					return err == nil, err
				})
				if sum != int64(len(want)) {
					t.Errorf("%s: %d bytes of %d were copied", what, sum, len(want))
				}
				dst.Close()
				src.Close()
			}
			holds := func(what string) {
				if got, err := readFile(to); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: the copy has %d bytes of %d, and differs, %v", what, len(got), len(want), err)
				}
			}
			// The kernel copies to no file that is open to append.
			moved("to append", open(to, os.O_WRONLY|os.O_CREATE|os.O_APPEND), open(from, os.O_RDONLY))
			holds("to append")

			r, w := pipe()
			wrote := l.Go(func() {
				w.Write(want)
				w.Close()
			})
			moved("from a pipe", open(to, os.O_WRONLY|os.O_TRUNC), r)
			wrote.Wait()
			holds("from a pipe")

			r, w = pipe()
			var got []byte
			read := l.Go(func() { got, _ = io.ReadAll(r) })
			moved("to a pipe", w, open(from, os.O_RDONLY))
			read.Wait()
			r.Close()
			if !bytes.Equal(got, want) {
				t.Errorf("to a pipe: the copy has %d bytes of %d, and differs", len(got), len(want))
			}
		})
	})
}

// A task whose Readdir was ended by a timeout goes on by another, and no entry is missing.
func TestReaddirGoesOn(t *testing.T) {
	const files = 300
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			dir := tempDir(t)
			for i := range files {
				if err := writeFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f, err := file.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			seen := map[string]int{}
			goOn(t, l, func() (bool, error) {
				infos, err := f.Readdir(16)
				for _, info := range infos {
					seen[info.Name()]++
				}
				return errors.Is(err, io.EOF), err
			})
			for i := range files {
				if n := seen[strconv.Itoa(i)]; n != 1 {
					t.Errorf("file %d was given %d times", i, n)
				}
			}
		})
	})
}
