package file_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/hosted"
	"ringo/internal/race"
	"ringo/internal/test/testmain"
)

// both is what os.File and File have in common.
type both interface {
	io.ReadWriteSeeker
	io.ReaderAt
	io.WriterAt
	io.StringWriter
	io.Closer
	Name() string
	Stat() (fs.FileInfo, error)
	Sync() error
	Truncate(size int64) error
	Chmod(mode fs.FileMode) error
	Chown(uid, gid int) error
}

var (
	_ both = (*os.File)(nil)
	_ both = (*file.File)(nil)
)

// ways are the routes that calls are forced onto, one after the other.
var ways = []way{
	{name: "auto"}, {name: "waits", known: file.Cold},
	{name: "workers", known: file.Cold | file.IsFUSE}, // and a goroutine's are plain calls
	{name: "hosted", known: file.Cold, hosted: true},
}

type way struct {
	name   string
	known  uint32
	hosted bool // goroutines' calls go by a ring, also where there are few
}

// take forces the way, for the time of a test, onto files that are opened on dir's mount.
func (w way) take(t *testing.T, dir string) {
	t.Helper()
	var h *hosted.Rings
	if w.hosted {
		var err error
		if h, err = hosted.Open(hosted.Config{Few: -1}); err != nil {
			t.Skip(err)
		}
	}
	know(t, dir, w.known, h)
}

// know has facts taken for granted of files on dir's mount for the time of a test, and goroutines' calls on them go by
// h, if it is not nil, which is closed at the end.
func know(t testing.TB, dir string, known uint32, h *hosted.Rings) {
	t.Helper()
	if h != nil {
		t.Cleanup(func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
	} else if known == 0 {
		return
	}
	undo, err := file.Know(dir, known, h)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(undo)
}

// elsewhere, while a test sets it, is all places.
var elsewhere map[string]string

// shm is a file system in memory, where its name is that of a place.
const shm = "/dev/shm"

// places are folders on file systems of several typeBits.
func places(t *testing.T) map[string]string {
	t.Helper()
	if elsewhere != nil {
		return elsewhere
	}
	dirs := map[string]string{"disk": t.TempDir()}
	if !filepath.IsAbs(shm) {
		t.Logf("no tmpfs: %s is no name of this system's", shm)
	} else if dir, err := os.MkdirTemp(shm, "ringo"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		dirs["tmpfs"] = dir
	} else {
		t.Logf("no tmpfs: %v", err)
	}
	if dir, err := overlay(t); err == nil {
		dirs["overlayfs"] = dir
	} else {
		t.Logf("no overlayfs: %v", err)
	}
	return dirs
}

// everywhere runs f on each file system, by each path, as each caller, and in simulated worlds.
func everywhere(t *testing.T, f func(t *testing.T, l *ringo.Loop, dir string)) {
	t.Helper()
	for place, dir := range places(t) {
		for _, w := range ways {
			if !testmain.Long() && w.known != 0 && !w.hosted {
				continue
			}
			t.Run(place+"/"+w.name, func(t *testing.T) {
				w.take(t, dir)
				eachCallerHere(t, func(t *testing.T, l *ringo.Loop) {
					d, err := os.MkdirTemp(dir, "case")
					if err != nil {
						t.Fatal(err)
					}
					f(t, l, d)
				})
			})
		}
	}
	inWorlds(t, func(t *testing.T, l *ringo.Loop) { f(t, l, tempDir(t)) })
}

// step is a call whose results say what it did.
type step func(f both) []any

func rd(n int) step {
	return func(f both) []any {
		p := make([]byte, n)
		m, err := f.Read(p)
		return []any{"read", n, m, err, p}
	}
}

func rdAt(n int, off int64) step {
	return func(f both) []any {
		p := make([]byte, n)
		m, err := f.ReadAt(p, off)
		return []any{"readat", n, off, m, err, p}
	}
}

func wr(n int) step {
	return func(f both) []any {
		m, err := f.Write(bytesOf(n))
		return []any{"write", n, m, err}
	}
}

func wrAt(n int, off int64) step {
	return func(f both) []any {
		m, err := f.WriteAt(bytesOf(n), off)
		return []any{"writeat", n, off, m, err}
	}
}

func sk(off int64, whence int) step {
	return func(f both) []any {
		at, err := f.Seek(off, whence)
		return []any{"seek", off, whence, at, err}
	}
}

func trunc(n int64) step {
	return func(f both) []any { return []any{"truncate", n, f.Truncate(n)} }
}

func syncs(f both) []any { return []any{"sync", f.Sync()} }

func shut(f both) []any { return []any{"close", f.Close()} }

func stat(f both) []any {
	info, err := f.Stat()
	if err != nil {
		return []any{"stat", err}
	}
	return []any{"stat", info.Name(), info.Size(), info.Mode(), info.IsDir()}
}

func chmod(mode fs.FileMode) step {
	return func(f both) []any { return []any{"chmod", mode, f.Chmod(mode)} }
}

// programs are steps on a file of 10,000 bytes, opened with the flags.
var programs = map[string]struct {
	flag  int
	steps []step
}{
	"read to the end": {os.O_RDONLY, []step{rd(0), rd(1), rd(4096), rd(5000), rd(5000), rd(10), rd(0)}},
	"read at offsets": {os.O_RDONLY, []step{rdAt(100, 0), rdAt(100, 9900), rdAt(100, 9950), rdAt(100, 10_000),
		rdAt(1, 1<<40), rdAt(1, -1), rdAt(0, 0), rdAt(0, 1<<40), rd(4), rdAt(1<<20, 17)}},
	"write to one that is read": {os.O_RDONLY,
		[]step{wr(10), wr(0), wrAt(10, 0), wrAt(0, 0), trunc(5), trunc(-1), syncs, stat}},
	"read from one that is written": {os.O_WRONLY, []step{rd(10), rd(0), rdAt(10, 0), rdAt(0, 0), wr(3), stat}},
	"write and read back": {os.O_RDWR,
		[]step{wr(100), rd(10), wrAt(50, 20_000), rdAt(60_000, 0), sk(-10, io.SeekEnd), rd(100), wr(1000),
			rdAt(60_000, 5000), stat, syncs}},
	"far out": {os.O_RDWR, []step{wrAt(10, 5<<30), rdAt(20, 5<<30-5), stat, sk(5<<30, io.SeekStart), rd(3), wr(4),
		trunc(6 << 30), sk(0, io.SeekEnd), rd(1), rdAt(5, 6<<30-5)}},
	"append": {os.O_RDWR | os.O_APPEND, []step{wr(10), wrAt(10, 0), wrAt(10, -1), rd(20), wr(10), rd(20),
		sk(0, io.SeekCurrent), stat, rdAt(100, 9990)}},
	"seeking": {os.O_RDWR, []step{sk(5, io.SeekStart), rd(5), sk(-3, io.SeekCurrent), rd(5), sk(-1, io.SeekStart),
		sk(0, 99), sk(1<<40, io.SeekStart), rd(5), sk(-10_001, io.SeekEnd), sk(0, io.SeekCurrent)}},
	"bad offsets": {os.O_RDWR, []step{wrAt(1, -1), rdAt(1, -7), trunc(-1), wrAt(1, 1<<63-1), rdAt(1, 1<<63-1)}},
	"length": {os.O_RDWR, []step{trunc(20_000), rdAt(20_000, 0), stat, trunc(100), rdAt(200, 0), rd(200), rd(1),
		trunc(0), sk(0, io.SeekCurrent), rd(1), wr(1), stat}},
	"mode": {os.O_RDWR, []step{chmod(0o400), stat, wr(5), chmod(0o755 | fs.ModeSticky | fs.ModeSetgid),
		stat, chmod(0), stat}},
	"after close": {os.O_RDWR, []step{shut, shut, rd(1), rd(0), wr(1), wr(0), rdAt(1, 0), rdAt(1, -1), wrAt(1, 0),
		wrAt(1, -1), sk(0, 0), syncs, trunc(0), trunc(-1), chmod(0), stat}},
	"emptied": {os.O_RDWR | os.O_TRUNC,
		[]step{stat, rd(1), wr(2_000_000), rdAt(2_000_001, 0), sk(1, 0), rd(1_999_999), stat}},
}

// The same steps on os's and on our file give the same results, and leave the same
// bytes.
func TestLikeOS(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *ringo.Loop, dir string) {
		for name, p := range programs {
			ours, theirs := filepath.Join(dir, "ours"), filepath.Join(dir, "theirs")
			for _, name := range []string{ours, theirs} {
				if err := os.WriteFile(name, bytesOf(10_000), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f, err := file.OpenFile(ours, p.flag, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			g, err := os.OpenFile(theirs, p.flag, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range p.steps {
				got, want := s(f), s(g)
				if !same(got, want) {
					t.Errorf("%s, step %d: %s\nos gives %s", name, i, show(got), show(want))
				}
			}
			f.Close()
			g.Close()
			if wrong := differ(ours, theirs); wrong != "" {
				t.Errorf("%s: %s", name, wrong)
			}
			os.Remove(ours)
			os.Remove(theirs)
		}
	})
}

// same compares results; of a path only the last element differs.
func same(got, want []any) bool {
	for i := range want {
		a, b := got[i], want[i]
		if errA, ok := a.(error); ok {
			errB, ok := b.(error)
			if !ok || !sameError(errA, errB) {
				return false
			}
			continue
		}
		if s, ok := a.(string); ok && s == "ours" {
			a = "theirs"
		}
		if !reflect.DeepEqual(a, b) {
			return false
		}
	}
	return len(got) == len(want)
}

// sameError compares what a program can tell of an error, and its text.
func sameError(a, b error) bool {
	var pathA, pathB *fs.PathError
	if errors.As(a, &pathA) != errors.As(b, &pathB) {
		return false
	}
	if pathA != nil {
		return pathA.Op == pathB.Op && sameError(pathA.Err, pathB.Err) &&
			filepath.Base(pathA.Path) == "ours" == (filepath.Base(pathB.Path) == "theirs")
	}
	return reflect.TypeOf(a) == reflect.TypeOf(b) && a.Error() == b.Error()
}

func show(results []any) string {
	text := ""
	for _, r := range results {
		if p, ok := r.([]byte); ok {
			r = fmt.Sprintf("%d bytes %x", len(p), p[:min(len(p), 8)])
		}
		text += fmt.Sprintf(" %v", r)
	}
	return text
}

// differ compares two files, which may be long and hollow.
func differ(a, b string) string {
	infoF, errF := os.Stat(a)
	infoG, errG := os.Stat(b)
	if errF != nil || errG != nil {
		return fmt.Sprint(errF, errG)
	}
	if infoF.Size() != infoG.Size() || infoF.Mode() != infoG.Mode() {
		return fmt.Sprintf("%d bytes, %v, want %d, %v", infoF.Size(), infoF.Mode(), infoG.Size(), infoG.Mode())
	}
	for _, name := range []string{a, b} {
		if infoF.Mode()&0o400 == 0 && os.Chmod(name, 0o600) != nil { // only root reads it
			return name + " is not ours"
		}
	}
	f, errF := os.Open(a)
	g, errG := os.Open(b)
	if errF != nil || errG != nil {
		return fmt.Sprint(errF, errG)
	}
	defer f.Close()
	defer g.Close()
	p, q := make([]byte, 1<<16), make([]byte, 1<<16)
	for at := int64(0); at < infoF.Size(); {
		if at > 1<<24 && at < infoF.Size()-1<<16 {
			at = infoF.Size() - 1<<16
		}
		n, _ := f.ReadAt(p, at)
		m, _ := g.ReadAt(q, at)
		if n != m || !bytes.Equal(p[:n], q[:m]) {
			return fmt.Sprintf("the bytes from %d on differ", at)
		}
		at += int64(n)
	}
	return ""
}

// What os has no method for.
func TestBeyondOS(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *ringo.Loop, dir string) {
		name := filepath.Join(dir, "file")
		f, err := file.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		want := bytesOf(10_000)
		if n, err := f.WriteVAt([][]byte{want[:1], nil, want[1:5000], want[5000:]}, 3); n != len(want) || err != nil {
			t.Fatalf("WriteVAt = %d, %v", n, err)
		}
		p := buf.Aligned(len(want), 1)
		if n, err := f.ReadVAt([][]byte{p[:7000], {}, p[7000:]}, 3); n != len(p) || err != nil ||
			!bytes.Equal(p, want) {
			t.Errorf("ReadVAt = %d, %v", n, err)
		}
		if n, err := f.ReadVAt([][]byte{p[:7000], p[7000:]}, 5000); n != 5003 || err != io.EOF ||
			!bytes.Equal(p[:n], want[4997:]) {
			t.Errorf("ReadVAt over the end = %d, %v", n, err)
		}
		many := make([][]byte, 3000)
		for i := range many {
			many[i] = p[i : i+1]
		}
		if n, err := f.ReadVAt(many, 3); n != 3000 || err != nil || !bytes.Equal(p[:3000], want[:3000]) {
			t.Errorf("ReadVAt of 3000 slices = %d, %v", n, err)
		}
		check := func(what string, err error) {
			t.Helper()
			if err != nil && !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: %v", what, err)
			}
		}
		check("Datasync", f.Datasync())
		check("SyncRange", f.SyncRange(0, 0, file.SyncWrite|file.SyncWaitAfter))
		check("Allocate", f.Allocate(0, 0, 1<<20))
		if info, err := f.Stat(); err != nil || info.Size() != 1<<20 {
			t.Errorf("Stat after Allocate = %v, %v", info, err)
		}
		check("PunchHole", f.PunchHole(4096, 4096))
		if n, err := f.ReadAt(p[:4096], 4096); n != 4096 || err != nil || !bytes.Equal(p[:n], make([]byte, n)) {
			t.Errorf("ReadAt of a hole = %d, %v", n, err)
		}
		check("Advise", f.Advise(file.AdviceWillNeed, 0, 0))
		if at, err := f.Seek(0, file.SeekHole); err != nil || at != 4096 && at != 1<<20 {
			t.Errorf("Seek to a hole = %d, %v", at, err)
		}
		checkTimes(t, f, name)
		checkXattrs(t, f)
	})
}

func checkTimes(t *testing.T, f *file.File, name string) {
	t.Helper()
	at, mt := time.Unix(1e9, 5), time.Unix(2e9, 7)
	if err := f.Chtimes(at, mt); err != nil {
		t.Errorf("Chtimes: %v", err)
	}
	if err := f.Chtimes(time.Time{}, mt.Add(time.Hour)); err != nil {
		t.Errorf("Chtimes: %v", err)
	}
	info, err := f.Stat()
	want, wantErr := os.Stat(name)
	if err != nil || wantErr != nil {
		t.Fatal(err, wantErr)
	}
	if !file.SameFile(info, want) || file.SameFile(info, nowhere{info}) {
		t.Error("SameFile does not know the file")
	}
	if os.SameFile(info, want) || os.SameFile(info, info) {
		t.Error("os.SameFile knows an Info: its comments say that it does not")
	}
	own := info.(*file.Info)
	if !own.ModTime().Equal(mt.Add(time.Hour)) || !own.AccessTime().Equal(at) || !want.ModTime().Equal(own.ModTime()) {
		t.Errorf("times %v and %v, want %v and %v", own.ModTime(), own.AccessTime(), mt.Add(time.Hour), at)
	}
	if !reflect.DeepEqual(info.Sys(), want.Sys()) {
		t.Errorf("Sys is %+v\nof os's %+v", info.Sys(), want.Sys())
	}
	if uid, gid := own.Owner(); uid != os.Getuid() || gid != os.Getgid() && gid < 0 || own.Links() != 1 {
		t.Errorf("owner %d, %d, %d links", uid, gid, own.Links())
	}
}

// nowhere is an info that says nothing of where the file is.
type nowhere struct{ fs.FileInfo }

func (nowhere) Sys() any { return nil }

func checkXattrs(t *testing.T, f *file.File) {
	t.Helper()
	switch err := f.SetXattr("user.a", []byte("value"), file.XattrCreate); {
	case errors.Is(err, errors.ErrUnsupported):
		t.Logf("no extended attributes: %v", err)
		return
	case err != nil:
		t.Fatal(err)
	}
	if err := f.SetXattr("user.a", nil, file.XattrCreate); !errors.Is(err, fs.ErrExist) {
		t.Errorf("SetXattr of what is there: %v, want fs.ErrExist", err)
	}
	if v, err := f.Xattr("user.a"); string(v) != "value" || err != nil {
		t.Errorf("Xattr = %q, %v", v, err)
	}
	if names, err := f.ListXattrs(); err != nil || !contains(names, "user.a") {
		t.Errorf("ListXattrs = %q, %v", names, err)
	}
	if err := f.RemoveXattr("user.a"); err != nil {
		t.Errorf("RemoveXattr: %v", err)
	}
	if v, err := f.Xattr("user.a"); err == nil {
		t.Errorf("Xattr of a removed one = %q", v)
	}
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

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
		file.Symlink, file.Readlink, file.Stat, file.Lstat, file.Chmod, file.Chtimes, file.Truncate, file.ReadDir,
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
		mode := randomMode(r)
		return nameStep{fmt.Sprintf("Mkdir(%q, %o)", a, mode), func(t tree) (string, error) {
			return "", t.mkdir(a, mode)
		}}
	case 2, 3:
		mode := randomMode(r)
		return nameStep{fmt.Sprintf("MkdirAll(%q, %o)", a, mode), func(t tree) (string, error) {
			return "", t.mkdirAll(a, mode)
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
		mode := randomMode(r)
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
		data, mode := []byte(strings.Repeat("x", r.IntN(100))), randomMode(r)
		return nameStep{fmt.Sprintf("WriteFile(%q, %d bytes, %o)", a, len(data), mode), func(t tree) (string, error) {
			return "", t.writeFile(a, data, mode)
		}}
	}
}

// randomMode leaves the owner all rights, and now and then has bits that are no rights.
func randomMode(r *rand.Rand) fs.FileMode {
	mode := fs.FileMode(0o700 + r.IntN(64))
	if r.IntN(4) == 0 {
		mode |= []fs.FileMode{fs.ModeSetuid, fs.ModeSetgid, fs.ModeSticky, fs.ModeDir, 0o4000}[r.IntN(5)]
	}
	return mode
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
