package file_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ringo"
	"ringo/file"
)

// Temporary files and directories have names as os gives them, and its errors.
func TestTempNames(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		dir := tempDir(t)
		for pattern, ends := range map[string][2]string{"": {"", ""}, "x": {"x", ""}, "a*b": {"a", "b"}, "*": {"", ""},
			"a*b*c": {"a*b", "c"}} {
			f, err := file.CreateTemp(dir, pattern)
			if err != nil {
				t.Fatal(err)
			}
			made, err := file.MkdirTemp(dir+"/", pattern)
			if err != nil {
				t.Fatal(err)
			}
			for name, mode := range map[string]fs.FileMode{f.Name(): 0o600, made: fs.ModeDir | 0o700} {
				base := filepath.Base(name)
				if info, err := statOf(name); err != nil || info.Mode() != mode || filepath.Dir(name) != dir ||
					!strings.HasPrefix(base, ends[0]) || !strings.HasSuffix(base, ends[1]) {
					t.Errorf("pattern %q made %s: %v, %v", pattern, name, info, err)
				}
			}
			f.Close()
		}
		for _, c := range [][2]string{{dir, "a/b"}, {dir + "/none", "x"}, {dir, "n\x00ul"}} {
			_, got := file.MkdirTemp(c[0], c[1])
			_, want := os.MkdirTemp(c[0], c[1])
			if kind(got) != kind(want) {
				t.Errorf("MkdirTemp(%q, %q): %v, want %v", c[0], c[1], got, want)
			}
			_, got = file.CreateTemp(c[0], c[1])
			_, want = os.CreateTemp(c[0], c[1])
			if kind(got) != kind(want) {
				t.Errorf("CreateTemp(%q, %q): %v, want %v", c[0], c[1], got, want)
			}
		}
	})
}

// kind is an error without the name, which nobody else gets, and an errno's number.
func kind(err error) string {
	var p *fs.PathError
	if !errors.As(err, &p) {
		return "no PathError"
	}
	return p.Op + " " + p.Err.Error() + " " + reflect.TypeOf(p.Err).String()
}

// Renames that replace nothing, that exchange, and from one Dir to another.
func TestRenames(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Dir) {
		err := errors.Join(writeFile(dir+"/a", []byte("a"), 0o600), writeFile(dir+"/b", []byte("b"), 0o600),
			makeDirs(dir+"/sub/x", 0o700), makeDir(dir+"/empty", 0o700))
		if err != nil {
			t.Fatal(err)
		}
		sub, err := d.OpenDir("sub")
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		if err := file.RenameWith(dir+"/a", dir+"/b", file.NoReplace); !errors.Is(err, fs.ErrExist) {
			t.Errorf("RenameWith NoReplace: %v", err)
		}
		if err := d.RenameTo("a", d, "b", file.NoReplace); !errors.Is(err, fs.ErrExist) {
			t.Errorf("RenameTo with NoReplace: %v", err)
		}
		if err := file.RenameWith(dir+"/a", dir+"/b", file.Exchange); err != nil {
			t.Errorf("RenameWith Exchange: %v", err)
		}
		if got, _ := readFile(dir + "/a"); string(got) != "b" {
			t.Errorf("after an exchange a holds %q", got)
		}
		if err := d.RenameTo("a", sub, "moved", file.NoReplace); err != nil {
			t.Errorf("RenameTo another Dir: %v", err)
		}
		if err := d.RenameTo("b", sub, "../b2", 0); !errors.Is(err, file.ErrEscapes) {
			t.Errorf("RenameTo out of the other Dir: %v", err)
		}
		if err := d.Rename("empty", "sub"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("Rename to a directory: %v", err)
		}
		if err := d.RenameTo("sub", d, "empty", 0); err != nil {
			t.Errorf("RenameTo an empty directory: %v", err)
		}
		if got, _ := sub.ReadFile("moved"); string(got) != "b" { // a Dir is the directory, whatever it is called
			t.Errorf("moved holds %q", got)
		}
		if got := names(t, dir); got != "b empty" {
			t.Errorf("left are %s", got)
		}
	})
}
