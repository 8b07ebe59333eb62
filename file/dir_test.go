package file_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/file"
)

// lookups runs f with names looked up by openat2, where that is to be had, and by walks.
func lookups(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Run("openat2", func(t *testing.T) {
		if why := file.Openat2(); why != nil {
			t.Skipf("openat2: %v", why)
		}
		f(t)
	})
	t.Run("walk", func(t *testing.T) {
		defer file.ForceWalks(file.ForceWalks(true))
		f(t)
	})
}

// inDir runs f on a new directory of each caller, with either way to look names up.
// Beside it is a file "secret" that nothing in it may lead to.
func inDir(t *testing.T, f func(t *testing.T, dir string, d *file.Dir)) {
	t.Helper()
	lookups(t, func(t *testing.T) {
		eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
			base := tempDir(t)
			dir := filepath.Join(base, "dir")
			if err := errors.Join(makeDir(dir, 0o700),
				writeFile(filepath.Join(base, "secret"), []byte("secret"), 0o600)); err != nil {
				t.Fatal(err)
			}
			d, err := file.OpenDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			f(t, dir, d)
			if err := d.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if got, err := readFile(filepath.Join(base, "secret")); string(got) != "secret" || err != nil {
				t.Errorf("the file beside the directory holds %q, %v", got, err)
			}
			entries, _ := readDir(base)
			if len(entries) != 2 {
				t.Errorf("beside the directory are %v", entries)
			}
		})
	})
}

// escapes are names that lead out of the directory that hostile makes, or to no file.
var escapes = []string{"..", "../", "../secret", "../dir/fine", "/", "/etc/passwd", "//etc/passwd", "a/../..",
	"a/../../secret", "a/../../dir/fine", "up", "up/", "up/secret", "up/../up/secret", "absolute", "absolute/",
	"absolute/passwd", "passwd", "a/up2", "a/up2/secret", "chain", "chain/secret", "secret-link", "a/secret-link2",
	"self", "self/root/etc", "a/b/../../../secret", "./../secret", "dangling-out"}

// hostile fills a directory with links that lead out of it, and some that don't.
func hostile(t *testing.T, dir string) {
	t.Helper()
	err := errors.Join(makeDirs(dir+"/a/b", 0o700), writeFile(dir+"/fine", []byte("fine"), 0o600),
		writeFile(dir+"/a/b/deep", []byte("deep"), 0o600))
	for name, to := range map[string]string{"up": "..", "absolute": "/etc", "passwd": "/etc/passwd", "a/up2": "../..",
		"chain": "chain2", "chain2": "up", "secret-link": "../secret", "a/secret-link2": "b/../../../secret",
		"self": "/proc/self", "dangling-out": "../made", "loop": "loop",
		"in": "a/b", "a/in-up": "../a/b/deep", "fine-link": "fine", "dangling": "not-yet"} {
		err = errors.Join(err, symlink(to, dir+"/"+name))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// refusal is what a name that leads out may give: that it does, or what comes before.
func refusal(err error) bool {
	return err != nil && !errors.Is(err, fs.ErrClosed) &&
		(errors.Is(err, file.ErrEscapes) || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) ||
			strings.Contains(err.Error(), "invalid") || strings.Contains(err.Error(), "busy") ||
			strings.Contains(err.Error(), "directory") || strings.Contains(err.Error(), "symbolic links") ||
			strings.Contains(err.Error(), "device"))
}

// Nothing that a Dir is asked leads out of it.
func TestDirNoWayOut(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Dir) {
		hostile(t, dir)
		before := inventory(t, dir)
		for _, name := range escapes {
			tail := filepath.Base(name)
			link := !strings.HasSuffix(name, "/") && name != ".." && !strings.Contains(name, "../") && tail != ".." &&
				!strings.Contains(name, "/") || strings.HasPrefix(name, "a/up2") && name == "a/up2" ||
				name == "a/secret-link2"
			check := func(what string, err error) {
				t.Helper()
				if !refusal(err) {
					t.Errorf("%s(%q) = %v", what, name, err)
				}
			}
			f, err := d.Open(name)
			if err == nil {
				f.Close()
			}
			check("Open", err)
			if !errors.Is(err, file.ErrEscapes) && name != "self" && name != "self/root/etc" {
				t.Errorf("Open(%q) = %v, want ErrEscapes", name, err)
			}
			_, err = d.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
			check("OpenFile with O_CREATE", err)
			_, err = d.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
			check("OpenFile with O_TRUNC", err)
			_, err = d.Stat(name)
			check("Stat", err)
			_, err = d.ReadDir(name)
			check("ReadDir", err)
			_, err = d.ReadFile(name)
			check("ReadFile", err)
			_, err = d.OpenDir(name)
			check("OpenDir", err)
			check("Chmod", d.Chmod(name, 0o777))
			check("Access", d.Access(name, file.AccessExist))
			_, err = d.Statfs(name)
			check("Statfs", err)
			check("Chtimes", d.Chtimes(name, time.Unix(1, 0), time.Unix(1, 0)))
			check("WriteFile", d.WriteFile(name, []byte("x"), 0o600))
			if !link { // else it is about the link, which is inside
				check("Mkdir", d.Mkdir(name, 0o700))
				check("Symlink", d.Symlink("x", name))
				check("Rename from", d.Rename(name, "other"))
				check("Rename to", d.Rename("fine", name))
				check("Link to", d.Link("fine", name))
				check("Link from", d.Link(name, "other"))
				check("Remove", d.Remove(name))
				_, err = d.Lstat(name)
				check("Lstat", err)
				_, err = d.ReadLink(name)
				check("ReadLink", err)
			}
			check("MkdirAll", d.MkdirAll(name+"/x/y", 0o700))
		}
		if got := inventory(t, dir); got != before {
			t.Errorf("the directory was\n%s\nand is\n%s", before, got)
		}
	})
}

// What stays inside is found, by whatever detour.
func TestDirInside(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Dir) {
		hostile(t, dir)
		for name, want := range map[string]string{"fine": "fine", "./fine": "fine", "a/../fine": "fine",
			"a/b/deep": "deep", "in/deep": "deep", "a/in-up": "deep",
			"a/b/../b/deep": "deep", "in/../b/deep": "deep", "fine-link": "fine", "a//b///deep": "deep",
			"a/./b/./deep": "deep", "in/../../fine-link": "fine"} {
			if got, err := d.ReadFile(name); string(got) != want || err != nil {
				t.Errorf("ReadFile(%q) = %q, %v", name, got, err)
			}
		}
		for name, want := range map[string]error{"none": fs.ErrNotExist, "a/none/x": fs.ErrNotExist,
			"dangling": fs.ErrNotExist} {
			if _, err := d.Stat(name); !errors.Is(err, want) {
				t.Errorf("Stat(%q) = %v, want %v", name, err, want)
			}
		}
		for _, name := range []string{"fine/", "fine/x", "fine/..", "loop", "loop/x", "fine-link/", "n\x00ul",
			strings.Repeat("x", 300)} {
			if info, err := d.Stat(name); err == nil {
				t.Errorf("Stat(%q) = %v", name, info)
			}
		}
		if err := d.WriteFile("dangling", []byte("now"), 0o600); err != nil {
			t.Errorf("WriteFile of what a link will lead to: %v", err)
		}
		if got, err := readFile(dir + "/not-yet"); string(got) != "now" {
			t.Errorf("it made %q, %v", got, err)
		}
		for _, name := range []string{".", "a/..", "in/.."} {
			if info, err := d.Lstat(name); err != nil || !info.IsDir() {
				t.Errorf("Lstat(%q) = %v, %v", name, info, err)
			}
		}
	})
}

// A name whose directories are swapped for links meanwhile leads out at no moment.
func TestDirSwapped(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Dir) {
		err := errors.Join(makeDirs(dir+"/a/b", 0o700), writeFile(dir+"/a/b/secret", []byte("inside"), 0o600),
			symlink("../..", dir+"/a/link"), symlink("../../..", dir+"/far"))
		if err != nil {
			t.Fatal(err)
		}
		stop, stopped := make(chan bool), make(chan bool)
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				default:
				}
				os.Rename(dir+"/a/b", dir+"/a/kept")
				os.Rename(dir+"/a/link", dir+"/a/b")
				os.Rename(dir+"/a/b", dir+"/a/link")
				os.Rename(dir+"/a/kept", dir+"/a/b")
			}
		}()
		defer func() {
			close(stop)
			<-stopped
		}()
		found := 0
		for i := range scaled(300) {
			name := []string{"a/b/secret", "a/b/../b/secret", "a/../a/b/secret", "a/b/./secret"}[i%4]
			got, err := d.ReadFile(name)
			switch {
			case err == nil && string(got) != "inside":
				t.Fatalf("ReadFile(%q) = %q", name, got)
			case err == nil:
				found++
			case !refusal(err):
				t.Fatalf("ReadFile(%q): %v", name, err)
			}
			if err := d.WriteFile("a/b/new", nil, 0o600); err != nil && !refusal(err) {
				t.Fatalf("WriteFile: %v", err)
			}
			if err := d.Mkdir("a/b/dir", 0o700); err != nil && !refusal(err) {
				t.Fatalf("Mkdir: %v", err)
			}
			for _, name := range []string{"a/b/new", "a/b/dir"} {
				if err := d.Remove(name); err != nil && !refusal(err) {
					t.Fatalf("Remove: %v", err)
				}
			}
		}
		t.Logf("%d reads found the file", found)
	})
}

// Random programs have the same results by openat2, by walks and by os.Root, as far as
// they are no matter of errnos, and leave the same behind.
func TestDirLikeRoot(t *testing.T) {
	seed := seedOf(t)
	lookups(t, func(t *testing.T) {
		eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
			for p := range scaled(20) {
				likeRoot(t, rand.New(rand.NewPCG(seed, uint64(p))), p)
			}
		})
	})
}

// rootDiffers are steps of which os.Root makes something of its own, where a Dir leaves
// it to the kernel: what is changed by a name that ends in a slash or in dots. Its
// MkdirAll makes what a link leads to, which neither os.MkdirAll nor ours does; and a
// NUL it finds only when it gets there.
var rootDiffers = regexp.MustCompile(`^MkdirAll|x00|^(Mkdir|Remove|RemoveAll|Rename|Link|Symlink|WriteFile|ReadLink|` +
	`Lstat)\(.*(/|"\.|/\.)"`)

func likeRoot(t *testing.T, r *rand.Rand, p int) {
	t.Helper()
	base := tempDir(t)
	a, b := base+"/A", base+"/B"
	for _, dir := range []string{a, b} {
		if err := errors.Join(makeDir(dir, 0o700), symlink("a/b", dir+"/link"), symlink("../secret", dir+"/out"),
			symlink("a/..", dir+"/here"), symlink("a/../..", dir+"/up")); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(a)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	d, err := file.OpenDir(b)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	theirs := tree{mkdir: root.Mkdir, mkdirAll: root.MkdirAll, remove: root.Remove, removeAll: root.RemoveAll,
		rename: root.Rename, link: root.Link, symlink: root.Symlink, readLink: root.Readlink, stat: root.Stat,
		lstat: root.Lstat, chmod: root.Chmod, chtimes: root.Chtimes, readFile: root.ReadFile, writeFile: root.WriteFile,
		readDir: func(name string) ([]fs.DirEntry, error) {
			f, err := root.Open(name)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			entries, err := f.ReadDir(-1)
			return sorted(entries), err
		}}
	ours := tree{mkdir: d.Mkdir, mkdirAll: d.MkdirAll, remove: d.Remove, removeAll: d.RemoveAll, rename: d.Rename,
		link: d.Link, symlink: d.Symlink, readLink: d.ReadLink, stat: d.Stat, lstat: d.Lstat, chmod: d.Chmod,
		chtimes: d.Chtimes, readFile: d.ReadFile, writeFile: d.WriteFile, readDir: d.ReadDir}
	var done []string
	for range 60 {
		s := randomStep(r)
		if rootDiffers.MatchString(s.what) {
			continue
		}
		done = append(done, s.what)
		want, wantErr := s.run(theirs)
		got, gotErr := s.run(ours)
		if got != want || (gotErr == nil) != (wantErr == nil) {
			t.Fatalf("program %d: %s\n gave %q, %v\n want %q, %v\n after %s", p, s.what, got, gotErr, want, wantErr,
				strings.Join(done, "\n  "))
		}
	}
	if got, want := inventory(t, b), inventory(t, a); got != want {
		t.Fatalf("program %d left\n%s\nwant\n%s\nafter %s", p, got, want, strings.Join(done, "\n  "))
	}
}

func sorted(entries []fs.DirEntry) []fs.DirEntry {
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries
}
