//go:build linux

package file_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
)

// On overlayfs a task's read of what is in memory does not leave the loop's thread, and
// one of what is not does.
func TestOverlaid(t *testing.T) {
	needDisk(t, tempDir(t))
	dir, err := overlay(t)
	if err != nil {
		t.Skipf("no overlayfs: %v", err)
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			page := os.Getpagesize()
			name, want := filepath.Join(dir, "file"), bytesOf(8*page)
			if err := writeFile(name, want, 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := file.OpenFile(name, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			p := buf.Aligned(8*page, page)
			if n, err := f.ReadAt(p, 0); n != len(p) || err != nil { // now its sort is known
				t.Fatalf("ReadAt = %d, %v", n, err)
			}
			calls := []struct {
				name string
				call func() (int, error)
				want []byte
				err  error
			}{
				{"ReadAt", func() (int, error) { return f.ReadAt(p[:100], 5) }, want[5:105], nil},
				{"ReadAt of all", func() (int, error) { return f.ReadAt(p, 0) }, want, nil},
				{"ReadAt over the end", func() (int, error) {
					return f.ReadAt(p[:page], int64(8*page-10))
				}, want[8*page-10:], io.EOF},
				{"ReadVAt", func() (int, error) {
					return f.ReadVAt([][]byte{p[:10], p[10:5000]}, 3)
				}, want[3:5003], nil},
				{"Read", func() (int, error) { f.Seek(0, io.SeekStart); return f.Read(p[:5000]) }, want[:5000], nil},
				{"Read on", func() (int, error) { return f.Read(p[:page]) }, want[5000 : 5000+page], nil},
			}
			parks := func(call func() (int, error), want []byte, wantErr error) int {
				t.Helper()
				clear(p)
				before := l.Stats()
				n, err := call()
				after := l.Stats()
				if n != len(want) || err != wantErr || string(p[:n]) != string(want) {
					t.Errorf("%d bytes, %v, want %d, %v; or they are others", n, err, len(want), wantErr)
				}
				return int(after.Parks - before.Parks - (after.Yields - before.Yields))
			}
			for _, c := range calls {
				most := 0
				if c.err != nil {
					most = 1 // of what is behind the end nothing is known
				}
				if n := parks(c.call, c.want, c.err); n > most {
					t.Errorf("%s: %d parks, with all in memory", c.name, n)
				}
			}
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
			if err := f.Advise(file.AdviceDontNeed, 0, 0); err != nil {
				t.Fatal(err)
			}
			if n := parks(calls[1].call, calls[1].want, nil); n == 0 {
				t.Error("ReadAt of what was dropped did not park")
			}
			for range 3 { // so that all of it is known to be there
				if n := parks(calls[0].call, calls[0].want, nil); n != 0 {
					t.Errorf("ReadAt: %d parks, with all in memory", n)
				}
			}
			if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
				t.Fatal(err)
			}
			parks(calls[0].call, calls[0].want, nil) // may find that out, or wait for the disk
			if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
				t.Fatal(err)
			}
			l.Sleep(2 * time.Millisecond) // for which nothing that was known holds
			if n := parks(calls[1].call, calls[1].want, nil); n == 0 {
				t.Error("ReadAt of what somebody else has dropped did not park")
			}
			if n := alloctest.Least(20, 0.1, func() { f.ReadAt(p[:page], 0) }); n > 0.1 && !race.Enabled {
				t.Errorf("ReadAt allocates %v times", n)
			}
		})
	})
}

// What a cancelled task could not find out about a file is found out by the next.
func TestOverlaidAfterCancel(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		dir, err := overlay(t) // which nobody knows yet
		if err != nil {
			t.Skipf("no overlayfs: %v", err)
		}
		onLoop(t, cfg, func(l *ringo.Loop) {
			f, err := file.OpenFile(filled(t, dir, 4096), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			p := make([]byte, 4096)
			var cancelled *ringo.Task
			cancelled = l.Go(func() {
				cancelled.Cancel()
				if _, err := f.ReadAt(p, 0); !errors.Is(err, context.Canceled) {
					t.Errorf("ReadAt = %v, want context.Canceled", err)
				}
			})
			cancelled.Wait()
			for i := range 2 {
				before := l.Stats()
				if n, err := f.ReadAt(p, 0); n != len(p) || err != nil {
					t.Errorf("ReadAt = %d, %v", n, err)
				}
				after := l.Stats()
				if n := after.Parks - before.Parks - (after.Yields - before.Yields); i > 0 && n != 0 {
					t.Errorf("%d parks for what is in memory", n)
				}
			}
		})
	})
}

// A file that has grown, shrunk and gone on is read as it is.
func TestOverlaidGrows(t *testing.T) {
	dir, err := overlay(t)
	if err != nil {
		t.Skipf("no overlayfs: %v", err)
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			f, err := file.Create(filepath.Join(dir, "file"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for _, size := range []int64{0, 1, 5000, 1 << 20, 12 << 20, 12<<20 + 1, 40 << 20, 100, 9 << 20} {
				if err := f.Truncate(size); err != nil {
					t.Fatal(err)
				}
				if size > 0 {
					f.WriteAt([]byte("z"), size-1)
				}
				p := make([]byte, 10)
				for range 3 {
					n, err := f.ReadAt(p, max(0, size-5))
					if want := int(min(size, 5)); n != want || err != io.EOF || n > 0 && p[n-1] != 'z' {
						t.Errorf("of %d bytes the last are %q, %v, want %d", size, p[:n], err, want)
					}
				}
			}
		})
	})
}
