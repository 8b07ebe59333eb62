package file_test

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	"ringo/internal/test/socktest"
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
func inDir(t *testing.T, f func(t *testing.T, dir string, d *file.Root)) {
	t.Helper()
	lookups(t, func(t *testing.T) {
		eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
			base := tempDir(t)
			dir := filepath.Join(base, "dir")
			if err := errors.Join(makeDir(dir, 0o700),
				writeFile(filepath.Join(base, "secret"), []byte("secret"), 0o600)); err != nil {
				t.Fatal(err)
			}
			d, err := file.OpenRoot(dir)
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

// Nothing that a Root is asked leads out of it.
func TestDirNoWayOut(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Root) {
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
			_, err = d.OpenRoot(name)
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
				_, err = d.Readlink(name)
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
	inDir(t, func(t *testing.T, dir string, d *file.Root) {
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
	inDir(t, func(t *testing.T, dir string, d *file.Root) {
		err := errors.Join(makeDirs(dir+"/a/b", 0o700), writeFile(dir+"/a/b/secret", []byte("inside"), 0o600),
			symlink("../..", dir+"/a/link"), symlink("../../..", dir+"/far"))
		if err != nil {
			t.Fatal(err)
		}
		defer socktest.Meanwhile(func() {
			os.Rename(dir+"/a/b", dir+"/a/kept")
			os.Rename(dir+"/a/link", dir+"/a/b")
			os.Rename(dir+"/a/b", dir+"/a/link")
			os.Rename(dir+"/a/kept", dir+"/a/b")
		})()
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

// rootDiffers are steps of which os.Root makes something of its own, where a Root leaves
// it to the kernel: what is changed by a name that ends in a slash or in dots. Its
// MkdirAll makes what a link leads to, which neither os.MkdirAll nor ours does; and a
// NUL it finds only when it gets there.
var rootDiffers = regexp.MustCompile(`^MkdirAll|x00|^(Mkdir|Remove|RemoveAll|Rename|Symlink|WriteFile|ReadLink|` +
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
	d, err := file.OpenRoot(b)
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
		link: d.Link, symlink: d.Symlink, readLink: d.Readlink, stat: d.Stat, lstat: d.Lstat, chmod: d.Chmod,
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

// Modes and times of what a link in a Root leads to, inside.
func TestDirAttributes(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Root) {
		hostile(t, dir)
		when := time.Unix(1e9, 7000)
		for _, name := range []string{"a/in-up", "a/b", "fine"} {
			if err := d.Chmod(name, 0o740); err != nil {
				t.Errorf("Chmod(%s): %v", name, err)
			}
			if err := d.Chtimes(name, time.Time{}, when); err != nil {
				t.Errorf("Chtimes(%s): %v", name, err)
			}
			info, err := statOf(dir + "/" + name)
			if err != nil || info.Mode().Perm() != 0o740 || !info.ModTime().Equal(when) {
				t.Errorf("%s is %v, %v", name, info, err)
			}
			seen, err := d.Stat(name)
			if err != nil || seen.Mode() != info.Mode() || !seen.ModTime().Equal(when) || seen.Size() != info.Size() ||
				!file.SameFile(seen, info) {
				t.Errorf("Stat(%s) = %v, %v, want %v", name, seen, err, info)
			}
		}
	})
}

// The open of a FIFO in a Root waits for the other end, and holds nobody up: not its
// loop, nor files that are opened meanwhile; and a task that waits can be cancelled.
func TestDirFIFO(t *testing.T) {
	lookups(t, func(t *testing.T) {
		eachDriver(t, func(t *testing.T, cfg ringo.Config) {
			dir := tempDir(t)
			if err := errors.Join(file.Mkfifo(dir+"/fifo", 0o600), writeFile(dir+"/file", nil, 0o600)); err != nil {
				t.Fatal(err)
			}
			onLoop(t, cfg, func(l *ringo.Loop) {
				d, err := file.OpenRoot(dir)
				if err != nil {
					t.Error(err)
					return
				}
				var tasks []*ringo.Task
				errs := make([]error, 40)
				for i := range errs {
					tasks = append(tasks, l.Go(func() {
						f, err := d.Open("fifo")
						if errs[i] = err; err == nil {
							f.Close()
						}
					}))
				}
				l.Sleep(0)
				for range 20 {
					if err := d.WriteFile("new", []byte("content"), 0o600); err != nil {
						t.Error(err)
					}
				}
				for _, task := range tasks[:20] {
					task.Cancel()
					task.Wait()
				}
				for i, err := range errs[:20] {
					if !errors.Is(err, context.Canceled) {
						t.Errorf("cancelled open %d: %v", i, err)
					}
				}
				aWhile(l)
				if n := waiting(l, "open of a FIFO"); n != 20 {
					t.Errorf("%d opens wait, want 20: those that were cancelled let nobody through", n)
				}
				w, err := d.OpenFile("fifo", os.O_RDWR, 0) // which waits for nobody
				if err != nil {
					t.Error(err)
				}
				for i, task := range tasks[20:] {
					if task.Wait(); errs[20+i] != nil {
						t.Errorf("open %d: %v", 20+i, errs[20+i])
					}
				}
				w.Close()
				d.Close()
			})
		})
	})
}

// rooted is what a Root and an os.Root have in common, but for what gives a file.
type rooted interface {
	Mkdir(name string, perm fs.FileMode) error
	MkdirAll(name string, perm fs.FileMode) error
	Remove(name string) error
	RemoveAll(name string) error
	Rename(a, b string) error
	Link(a, b string) error
	Symlink(to, name string) error
	Readlink(name string) (string, error)
	Stat(name string) (fs.FileInfo, error)
	Lstat(name string) (fs.FileInfo, error)
	Chmod(name string, mode fs.FileMode) error
	Chown(name string, uid, gid int) error
	Lchown(name string, uid, gid int) error
	Chtimes(name string, a, m time.Time) error
	ReadFile(name string) ([]byte, error)
	WriteFile(name string, data []byte, perm fs.FileMode) error
}

// refusals are the errors of all calls on a name.
func refusals(r rooted, name string) (told []string) {
	_, stat := r.Stat(name)
	_, lstat := r.Lstat(name)
	_, read := r.ReadFile(name)
	for _, err := range []error{r.Mkdir(name, 0o700), r.Remove(name), r.RemoveAll(name),
		r.Rename(name, "x"), r.Rename("f", name), r.Link(name, "x"), r.Link("f", name), r.Symlink("f", name), stat,
		lstat, r.Chmod(name, 0o600), r.Chown(name, -1, -1), r.Lchown(name, -1, -1),
		r.Chtimes(name, time.Time{}, time.Unix(1, 0)), read, r.WriteFile(name, nil, 0o600)} {
		told = append(told, fmt.Sprint(err))
	}
	return told
}

// An empty name, and one that leads out, is refused in os.Root's words.
func TestDirWordsOfRoot(t *testing.T) {
	lookups(t, func(t *testing.T) {
		eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
			dir := tempDir(t)
			if err := writeFile(dir+"/f", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			root, err := os.OpenRoot(dir)
			d, err2 := file.OpenRoot(dir)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			defer root.Close()
			defer d.Close()
			for _, name := range []string{"", "../x", "/etc/passwd"} {
				want, got := refusals(root, name), refusals(d, name)
				for i := range want {
					if got[i] != want[i] {
						t.Errorf("%q, call %d: %s, os.Root has %s", name, i, got[i], want[i])
					}
				}
				_, got2 := d.Open(name)
				_, want2 := root.Open(name)
				if fmt.Sprint(got2) != fmt.Sprint(want2) {
					t.Errorf("Open(%q): %v, os.Root has %v", name, got2, want2)
				}
			}
		})
	})
}

// What Link is told of a name with a slash at its end is about what that leads to, as with os.Root: a link to a
// directory is no link then, and a directory has one name.
func TestDirLinkLikeRoot(t *testing.T) {
	lookups(t, func(t *testing.T) {
		eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
			base := tempDir(t)
			var dirs [2]string
			for i := range dirs {
				dirs[i] = fmt.Sprint(base, "/", i)
				hostileToLinks(t, dirs[i])
			}
			root, err := os.OpenRoot(dirs[0])
			d, err2 := file.OpenRoot(dirs[1])
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			defer root.Close()
			defer d.Close()
			for _, name := range []string{"toDir/", "toDir//", "dir/toDir/", "toFile/", "dangling/", "loop/", "out/",
				"file/", "dir/", "none/", "dir", "toDir/.", "dir/.", "toDir/..", "toDir", "toFile", "dangling",
				"file"} {
				for _, to := range []string{"there", "new of " + strings.ReplaceAll(name, "/", "_"), "none/new"} {
					want, got := root.Link(name, to), d.Link(name, to)
					if fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("Link(%q, %q): %v, os.Root has %v", name, to, got, want)
					}
				}
			}
			if got, want := inventory(t, dirs[1]), inventory(t, dirs[0]); got != want {
				t.Errorf("left is\n%s\nwant\n%s", got, want)
			}
		})
	})
}

func hostileToLinks(t *testing.T, dir string) {
	t.Helper()
	err := errors.Join(makeDirs(dir+"/dir", 0o700), writeFile(dir+"/file", []byte("file"), 0o600),
		writeFile(dir+"/there", nil, 0o600))
	for name, to := range map[string]string{"toDir": "dir", "dir/toDir": ".", "toFile": "file", "dangling": "none",
		"loop": "loop", "out": ".."} {
		err = errors.Join(err, symlink(to, dir+"/"+name))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Modes that are no rights are refused where os.Root refuses them, in its words, and taken where it takes them.
func TestDirModesOfRoot(t *testing.T) {
	lookups(t, func(t *testing.T) {
		eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
			base := tempDir(t)
			a, b := base+"/A", base+"/B"
			if err := errors.Join(makeDir(a, 0o700), makeDir(b, 0o700)); err != nil {
				t.Fatal(err)
			}
			root, err := os.OpenRoot(a)
			d, err2 := file.OpenRoot(b)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			for i, mode := range []fs.FileMode{0o700, 0o777, 0o640 | fs.ModeSetuid, 0o4640, 0o700 | fs.ModeSetgid,
				0o700 | fs.ModeSticky, 0o700 | fs.ModeDir, 0o1700, 0o644 | fs.ModeAppend} {
				want, got := modesTold(root, fmt.Sprint(i), mode), modesTold(d, fmt.Sprint(i), mode)
				theirs, err := root.OpenFile(fmt.Sprint("open", i), os.O_RDWR|os.O_CREATE, mode)
				want = append(want, fmt.Sprint(err))
				ours, err := d.OpenFile(fmt.Sprint("open", i), os.O_RDWR|os.O_CREATE, mode)
				got = append(got, fmt.Sprint(err))
				theirs.Close()
				ours.Close()
				_, err = root.OpenFile("none", os.O_RDONLY, mode)
				want = append(want, fmt.Sprint(err))
				_, err = d.OpenFile("none", os.O_RDONLY, mode)
				if got = append(got, fmt.Sprint(err)); !slices.Equal(got, want) {
					t.Errorf("with %o: %q, os.Root has %q", mode, got, want)
				}
			}
			if got, want := inventory(t, b), inventory(t, a); got != want {
				t.Errorf("left is\n%s\nwant\n%s", got, want)
			}
			root.Close()
			d.Close()
			want, got := modesTold(root, "x", fs.ModeSetuid), modesTold(d, "x", fs.ModeSetuid)
			if !slices.Equal(got, want) {
				t.Errorf("when it is closed: %q, os.Root has %q", got, want)
			}
		})
	})
}

// modesTold are the errors of all calls with a mode.
func modesTold(r rooted, name string, mode fs.FileMode) (told []string) {
	for _, err := range []error{r.Mkdir("dir"+name, mode), r.MkdirAll("all"+name, mode), r.MkdirAll(".", mode),
		r.WriteFile("file"+name, nil, mode), r.WriteFile("file"+name, nil, mode), r.WriteFile("fine"+name, nil, 0o600),
		r.Chmod("fine"+name, mode)} {
		told = append(told, fmt.Sprint(err))
	}
	return told
}

// What afero, billy and other layers above files ask of one, which *os.File has: no adapter is needed.
var _ interface {
	io.Closer
	io.Reader
	io.ReaderAt
	io.Seeker
	io.Writer
	io.WriterAt
	io.StringWriter
	io.ReaderFrom
	io.WriterTo
	fs.ReadDirFile
	Name() string
	Readdir(count int) ([]os.FileInfo, error)
	Readdirnames(n int) ([]string, error)
	Sync() error
	Truncate(size int64) error
	Fd() uintptr
	SetDeadline(t time.Time) error
	Chdir() error
} = (*file.File)(nil)

// directory is what os.File and File have for directories.
type directory interface {
	ReadDir(n int) ([]fs.DirEntry, error)
	Readdir(n int) ([]fs.FileInfo, error)
	Readdirnames(n int) ([]string, error)
	Seek(offset int64, whence int) (int64, error)
	io.Closer
}

// readingSteps asks in all ways, with steps between, and says what came.
func readingSteps(d directory) []string {
	var said []string
	say := func(n int, names []string, err error) {
		said = append(said, fmt.Sprintf("%d: %q %v %v", n, names, names == nil, err))
	}
	names := func(n int) {
		got, err := d.Readdirnames(n)
		say(n, got, err)
	}
	infos := func(n int) {
		infos, err := d.Readdir(n)
		got := []string{}
		for _, i := range infos {
			got = append(got, fs.FormatFileInfo(i))
		}
		say(n, got, err)
	}
	entries := func(n int) {
		entries, err := d.ReadDir(n)
		got := []string{}
		for _, e := range entries {
			i, err := e.Info()
			got = append(got, fmt.Sprint(fs.FormatDirEntry(e), i.Mode(), i.Size(), err))
		}
		say(n, got, err)
	}
	again := func() { d.Seek(0, io.SeekStart) }
	names(1)
	infos(2)
	entries(3)
	names(0)
	names(-1)
	names(1)
	infos(1)
	entries(1)
	again()
	names(2)
	again()
	entries(-1)
	entries(0)
	again()
	infos(100)
	infos(100)
	return said
}

func TestReadDirAsPackageOs(t *testing.T) {
	dir := tempDir(t)
	for i := range 20 {
		if err := writeFile(filepath.Join(dir, fmt.Sprint("file", i)), make([]byte, i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(makeDir(dir+"/dir", 0o700), symlink("nothing", dir+"/link")); err != nil {
		t.Fatal(err)
	}
	theirs, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	want := readingSteps(theirs)
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		confined, err := file.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer confined.Close()
		for what, open := range map[string]func() (directory, error){
			"Open":      func() (directory, error) { return file.Open(dir) },
			"Root.Open": func() (directory, error) { return confined.Open(".") },
			"Root.FS": func() (directory, error) {
				f, err := confined.FS().Open(".")
				return f.(directory), err
			},
			"Adopt of os.Open": func() (directory, error) {
				theirs, _ := os.Open(dir)
				ours, err := file.Adopt(theirs)
				if err != nil {
					theirs.Close()
				}
				return ours, err
			},
		} {
			ours, err := open()
			if errors.Is(err, errors.ErrUnsupported) {
				t.Logf("%s: %v", what, err)
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if got := readingSteps(ours); !slices.Equal(got, want) {
				t.Errorf("%s: steps gave\n%q, want\n%q", what, got, want)
			}
			if err := ours.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// Info asks also when the directory is closed, and of a file that was opened in a Root it does not leave that.
func TestEntriesOutliveTheFile(t *testing.T) {
	dir := tempDir(t)
	if err := writeFile(dir+"/x", []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		d, err := file.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		for what, open := range map[string]func() (*file.File, error){
			"Open":      func() (*file.File, error) { return file.Open(dir) },
			"Root.Open": func() (*file.File, error) { return d.Open(".") },
		} {
			f, err := open()
			if err != nil {
				t.Fatal(err)
			}
			entries, err := f.ReadDir(-1)
			if err != nil || len(entries) != 1 {
				t.Fatalf("%s: ReadDir = %v, %v", what, entries, err)
			}
			f.Close()
			if i, err := entries[0].Info(); err != nil || i.Size() != 5 {
				t.Errorf("%s: Info = %v, %v", what, i, err)
			}
			if what == "Root.Open" {
				d.Close()
				if _, err := entries[0].Info(); !errors.Is(err, fs.ErrClosed) {
					t.Errorf("Info when the Root is closed: %v, want fs.ErrClosed", err)
				}
			}
		}
	})
}

func TestReadDirOfAFile(t *testing.T) {
	name := filepath.Join(tempDir(t), "file")
	if err := writeFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	theirs, _ := os.Open(name)
	defer theirs.Close()
	_, want := theirs.ReadDir(-1)
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		f, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.ReadDir(-1); err == nil || err.Error() != want.Error() {
			t.Errorf("ReadDir of a file: %v, want %v", err, want)
		}
		if _, err := f.Readdirnames(1); err == nil || err.Error() != want.Error() {
			t.Errorf("Readdirnames of a file: %v, want %v", err, want)
		}
	})
}

func TestChdir(t *testing.T) {
	dir := tempDir(t)
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		here, err := file.Open(".")
		if err != nil {
			t.Fatal(err)
		}
		defer here.Close()
		f, err := file.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := f.Chdir(); err != nil {
			t.Error(err)
		}
		st, err := file.Stat(".")
		want, wantErr := file.Stat(dir)
		if err := errors.Join(err, wantErr, here.Chdir()); err != nil {
			t.Fatal(err)
		}
		if !file.SameFile(st, want) {
			t.Errorf("behind Chdir . is another directory")
		}
	})
}

// RemoveAll removes nothing that a link leads to, also one that takes a directory's
// place while it is emptied.
func TestRemoveAllRace(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		base := tempDir(t)
		outside := filepath.Join(base, "outside")
		if err := makeDir(outside, 0o700); err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			if err := writeFile(fmt.Sprintf("%s/kept%d", outside, i), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for round := range scaled(20) {
			tree := filepath.Join(base, "tree")
			sub := tree + "/a/b"
			err := errors.Join(makeDirs(sub, 0o700), symlink(outside, tree+"/link"),
				symlink("../../outside", tree+"/a/up"))
			for i := range 20 {
				err = errors.Join(err, writeFile(fmt.Sprintf("%s/x%d", sub, i), nil, 0o600))
			}
			if err != nil {
				t.Fatal(err)
			}
			stop := socktest.Meanwhile(func() {
				if os.Rename(sub, base+"/aside") == nil {
					symlink(outside, sub)
					os.Remove(sub)
					os.Rename(base+"/aside", sub)
				}
			})
			err = file.RemoveAll(tree)
			stop()
			t.Logf("round %d: %v", round, err) // a directory may be put back meanwhile
			os.RemoveAll(base + "/aside")
			if err := file.RemoveAll(tree); err != nil {
				t.Errorf("RemoveAll undisturbed: %v", err)
			}
			if _, err := os.Lstat(tree); !os.IsNotExist(err) {
				t.Errorf("it is still there: %v", err)
			}
		}
		if entries, err := readDir(outside); len(entries) != 50 || err != nil {
			t.Errorf("outside are %d files, %v", len(entries), err)
		}
	})
}

// A tree of many entries and levels goes. It is in memory, where there is such a place: on a disk that others use, too,
// thousands of names take as long as the others let them.
func TestRemoveAllLarge(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		base, err := os.MkdirTemp("/dev/shm", "ringo")
		if err != nil {
			base = tempDir(t)
		}
		t.Cleanup(func() { os.RemoveAll(base) })
		deep := base + "/deep"
		for range 100 {
			deep += "/d"
		}
		err = makeDirs(deep, 0o700)
		for i := range 1100 {
			err = errors.Join(err, writeFile(fmt.Sprintf("%s/deep/x%d", base, i), nil, 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := file.RemoveAll(base + "/deep"); err != nil {
			t.Error(err)
		}
		if entries, err := readDir(base); len(entries) != 0 || err != nil {
			t.Errorf("left are %v, %v", entries, err)
		}
	})
}

// A name that ends with "." or ".." is refused before anything is removed. A ".." that is
// followed would lead out of a directory which somebody moves meanwhile.
func TestRemoveAllDots(t *testing.T) {
	inDir(t, func(t *testing.T, dir string, d *file.Root) {
		if err := errors.Join(makeDirs(filepath.Join(dir, "a/b"), 0o700),
			writeFile(filepath.Join(dir, "a/b/deep"), []byte("deep"), 0o600),
			writeFile(filepath.Join(dir, "fine"), []byte("fine"), 0o600)); err != nil {
			t.Fatal(err)
		}
		before := inventory(t, dir)
		for _, name := range []string{".", "./", "..", "../", "a/.", "a/./", "a/.//", "a/..", "a/../", "a/b/..",
			"a/b/../", "a/b/../..", "./.."} {
			if err := d.RemoveAll(name); err == nil {
				t.Errorf("RemoveAll(%q) = nil", name)
			}
			if got := inventory(t, dir); got != before {
				t.Fatalf("RemoveAll(%q): the directory was\n%s\nand is\n%s", name, before, got)
			}
		}
		if err := d.RemoveAll("a/../a//"); err != nil {
			t.Errorf("RemoveAll of a name with slashes behind it: %v", err)
		}
		if _, err := os.Lstat(filepath.Join(dir, "a")); !os.IsNotExist(err) {
			t.Errorf("what was removed: %v", err)
		}
	})
}

// Names that end with "." are refused as by os.Root. (That takes a ".." away without a look
// at what it is, as no other call does, and so some of the others are no error there.)
func TestRemoveAllDotsLikeRoot(t *testing.T) {
	lookups(t, func(t *testing.T) {
		eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
			for _, name := range []string{".", "./", "..", "../", "a/.", "a/./", "a/..", "a/",
				"a/b/../../a", "none/.", "none"} {
				var failed [2]bool
				for i := range failed {
					dir := filepath.Join(tempDir(t), "dir")
					if err := makeDirs(filepath.Join(dir, "a/b"), 0o700); err != nil {
						t.Fatal(err)
					}
					if i == 0 {
						r, err := os.OpenRoot(dir)
						if err != nil {
							t.Fatal(err)
						}
						failed[i] = r.RemoveAll(name) != nil
						r.Close()
						continue
					}
					d, err := file.OpenRoot(dir)
					if err != nil {
						t.Fatal(err)
					}
					failed[i] = d.RemoveAll(name) != nil
					d.Close()
				}
				if failed[0] != failed[1] {
					t.Errorf("RemoveAll(%q) fails with os.Root: %v, with a Root: %v", name, failed[0], failed[1])
				}
			}
		})
	})
}

// The root of all is not removed, and its error is told: in worlds, where nothing would be lost.
func TestRemoveAllOfTheRoot(t *testing.T) {
	inWorlds(t, func(t *testing.T, _ *ringo.Loop) {
		for _, name := range []string{"/", "//", "///"} {
			if err := file.RemoveAll(name); err == nil {
				t.Errorf("RemoveAll(%q) = nil", name)
			}
		}
	})
}

// A task that is cancelled is told with the words of all errors.
func TestRemoveAllCancelled(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			name := filepath.Join(tempDir(t), "dir/below")
			if err := makeDirs(name, 0o700); err != nil {
				t.Fatal(err)
			}
			err := l.WithTimeout(0, func() error { return file.RemoveAll(filepath.Dir(name)) })
			var p *fs.PathError
			if !errors.As(err, &p) || p.Op == "" || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("RemoveAll behind a timeout = %T %v", err, err)
			}
			if _, err := statOf(name); err != nil {
				t.Error(err)
			}
		})
	})
}
