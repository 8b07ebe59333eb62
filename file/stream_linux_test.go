//go:build linux

package file_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/file"
)

// Streams of real files, past the page cache and by way of it: from an odd offset, to an odd end.
func TestStreamFiles(t *testing.T) {
	want := pattern(1<<20 + 12345)
	dir := tempDir(t)
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		for _, flag := range []int{0, file.Direct} {
			name := filepath.Join(dir, fmt.Sprint("f", flag))
			f, err := file.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC|flag, 0o600)
			if err != nil {
				t.Fatalf("flag %#x: %v", flag, err)
			}
			cfg := &file.StreamConfig{Depth: 3, Size: 64 << 10}
			w := mustWriter(t, f, cfg)
			half := len(want) / 2
			if _, err := w.Write(want[:half]); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil || w.Written() != int64(half) {
				t.Fatalf("flag %#x: Flush: %v, written up to %d", flag, err, w.Written())
			}
			if got, err := readFile(name); err != nil || !bytes.Equal(got, want[:half]) {
				t.Fatalf("flag %#x: after Flush the file has %d bytes, %v, want %d", flag, len(got), err, half)
			}
			if n, err := io.Copy(w, bytes.NewReader(want[half:])); err != nil || n != int64(len(want)-half) {
				t.Fatalf("flag %#x: Copy: %d, %v", flag, n, err)
			}
			if err := w.Close(); err != nil {
				t.Fatalf("flag %#x: Close: %v", flag, err)
			}
			r := mustReaderAt(t, f, 4567, cfg)
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, want[4567:]) {
				t.Fatalf("flag %#x: read %d bytes, %v, want %d", flag, len(got), err, len(want)-4567)
			}
			r.Close()
			f.Close()
		}
	})
}

// BenchmarkStream reads a file of 64 MiB by a Reader, and by bufio over os.File with the same
// buffer.
func BenchmarkStream(b *testing.B) {
	const size, block = 64 << 20, 128 << 10
	name := filepath.Join(b.TempDir(), "f")
	if err := writeFile(name, pattern(size), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, direct := range []int{0, file.Direct} {
		for _, depth := range []int{0, 1, 4} {
			b.Run(fmt.Sprintf("direct=%v/depth=%d", direct != 0, depth), func(b *testing.B) {
				b.SetBytes(size)
				cpu := cpuTime(b)
				for b.Loop() {
					if n, err := readStream(name, direct, depth, block); err != nil || n != size {
						b.Fatal(n, err)
					}
				}
				b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/op")
			})
		}
	}
}

// readStream reads a file; depth 0 is bufio over os.
func readStream(name string, flag, depth, block int) (int64, error) {
	if depth == 0 {
		f, err := os.OpenFile(name, flag, 0)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		return io.Copy(struct{ io.Writer }{io.Discard}, bufio.NewReaderSize(struct{ io.Reader }{f}, block))
	}
	f, err := file.OpenFile(name, flag, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r, err := file.NewReader(f, &file.StreamConfig{Depth: depth, Size: block})
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return io.Copy(struct{ io.Writer }{io.Discard}, r)
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
