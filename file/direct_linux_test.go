//go:build linux

package file_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/file"
)

// openDirect opens a file past the page cache, or skips where there is no such thing.
func openDirect(t *testing.T, name string) *file.File {
	t.Helper()
	f, err := file.OpenFile(name, os.O_RDWR|file.Direct, 0)
	if errors.Is(err, unix.EINVAL) {
		t.Skipf("no O_DIRECT: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDirect(t *testing.T) {
	const block = 4096
	everywhere(t, func(t *testing.T, _ *ringo.Loop, dir string) {
		f := openDirect(t, filled(t, dir, 10*block))
		defer f.Close()
		mem, off := f.DirectAlign()
		if mem <= 0 || off <= 0 || block%mem != 0 || block%off != 0 {
			t.Fatalf("DirectAlign = %d, %d", mem, off)
		}
		p := buf.Aligned(3*block, max(mem, off))
		if n, err := f.ReadAt(p, 2*block); n != len(p) || err != nil ||
			!bytes.Equal(p, bytesOf(10 * block)[2*block:][:n]) {
			t.Errorf("ReadAt = %d, %v", n, err)
		}
		if n, err := f.ReadAt(p, 8*block); n != 2*block || err != io.EOF {
			t.Errorf("ReadAt over the end = %d, %v", n, err)
		}
		if n, err := f.WriteAt(p, 20*block); n != len(p) || err != nil {
			t.Errorf("WriteAt = %d, %v", n, err)
		}
		q := buf.Aligned(3*block, max(mem, off))
		if n, err := f.ReadVAt([][]byte{q[:block], q[block:]}, 20*block); n != len(p) ||
			err != nil || !bytes.Equal(p, q) {
			t.Errorf("ReadVAt = %d, %v", n, err)
		}
		if n, err := f.Seek(block, io.SeekStart); n != block || err != nil {
			t.Error(n, err)
		}
		if n, err := f.Read(q[:block]); n != block || err != nil || !bytes.Equal(q[:n], bytesOf(2 * block)[block:]) {
			t.Errorf("Read = %d, %v", n, err)
		}
	})
}

// What the disk refuses is explained.
func TestDirectMisaligned(t *testing.T) {
	needDisk(t, tempDir(t))
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		f := openDirect(t, filled(t, tempDir(t), 10_000))
		defer f.Close()
		mem, off := f.DirectAlign()
		for what, call := range map[string]func(p []byte) (int, error){
			"offset": func(p []byte) (int, error) { return f.ReadAt(p[:4096], 1) },
			"length": func(p []byte) (int, error) { return f.ReadAt(p[:4095], 0) },
			"memory": func(p []byte) (int, error) { return f.WriteAt(p[1:4097], 0) },
		} {
			_, err := call(buf.Aligned(8192, 4096))
			if err == nil && what == "memory" && mem < 4 {
				continue
			}
			var align *file.AlignError
			if !errors.Is(err, unix.EINVAL) || !errors.As(err, &align) || align.Mem != mem || align.Off != off ||
				!strings.Contains(err.Error(), "multiple") {
				t.Errorf("%s: %v, want an AlignError of %d, %d", what, err, mem, off)
			}
		}
	})
}
