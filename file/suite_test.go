package file_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/hosted"
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
	undo, err := file.Know(dir, known, h)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		undo()
		if h == nil {
			return
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
}

// elsewhere, while a test sets it, is all places.
var elsewhere map[string]string

// places are folders on file systems of several typeBits.
func places(t *testing.T) map[string]string {
	t.Helper()
	if elsewhere != nil {
		return elsewhere
	}
	dirs := map[string]string{"disk": t.TempDir()}
	if dir, err := os.MkdirTemp("/dev/shm", "ringo"); err == nil {
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
		[]step{wr(10), wr(0), wrAt(10, 0), wrAt(0, 0), trunc(5), syncs, stat}},
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
		wrAt(1, -1), sk(0, 0), syncs, trunc(0), chmod(0), stat}},
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
