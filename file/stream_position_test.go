package file_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"ringo"
	"ringo/file"
)

// positioned is what a stream may be of that has a position.
type positioned interface {
	both
	io.ReaderAt
	io.WriterAt
}

// Streams begin where the file's position is, as all other words for reading and writing do, and what is written by one
// way goes behind what was by the other.
func TestStreamsBeginAtThePosition(t *testing.T) {
	everywhere(t, func(t *testing.T, l *ringo.Loop, dir string) {
		name := filepath.Join(dir, "log")
		opens := map[string]func(string, int, os.FileMode) (positioned, error){
			"file": func(name string, flag int, mode os.FileMode) (positioned, error) {
				return file.OpenFile(name, flag, mode)
			},
		}
		if l == nil { // in a task os would hold the loop, and in a world there is no os
			opens["os"] = func(name string, flag int, mode os.FileMode) (positioned, error) {
				return os.OpenFile(name, flag, mode)
			}
		}
		for of, open := range opens {
			if err := file.WriteFile(name, []byte("yesterday\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := open(name, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			wantAt := func(when string, want int64) {
				t.Helper()
				if at, err := f.Seek(0, io.SeekCurrent); at != want || err != nil {
					t.Errorf("%s: %s the position is %d, %v, want %d", of, when, at, err, want)
				}
			}
			if _, err := f.Seek(0, io.SeekEnd); err != nil {
				t.Fatal(err)
			}
			w := mustWriter(t, f, nil)
			io.WriteString(w, "today\n")
			wantAt("before a Flush", 10)
			if err := w.Flush(); err != nil {
				t.Error(err)
			}
			wantAt("after a Flush", 16)
			io.WriteString(w, "tomorrow\n")
			if err := w.Close(); err != nil || w.Written() != 25 {
				t.Errorf("%s: Close: %v, written up to %d", of, err, w.Written())
			}
			wantAt("after Close", 25)
			if _, err := f.Write([]byte("end\n")); err != nil {
				t.Error(err)
			}
			if _, err := f.Seek(10, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			r := mustReader(t, f, nil)
			if got, err := io.ReadAll(r); string(got) != "today\ntomorrow\nend\n" || err != nil {
				t.Errorf("%s: a Reader of a file at 10 reads %q, %v", of, got, err)
			}
			r.Close()
			wantAt("after a Reader", 10)

			w = mustWriterAt(t, f, 0, nil)
			io.WriteString(w, "Y")
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			r = mustReaderAt(t, f, 0, nil)
			if got, err := io.ReadAll(r); string(got) != "Yesterday\ntoday\ntomorrow\nend\n" || err != nil {
				t.Errorf("%s: in the end there is %q, %v", of, got, err)
			}
			r.Close()
			wantAt("after streams at an offset", 10)
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			if r, err := file.NewReader(f, nil); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s: NewReader of a closed file: %v, want fs.ErrClosed", of, err)
				r.Close()
			}
		}
	})
}

// A cancelled task may still write to the end what it has to, and the position is behind it.
func TestWriterPositionInACancelledTask(t *testing.T) {
	everywhere(t, func(t *testing.T, l *ringo.Loop, dir string) {
		if l == nil {
			return
		}
		name := filepath.Join(dir, "log")
		if err := file.WriteFile(name, []byte("kept, "), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := file.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Seek(0, io.SeekEnd); err != nil {
			t.Fatal(err)
		}
		var made, closed error
		task := l.Go(func() {
			var w *file.Writer
			if w, made = file.NewWriter(f, nil); made == nil {
				io.WriteString(w, "added")
				closed = w.Close()
			}
		})
		task.Cancel()
		task.Wait()
		at, err := f.Seek(0, io.SeekCurrent)
		got, read := file.ReadFile(name)
		if err := errors.Join(made, closed, err, read); err != nil || at != 11 || string(got) != "kept, added" {
			t.Errorf("the file has %q, the position is %d, %v", got, at, err)
		}
	})
}

// seekable is a store with a position.
type seekable struct {
	*store
	at int64
}

func (s *seekable) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		s.at = offset
	}
	return s.at, nil
}

// Where a write fails the position is behind the last byte before, as after a File's Write.
func TestWriterPositionBehindAFault(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		s := &seekable{store: &store{fail: 20}, at: 5}
		w := mustWriter(t, s, &file.StreamConfig{Depth: 2, Size: 10})
		w.Write(pattern(40))
		if err := w.Close(); !errors.Is(err, errFault) || w.Written() != 20 || s.at != 20 {
			t.Errorf("Close: %v, written up to %d, the position is %d", err, w.Written(), s.at)
		}
		if !bytes.Equal(s.b[5:20], pattern(15)) {
			t.Errorf("the file has %d", s.b)
		}
	})
}
