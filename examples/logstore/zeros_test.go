package logstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"ringo/file"
)

// buffered is a disk that knows no way past the page cache.
type buffered struct{ *disk }

func (d buffered) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	if flag&file.Direct != 0 {
		return nil, syscall.EINVAL
	}
	return d.disk.OpenFile(name, flag, perm)
}

// Past the page cache, batches replace zeros that were written before, and the file grows once in many batches. By way
// of it the file ends where the log does. In both cases Open finds the end.
func TestZeros(t *testing.T) {
	const batches, batch = 100, 16 * block
	for _, c := range []struct {
		name string
		fs   func(d *disk) FS
		most int // times that the file grows
	}{
		{"direct", func(d *disk) FS { return d }, batches/16 + 1},
		{"buffered", func(d *disk) FS { return buffered{d} }, batches},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDisk()
			s, err := OpenFS(c.fs(d), &Config{Batch: batch})
			if err != nil {
				t.Fatal(err)
			}
			grown, size := 0, len(d.names["log"].data)
			for i := range batches {
				if _, err := s.Append(t.Context(), fmt.Sprint(i), []byte("value")); err != nil {
					t.Fatal(err)
				}
				if now := len(d.names["log"].data); now != size {
					grown, size = grown+1, now
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			end := (1 + batches) * block
			if grown > c.most || size < end || size > end+batch || c.most == batches && size != end {
				t.Errorf("the file grew %d times to %d bytes, of a log of %d", grown, size, end)
			}
			if s, err = OpenFS(c.fs(d), nil); err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if n := len(d.names["log"].data); len(s.index) != batches || s.end != int64(end) || n != end {
				t.Errorf("%d records, the log ends at %d, the file at %d; want %d and %d", len(s.index),
					s.end, n, batches, end)
			}
		})
	}
}

// reaches is a file that keeps nothing but how far it was written.
type reaches struct {
	File
	end int64
}

func (r *reaches) WriteAt(p []byte, off int64) (int, error) {
	r.end = max(r.end, off+int64(len(p)))
	return len(p), nil
}

func (r *reaches) Datasync() error { return nil }

// The log takes as much as it may, and no zeros go beyond that.
func TestZerosEnd(t *testing.T) {
	s := open(t, newDisk(), nil)
	r := &reaches{File: s.out}
	s.out, s.end = r, logMax-2*block
	value := []byte(strings.Repeat("v", block/2))
	for i := range 3 {
		_, err := s.Append(context.Background(), fmt.Sprint(i), value)
		if full := i == 2; errors.Is(err, ErrLogFull) != full || !full && err != nil {
			t.Fatalf("block %d of the last two: %v", i, err)
		}
		if r.end != logMax {
			t.Errorf("block %d of the last two: the file ends at %d, want %d", i, r.end, logMax)
		}
	}
}

// A record that does not fit any more fails alone.
func TestLogFull(t *testing.T) {
	s := open(t, newDisk(), nil)
	if _, err := s.Append(t.Context(), "small", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	s.out, s.end = &reaches{File: s.out}, logMax-2*block
	if _, err := s.Append(t.Context(), "large", make([]byte, 2*block)); err != ErrLogFull {
		t.Errorf("Append of more than there is room: %v", err)
	}
	if v, err := s.Get("small"); string(v) != "kept" || err != nil {
		t.Errorf("Get: %q, %v", v, err)
	}
	if _, err := s.Append(t.Context(), "small", make([]byte, block)); err != nil {
		t.Errorf("Append of less than there is room: %v", err)
	}
}
