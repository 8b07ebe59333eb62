//go:build linux

package logstore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const benchCallers = 32

// run has callers do n things altogether, and reports things and processor time.
func run(b *testing.B, do func(i int64) error) {
	b.Helper()
	var next atomic.Int64
	var ends sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	cpu, begin := used(b), time.Now()
	for range benchCallers {
		ends.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	ends.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "records/s")
	b.ReportMetric(float64((used(b)-cpu).Nanoseconds())/1e3/float64(b.N), "cpu-µs/record")
}

// used is the process's processor time.
func used(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// 32 goroutines append: to the store over package file, over package os as it is used most, and over package os with
// O_DIRECT; and each by itself to one file, with an fdatasync of its own.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{128, 4096} {
		value := make([]byte, size)
		stores := []struct {
			name string
			open func(dir string) (*Store, error)
		}{
			{"file", func(dir string) (*Store, error) { return Open(dir, nil) }},
			{"os", func(dir string) (*Store, error) { return OpenFS(cachedFolder{osFolder(dir)}, nil) }},
			{"os-direct", func(dir string) (*Store, error) { return OpenFS(osFolder(dir), nil) }},
		}
		for _, c := range stores {
			b.Run(fmt.Sprintf("size=%d/store=%s", size, c.name), func(b *testing.B) {
				s, err := c.open(b.TempDir())
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				keys := make([]string, 1024)
				for i := range keys {
					keys[i] = fmt.Sprintf("key %d", i)
				}
				run(b, func(i int64) error {
					_, err := s.Append(context.Background(), keys[i%int64(len(keys))], value)
					return err
				})
			})
		}
		b.Run(fmt.Sprintf("size=%d/naive", size), func(b *testing.B) {
			f, err := os.OpenFile(filepath.Join(b.TempDir(), "log"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
			if err != nil {
				b.Fatal(err)
			}
			naive := osFile{f}
			defer naive.Close()
			run(b, func(int64) error {
				if _, err := naive.Write(value); err != nil {
					return err
				}
				return naive.Datasync()
			})
		})
	}
}
