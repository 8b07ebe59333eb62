package file_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/race"
	"ringo/internal/test/testmain"
)

// tree is calls on names, of package os or of this one, all in one directory.
type tree struct {
	mkdir     func(name string, perm fs.FileMode) error
	mkdirAll  func(name string, perm fs.FileMode) error
	remove    func(name string) error
	removeAll func(name string) error
	rename    func(a, b string) error
	link      func(a, b string) error
	symlink   func(a, b string) error
	readLink  func(name string) (string, error)
	stat      func(name string) (fs.FileInfo, error)
	lstat     func(name string) (fs.FileInfo, error)
	chmod     func(name string, mode fs.FileMode) error
	chtimes   func(name string, a, m time.Time) error
	truncate  func(name string, n int64) error // nil: there is none
	readDir   func(name string) ([]fs.DirEntry, error)
	readFile  func(name string) ([]byte, error)
	writeFile func(name string, data []byte, perm fs.FileMode) error
}

// at is calls on names that start from dir as a part of the path.
func at(dir string, t tree) tree {
	p := func(name string) string {
		if name == "" {
			return ""
		}
		return dir + "/" + name
	}
	one := func(f func(string) error) func(string) error { return func(n string) error { return f(p(n)) } }
	perm := func(f func(string, fs.FileMode) error) func(string, fs.FileMode) error {
		return func(n string, m fs.FileMode) error { return f(p(n), m) }
	}
	two := func(f func(a, b string) error) func(a, b string) error {
		return func(a, b string) error { return f(p(a), p(b)) }
	}
	return tree{
		mkdir: perm(t.mkdir), mkdirAll: perm(t.mkdirAll), remove: one(t.remove), removeAll: one(t.removeAll),
		rename: two(t.rename), link: two(t.link),
		symlink:   func(a, b string) error { return t.symlink(a, p(b)) },
		readLink:  func(n string) (string, error) { return t.readLink(p(n)) },
		stat:      func(n string) (fs.FileInfo, error) { return t.stat(p(n)) },
		lstat:     func(n string) (fs.FileInfo, error) { return t.lstat(p(n)) },
		chmod:     perm(t.chmod),
		chtimes:   func(n string, a, m time.Time) error { return t.chtimes(p(n), a, m) },
		truncate:  func(n string, size int64) error { return t.truncate(p(n), size) },
		readDir:   func(n string) ([]fs.DirEntry, error) { return t.readDir(p(n)) },
		readFile:  func(n string) ([]byte, error) { return t.readFile(p(n)) },
		writeFile: func(n string, data []byte, m fs.FileMode) error { return t.writeFile(p(n), data, m) },
	}
}

var (
	osTree = tree{os.Mkdir, os.MkdirAll, os.Remove, os.RemoveAll, os.Rename, os.Link, os.Symlink, os.Readlink,
		os.Stat, os.Lstat, os.Chmod, os.Chtimes, os.Truncate, os.ReadDir, os.ReadFile, os.WriteFile}
	ourTree = tree{file.Mkdir, file.MkdirAll, file.Remove, file.RemoveAll, file.Rename, file.Link,
		file.Symlink, file.ReadLink, file.Stat, file.Lstat, file.Chmod, file.Chtimes, file.Truncate, file.ReadDir,
		file.ReadFile, file.WriteFile}
)

// step is one call with its arguments, the same for all trees.
type nameStep struct {
	what string
	run  func(t tree) (string, error)
}

// nameParts are what names are made of; the first nameWell are ordinary. None leads
// upwards or starts at the root: what a program removes is its own.
var nameParts = []string{"a", "b", "c", "d", "a", "b", "c", ".", "link", "loop", strings.Repeat("l", 260), "n\x00ul"}

const nameWell = 7

func randomName(r *rand.Rand) string {
	parts := make([]string, 1+r.IntN(3))
	for i := range parts {
		k := len(nameParts)
		if r.IntN(3) > 0 {
			k = nameWell
		}
		parts[i] = nameParts[r.IntN(k)]
	}
	name := strings.Join(parts, "/")
	switch r.IntN(16) {
	case 0:
		name += "/"
	case 1:
		name = strings.Replace(name, "/", "//", 1)
	case 2:
		name = ""
	}
	return name
}

// describe is what an info says that two trees have in common.
func describe(i fs.FileInfo, err error) (string, error) {
	if err != nil {
		return "", err
	}
	size := i.Size()
	if i.IsDir() {
		size = 0 // the file system's affair
	}
	return fmt.Sprint(i.Name(), i.Mode(), size, i.IsDir()), nil
}

func randomStep(r *rand.Rand) nameStep {
	a, b := randomName(r), randomName(r)
	look := a
	if r.IntN(4) == 0 {
		look += "/.." // only to look at
	}
	switch k := r.IntN(19); k {
	case 0, 1:
		mode := fs.FileMode(0o700 + r.IntN(64))
		return nameStep{fmt.Sprintf("Mkdir(%q, %o)", a, mode), func(t tree) (string, error) {
			return "", t.mkdir(a, mode)
		}}
	case 2, 3:
		return nameStep{fmt.Sprintf("MkdirAll(%q)", a), func(t tree) (string, error) {
			return "", t.mkdirAll(a, 0o750)
		}}
	case 4:
		return nameStep{fmt.Sprintf("Remove(%q)", a), func(t tree) (string, error) { return "", t.remove(a) }}
	case 5:
		return nameStep{fmt.Sprintf("RemoveAll(%q)", a), func(t tree) (string, error) { return "", t.removeAll(a) }}
	case 6, 7:
		return nameStep{fmt.Sprintf("Rename(%q, %q)", a, b), func(t tree) (string, error) { return "", t.rename(a, b) }}
	case 8:
		return nameStep{fmt.Sprintf("Link(%q, %q)", a, b), func(t tree) (string, error) { return "", t.link(a, b) }}
	case 9, 10:
		return nameStep{fmt.Sprintf("Symlink(%q, %q)", a, b), func(t tree) (string, error) {
			return "", t.symlink(a, b)
		}}
	case 11:
		return nameStep{fmt.Sprintf("ReadLink(%q)", look), func(t tree) (string, error) { return t.readLink(look) }}
	case 12:
		return nameStep{fmt.Sprintf("Stat(%q)", look), func(t tree) (string, error) { return describe(t.stat(look)) }}
	case 13:
		return nameStep{fmt.Sprintf("Lstat(%q)", look), func(t tree) (string, error) { return describe(t.lstat(look)) }}
	case 14:
		mode := fs.FileMode(0o700 + r.IntN(64))
		return nameStep{fmt.Sprintf("Chmod(%q, %o)", a, mode), func(t tree) (string, error) {
			return "", t.chmod(a, mode)
		}}
	case 15:
		when := time.Unix(int64(r.IntN(1e9)), int64(r.IntN(1e9)))
		return nameStep{fmt.Sprintf("Chtimes(%q, %v)", a, when), func(t tree) (string, error) {
			return "", t.chtimes(a, time.Time{}, when)
		}}
	case 16:
		return nameStep{fmt.Sprintf("ReadDir(%q)", look), func(t tree) (string, error) {
			entries, err := t.readDir(look)
			return fmt.Sprint(entries), err
		}}
	case 17:
		return nameStep{fmt.Sprintf("ReadFile(%q)", look), func(t tree) (string, error) {
			data, err := t.readFile(look)
			return string(data), err
		}}
	default:
		data := []byte(strings.Repeat("x", r.IntN(100)))
		return nameStep{fmt.Sprintf("WriteFile(%q, %d bytes)", a, len(data)), func(t tree) (string, error) {
			return "", t.writeFile(a, data, 0o640)
		}}
	}
}

// inventory is all that is in a directory, for comparison.
func inventory(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		to, _ := os.Readlink(path)
		var data []byte
		if info.Mode().IsRegular() {
			data, err = readFile(path)
		}
		fmt.Fprintf(&b, "%s %v %q %q\n", strings.TrimPrefix(path, dir), info.Mode(),
			strings.ReplaceAll(to, dir, "TREE"), data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// text is an error as its tree's owner sees it.
func text(err error, dir string) string {
	if err == nil {
		return "nil"
	}
	return fmt.Sprintf("%T %s", err, strings.ReplaceAll(err.Error(), dir, "TREE"))
}

// The same calls have the same results, the same errors to the letter, and leave the
// same behind, as package os's, on random programs.
func TestNamesLikeOS(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *ringo.Loop, dir string) {
		seed := seedOf(t)
		runPrograms(t, dir, seed, scaled(8))
	})
}

// scaled makes long loops shorter where each round takes longer, and without -long.
func scaled(rounds int) int {
	switch {
	case race.Enabled:
		return rounds / 4
	case !testmain.Long():
		return rounds / 2
	}
	return rounds
}

func runPrograms(t *testing.T, dir string, seed uint64, programs int) {
	t.Helper()
	for p := range programs {
		r := rand.New(rand.NewPCG(seed, uint64(p)))
		root, err := os.MkdirTemp(dir, "program")
		if err != nil {
			t.Fatal(err)
		}
		a, b := root+"/A", root+"/B" // of the same length, for the limits of names
		for _, tree := range []string{a, b} {
			if err := errors.Join(makeDir(tree, 0o700), symlink("a/b", tree+"/link"),
				symlink("loop", tree+"/loop")); err != nil {
				t.Fatal(err)
			}
		}
		theirs, ours := at(a, osTree), at(b, ourTree)
		var done []string
		for range 60 {
			s := randomStep(r)
			done = append(done, s.what)
			want, wantErr := s.run(theirs)
			got, gotErr := s.run(ours)
			if strings.ReplaceAll(got, b, "TREE") != strings.ReplaceAll(want, a, "TREE") ||
				text(gotErr, b) != text(wantErr, a) {
				t.Fatalf("program %d: %s\n gave %q, %s\n want %q, %s\n after %s", p, s.what, got, text(gotErr, b), want,
					text(wantErr, a), strings.Join(done, "\n  "))
			}
		}
		if got, want := inventory(t, b), inventory(t, a); got != want {
			t.Fatalf("program %d left\n%s\nwant\n%s\nafter %s", p, got, want, strings.Join(done, "\n  "))
		}
		os.RemoveAll(root)
	}
}
