//go:build linux

package file_test

import (
	"context"
	"os"
	"testing"

	"ringo"
	"ringo/file"
)

// benchCallers runs f as a goroutine and as a task of each driver; os is package os's way
// to the same.
func benchCallers(b *testing.B, theirs, ours func()) {
	b.Run("os", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			theirs()
		}
	})
	b.Run("goroutine", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ours()
		}
	})
	for _, driver := range []string{"uring", "epoll"} {
		b.Run("task="+driver, func(b *testing.B) {
			if err := available(driver); err != nil {
				b.Skip(err)
			}
			b.ReportAllocs()
			err := ringo.Run(context.Background(), &ringo.Config{Driver: driver, Loops: 1}, func(*ringo.Loop) error {
				for b.Loop() {
					ours()
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkNames is calls on names that are in memory, beside package os's.
func BenchmarkNames(b *testing.B) {
	dir := b.TempDir()
	name := dir + "/file"
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		b.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	d, err := file.OpenDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	b.Run("stat", func(b *testing.B) {
		benchCallers(b, func() { os.Stat(name) }, func() { file.Stat(name) })
	})
	b.Run("stat in a Dir", func(b *testing.B) {
		benchCallers(b, func() { root.Stat("file") }, func() { d.Stat("file") })
	})
	b.Run("open and close in a Dir", func(b *testing.B) {
		benchCallers(b, func() {
			if f, err := root.Open("file"); err == nil {
				f.Close()
			}
		}, func() {
			if f, err := d.Open("file"); err == nil {
				f.Close()
			}
		})
	})
	b.Run("mkdir and remove", func(b *testing.B) {
		benchCallers(b, func() {
			os.Mkdir(dir+"/d", 0o700)
			os.Remove(dir + "/d")
		}, func() { file.Mkdir(dir+"/d", 0o700); file.Remove(dir + "/d") })
	})
}
