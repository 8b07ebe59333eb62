package file_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ringo"
	"ringo/file"
)

// fsCalls are the methods of an fs.FS of this package that take a name.
var fsCalls = map[string]func(s fs.FS, name string) error{
	"Open": func(s fs.FS, name string) error {
		f, err := s.Open(name)
		if err == nil {
			f.Close()
		}
		return err
	},
	"ReadDir":  func(s fs.FS, name string) error { _, err := fs.ReadDir(s, name); return err },
	"ReadFile": func(s fs.FS, name string) error { _, err := fs.ReadFile(s, name); return err },
	"Stat":     func(s fs.FS, name string) error { _, err := fs.Stat(s, name); return err },
	"Lstat":    func(s fs.FS, name string) error { _, err := fs.Lstat(s, name); return err },
	"ReadLink": func(s fs.FS, name string) error { _, err := fs.ReadLink(s, name); return err },
}

// fsOps tells which operation each method names in its error, by method and name. A path other than the name that the
// caller gave is told, too.
func fsOps(s fs.FS, paths bool) map[string]string {
	told := map[string]string{}
	for method, call := range fsCalls {
		for _, name := range []string{"missing", "missing/x", "dir", "dir/missing", "file", "file/x", "link", "../x",
			"/x", "", "."} {
			op := "no error"
			if err := call(s, name); err != nil {
				op = "no PathError"
				if p := (*fs.PathError)(nil); errors.As(err, &p) {
					if op = p.Op; paths && p.Path != name {
						op += " of " + p.Path
					}
				}
			}
			told[method+" of "+name] = op
		}
	}
	return told
}

// The errors of DirFS and Root.FS name the operations that package os names, and the names that the caller gave.
func TestFSLikeOS(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(dir+"/dir", 0o700), os.WriteFile(dir+"/file", nil, 0o600),
		os.Symlink("missing", dir+"/link")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	want := map[string]map[string]string{"DirFS": fsOps(os.DirFS(dir), false), "Root.FS": fsOps(root.FS(), false)}
	// Package os opens whatever has the name, and waits at a FIFO.
	want["Root.FS"]["ReadDir of file"] = "openat"
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		dir := tempDir(t)
		if err := errors.Join(makeDir(filepath.Join(dir, "dir"), 0o700),
			writeFile(filepath.Join(dir, "file"), nil, 0o600),
			symlink("missing", filepath.Join(dir, "link"))); err != nil {
			t.Fatal(err)
		}
		d, err := file.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		for of, s := range map[string]fs.FS{"DirFS": file.DirFS(dir), "Root.FS": d.FS()} {
			got := fsOps(s, true)
			for _, call := range slices.Sorted(maps.Keys(got)) {
				if got[call] != want[of][call] {
					t.Errorf("%s: %s: %s, os has %s", of, call, got[call], want[of][call])
				}
			}
		}
	})
}
