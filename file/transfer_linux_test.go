//go:build linux

package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"ringo"
	"ringo/file"
	"ringo/internal/kernel"
)

// copier is what os.File and File have for io.Copy.
type copier interface {
	both
	io.ReaderFrom
	io.WriterTo
}

// library is one of the two packages.
type library struct {
	open func(name string, flag int, perm fs.FileMode) (copier, error)
	pipe func() (r, w copier, err error)
}

var libraries = map[string]library{
	"os": {
		func(name string, flag int, perm fs.FileMode) (copier, error) { return os.OpenFile(name, flag, perm) },
		func() (copier, copier, error) { r, w, err := os.Pipe(); return r, w, err },
	},
	"file": {
		func(name string, flag int, perm fs.FileMode) (copier, error) { return file.OpenFile(name, flag, perm) },
		func() (copier, copier, error) { r, w, err := file.Pipe(); return r, w, err },
	},
}

// long takes more than one turn of io.Copy's buffer, and fits into a pipe.
var long = bytesOf(40_000)

// end makes one end of a copy, with the directory that it is in.
type end func(t *testing.T, lib library, dir string) copier

// opened is a file that is there, or else a new one with a content, at a position.
func opened(name string, flag int, content []byte, pos int64) end {
	return func(t *testing.T, lib library, dir string) copier {
		t.Helper()
		if !strings.HasPrefix(name, "/") {
			name := dir + "/" + name
			if _, err := statOf(name); err != nil {
				err = writeFile(name, content, 0o600)
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		f, err := lib.open(in(dir, name), flag, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if pos > 0 {
			if _, err := f.Seek(pos, io.SeekStart); err != nil {
				t.Fatal(err)
			}
		}
		return f
	}
}

func in(dir, name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return dir + "/" + name
}

func closed(e end) end {
	return func(t *testing.T, lib library, dir string) copier {
		f := e(t, lib, dir)
		f.Close()
		return f
	}
}

var sources = map[string]end{
	"a file":                opened("src", os.O_RDONLY, long, 0),
	"the middle of a file":  opened("src", os.O_RDWR, long, 7777),
	"a file's end":          opened("src", os.O_RDONLY, long, int64(len(long))),
	"behind a file's end":   opened("src", os.O_RDONLY, long, 99_999),
	"an empty file":         opened("src", os.O_RDONLY, nil, 0),
	"a file to write":       opened("src", os.O_WRONLY, long, 0),
	"an empty one to write": opened("src", os.O_WRONLY, nil, 0),
	"a closed file":         closed(opened("src", os.O_RDONLY, long, 0)),
	"a directory":           opened("/proc", os.O_RDONLY, nil, 0),
	"a file of /proc":       opened("/proc/version", os.O_RDONLY, nil, 0),
	"the rest of one":       opened("/proc/version", os.O_RDONLY, nil, 5),
	"a file of /sys":        opened("/sys/kernel/mm/transparent_hugepage/enabled", os.O_RDONLY, nil, 0),
	"/dev/null":             opened("/dev/null", os.O_RDONLY, nil, 0),
	"a pipe": func(t *testing.T, lib library, _ string) copier {
		r, w, err := lib.pipe()
		if err != nil {
			t.Fatal(err)
		}
		w.Write(long[:5000])
		w.Close()
		return r
	},
}

// inMemory is the name of a file of tmpfs that is nobody else's.
var inMemory = fmt.Sprintf("/dev/shm/ringo-target-%d", os.Getpid())

var targets = map[string]end{
	"a file":             opened("dst", os.O_RDWR, []byte("0123456789"), 3),
	"behind its end":     opened("dst", os.O_WRONLY, []byte("0123456789"), 5000),
	"a file to append":   opened("dst", os.O_WRONLY|os.O_APPEND, []byte("0123456789"), 0),
	"a file to read":     opened("dst", os.O_RDONLY, []byte("0123456789"), 0),
	"a closed file":      closed(opened("dst", os.O_WRONLY, nil, 0)),
	"/dev/null":          opened("/dev/null", os.O_WRONLY, nil, 0),
	"/dev/full":          opened("/dev/full", os.O_WRONLY, nil, 0),
	"a file in memory":   opened(inMemory, os.O_RDWR|os.O_CREATE|os.O_TRUNC, nil, 0),
	"a pipe with room":   func(t *testing.T, lib library, _ string) copier { return pipeEnd(t, lib, false) },
	"a pipe of nobody's": func(t *testing.T, lib library, _ string) copier { return pipeEnd(t, lib, true) },
}

// pipeEnd is an end to write, whose other end is kept until the test ends, or closed.
func pipeEnd(t *testing.T, lib library, broken bool) copier {
	t.Helper()
	r, w, err := lib.pipe()
	if err != nil {
		t.Fatal(err)
	}
	if broken {
		r.Close()
	} else {
		t.Cleanup(func() { r.Close() })
	}
	return w
}

// wrapped are readers around a source, with what they say afterwards.
var wrapped = map[string]func(src copier) (io.Reader, func() string){
	"itself": func(src copier) (io.Reader, func() string) { return src, func() string { return "" } },
	"only a reader": func(src copier) (io.Reader, func() string) {
		return struct{ io.Reader }{src}, func() string { return "" }
	},
	"limit 0":      limit(0),
	"limit 33000":  limit(33_000),
	"a wide limit": limit(1 << 40),
	"two limits": func(src copier) (io.Reader, func() string) {
		a := &io.LimitedReader{R: src, N: 100}
		b := &io.LimitedReader{R: a, N: 1000}
		return b, func() string { return fmt.Sprint(a.N, b.N) }
	},
}

func limit(n int64) func(src copier) (io.Reader, func() string) {
	return func(src copier) (io.Reader, func() string) {
		lr := &io.LimitedReader{R: src, N: n}
		return lr, func() string { return fmt.Sprint(lr.N) }
	}
}

// copied tells all that a copy did. The source stays in the directory for the next, the target goes.
func copied(t *testing.T, lib library, dir string, from, to end, wrap func(copier) (io.Reader, func() string),
	whole bool) string {
	t.Helper()
	src, dst := from(t, lib, dir), to(t, lib, dir)
	r, after := wrap(src)
	var n int64
	var err error
	if whole {
		n, err = io.Copy(dst, r)
	} else {
		n, err = dst.ReadFrom(r)
	}
	told := fmt.Sprint(n, " ", after(), " ", chain(err))
	for _, f := range []copier{src, dst} {
		at, err := f.Seek(0, io.SeekCurrent)
		told += fmt.Sprint("; at ", at, " ", err)
	}
	content, _ := readFile(dir + "/dst")
	told += fmt.Sprintf("; holds %d %x", len(content), sum(content))
	src.Close()
	dst.Close()
	os.Remove(dir + "/dst")
	return strings.ReplaceAll(told, dir, "DIR")
}

// chain is an error with the types of all that it wraps.
func chain(err error) string {
	text := fmt.Sprint(err)
	for ; err != nil; err = errors.Unwrap(err) {
		text += fmt.Sprintf(" %T", err)
	}
	return text
}

func sum(b []byte) (h uint32) {
	for _, c := range b {
		h = h*31 + uint32(c)
	}
	return h
}

// io.Copy of a File to another, and its ReadFrom, do and say what os's do.
func TestCopiesLikeOS(t *testing.T) {
	t.Cleanup(func() { os.Remove(inMemory) })
	for fromName, from := range sources {
		if missing(t, fromName) {
			continue
		}
		t.Run(fromName, func(t *testing.T) {
			want := allCopied(t, libraries["os"], from)
			eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
				for what, got := range allCopied(t, libraries["file"], from) {
					if got != want[what] {
						t.Errorf("%s\ngot  %s\nwant %s", what, got, want[what])
					}
				}
			})
		})
	}
}

// missing reports whether a system has not got what an end is about.
func missing(t *testing.T, name string) bool {
	t.Helper()
	of := map[string]string{"a file of /sys": "/sys/kernel/mm/transparent_hugepage/enabled",
		"a file in memory": "/dev/shm"}[name]
	if of == "" {
		return false
	}
	_, err := statOf(of)
	if err != nil {
		t.Logf("left out: %v", err)
	}
	return err != nil
}

// allCopied is what copies of one source did, by what they were.
func allCopied(t *testing.T, lib library, from end) map[string]string {
	t.Helper()
	told := map[string]string{}
	dir := tempDir(t)
	for name, to := range targets {
		if missing(t, name) {
			continue
		}
		for wrap, f := range wrapped {
			told[wrap+" to "+name] = copied(t, lib, dir, from, to, f, true)
		}
		told["to "+name+" by ReadFrom"] = copied(t, lib, dir, from, to, wrapped["itself"], false)
	}
	return told
}

// A file is copied to itself, and to another opening of it, as os does that.
func TestCopiesToItself(t *testing.T) {
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		for _, pos := range []int64{0, 30_000, 40_000} {
			for _, twice := range []bool{false, true} {
				told := map[string]string{}
				for name, lib := range libraries {
					dir := tempDir(t)
					f := opened("dst", os.O_RDWR, long, pos)(t, lib, dir)
					src := f
					if twice {
						var err error
						if src, err = lib.open(dir+"/dst", os.O_RDONLY, 0); err != nil {
							t.Fatal(err)
						}
					}
					n, err := io.Copy(f, io.LimitReader(src, 20_000))
					src.Close()
					f.Close()
					content, _ := readFile(dir + "/dst")
					told[name] = fmt.Sprint(n, chain(err), len(content), sum(content))
				}
				if told["file"] != told["os"] {
					t.Errorf("at %d, twice %v: %s, os has %s", pos, twice, told["file"], told["os"])
				}
			}
		}
	})
}

// copiesRanges counts what the kernel copies.
type copiesRanges struct {
	kernel.Host
	n atomic.Int64
}

func (k *copiesRanges) CopyRange(out, in int32, n int) int32 {
	res := k.Host.CopyRange(out, in, n)
	k.n.Add(int64(max(0, res)))
	return res
}

// The kernel moves what one File holds to another, and what is to be appended is written.
func TestCopiesByTheKernel(t *testing.T) {
	moved := new(copiesRanges)
	defer kernel.Through(moved)()
	size := int64(len(large()))
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		dir := tempDir(t)
		for what, c := range map[string]struct {
			flag int
			copy func(dst, src *file.File) (int64, error)
			size int64 // that is copied, of which the kernel moves
			want int64
		}{
			"io.Copy": {0, func(dst, src *file.File) (int64, error) { return io.Copy(dst, src) }, size, size},
			"io.CopyN": {0, func(dst, src *file.File) (int64, error) {
				return io.CopyN(dst, src, size-5)
			}, size - 5, size - 5},
			"ReadFrom": {0, func(dst, src *file.File) (int64, error) { return dst.ReadFrom(src) }, size, size},
			"WriteTo":  {0, func(dst, src *file.File) (int64, error) { return src.WriteTo(dst) }, size, size},
			"an appender": {os.O_APPEND, func(dst, src *file.File) (int64, error) {
				return io.Copy(dst, src)
			}, size, 0},
		} {
			if err := errors.Join(writeFile(dir+"/src", large(), 0o600),
				writeFile(dir+"/dst", nil, 0o600)); err != nil {
				t.Fatal(err)
			}
			src, err := file.Open(dir + "/src")
			dst, err2 := file.OpenFile(dir+"/dst", os.O_WRONLY|c.flag, 0)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			before := moved.n.Load()
			n, err := c.copy(dst, src)
			if err != nil || n != c.size {
				t.Errorf("%s = %d, %v", what, n, err)
			}
			if by := moved.n.Load() - before; by != c.want {
				t.Errorf("%s: %d bytes by the kernel, want %d", what, by, c.want)
			}
			got, _ := readFile(dir + "/dst")
			if sum(got) != sum(large()[:n]) {
				t.Errorf("%s: the file holds other %d bytes", what, len(got))
			}
			if err := errors.Join(src.Close(), dst.Close()); err != nil {
				t.Error(err)
			}
		}
	})
}

// A copy that waits for a pipe keeps nobody from the file, neither from its position nor from closing it, and a cancel
// or Close ends it.
func TestCopyThatWaits(t *testing.T) {
	for what, copies := range map[string]func(dst, src *file.File) (int64, error){
		"io.Copy": func(dst, src *file.File) (int64, error) { return io.Copy(dst, src) },
		"Copy":    file.Copy,
	} {
		t.Run(what, func(t *testing.T) {
			eachCaller(t, func(t *testing.T, l *ringo.Loop) { copyWaits(t, l, copies) })
		})
	}
}

func copyWaits(t *testing.T, l *ringo.Loop, copies func(dst, src *file.File) (int64, error)) {
	t.Helper()
	r, w, err := file.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	f, err := file.Create(tempDir(t) + "/f")
	if err != nil {
		t.Fatal(err)
	}
	w.WriteString("came,")
	want, stop := fs.ErrClosed, func() { r.Close() }
	work := func() {
		if n, err := copies(f, r); n != 5 || !errors.Is(err, want) {
			t.Errorf("copied %d, %v, want 5, %v", n, err, want)
		}
	}
	var join func()
	if l != nil {
		task := l.Go(work)
		join, stop = func() { task.Wait() }, task.Cancel
		want = context.Canceled
	} else {
		join = begin(nil, work)
	}
	for size := int64(0); size == 0; pause(l) {
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		size = info.Size()
	}
	if at, err := f.Seek(0, io.SeekCurrent); at != 5 || err != nil {
		t.Errorf("Seek beside a copy = %d, %v", at, err)
	}
	if n, err := f.WriteString(" went"); n != 5 || err != nil {
		t.Errorf("WriteString beside a copy = %d, %v", n, err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("Close beside a copy: %v", err)
	}
	stop()
	join()
	if got, _ := readFile(f.Name()); string(got) != "came, went" {
		t.Errorf("the file holds %q", got)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	r.Close()
}

// A Copy that waits for room in a pipe keeps nobody from the file's position. What the pipe did not take when a cancel
// or an error ends the copy is there to be read, unless someone else has moved the position meanwhile.
func TestCopyThatWaitsForRoom(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		for _, moved := range []bool{false, true} {
			r, w, err := file.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(tempDir(t), "src")
			if err := writeFile(name, large(), 0o600); err != nil {
				t.Fatal(err)
			}
			src, err := file.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			copied := int64(0)
			work := func() {
				n, err := file.Copy(w, src)
				if copied = n; err == nil {
					t.Errorf("Copy of a file that has no room = %d, nil", n)
				}
			}
			join, stop := func() {}, func() { w.Close() }
			if l != nil {
				task := l.Go(work)
				join, stop = func() { task.Wait() }, task.Cancel
			} else {
				join = begin(nil, work)
			}
			for at := int64(0); at == 0; pause(l) { // it has read what it can't write
				if at, err = src.Seek(0, io.SeekCurrent); err != nil {
					t.Fatal(err)
				}
			}
			if moved {
				if _, err := src.Seek(1<<20, io.SeekStart); err != nil {
					t.Error(err)
				}
			}
			stop()
			join()
			w.Close()
			got, err := io.ReadAll(r)
			if err != nil || int64(len(got)) != copied || !bytes.Equal(got, large()[:copied]) {
				t.Errorf("Copy = %d, and the pipe had %d bytes, %v", copied, len(got), err)
			}
			want := copied
			if moved {
				want = 1 << 20
			}
			if at, err := src.Seek(0, io.SeekCurrent); at != want || err != nil {
				t.Errorf("after %d bytes, moved %v, the position is %d, %v, want %d", copied, moved, at, err, want)
			}
			r.Close()
			src.Close()
		}
	})
}

// CopyFile writes to what has no position, from the first byte to the last.
func TestCopyFileToFIFO(t *testing.T) {
	eachCallerHere(t, func(t *testing.T, l *ringo.Loop) {
		dir := tempDir(t)
		src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "fifo")
		if err := file.Mkfifo(dst, 0o600); err != nil {
			t.Fatal(err)
		}
		for what, make := range map[string]func(f *file.File) error{
			"bytes": func(f *file.File) error { _, err := f.Write(long); return err },
			"a hole": func(f *file.File) error {
				_, err := f.WriteAt(long, 100_000)
				return errors.Join(err, f.Truncate(200_000))
			},
			"nothing": func(*file.File) error { return nil },
		} {
			f, err := file.Create(src)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(make(f), f.Close()); err != nil {
				t.Fatal(err)
			}
			want, err := readFile(src)
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			join := begin(l, func() {
				if got, err = file.ReadFile(dst); err != nil {
					t.Error(err)
				}
			})
			if n, err := file.CopyFile(dst, src); n != int64(len(want)) || err != nil {
				t.Errorf("%s: CopyFile = %d, %v, want %d", what, n, err, len(want))
			}
			join()
			if !bytes.Equal(got, want) {
				t.Errorf("%s: the FIFO gave %d bytes, or others, want %d", what, len(got), len(want))
			}
		}
	})
}

// empties empties a file once it has been asked where its data ends.
type empties struct {
	kernel.Host
	name string
}

func (k *empties) Lseek(fd int32, off int64, whence int) (int64, int32) {
	at, res := k.Host.Lseek(fd, off, whence)
	if whence == file.SeekHole {
		os.Truncate(k.name, 0)
	}
	return at, res
}

// Of a file that is emptied meanwhile CopyFile counts what it has copied, and not the hole before.
func TestCopyFileOfEmptied(t *testing.T) {
	dir := t.TempDir()
	k := &empties{name: filepath.Join(dir, "src")}
	defer kernel.Through(k)()
	eachCallerHere(t, func(t *testing.T, _ *ringo.Loop) {
		f, err := os.Create(k.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(long, 1<<20); err != nil {
			t.Fatal(err)
		}
		f.Close()
		dst := filepath.Join(dir, "dst")
		n, err := file.CopyFile(dst, k.name)
		info, err2 := os.Stat(dst)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if n != info.Size() {
			t.Errorf("CopyFile = %d, and the copy has %d bytes", n, info.Size())
		}
	})
}

// Where the file system can, CopyFile and Copy share blocks and copy none, until one of the
// two files is changed.
func TestCopyShares(t *testing.T) {
	const size, part = 10 << 20, 64 << 10 // more than one step of a Copy
	eachKind(t, func(t *testing.T, dir string) {
		eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
			for what, copies := range map[string]func(dst, src string) (int64, error){"CopyFile": file.CopyFile,
				"Copy": copyOpened} {
				src, dst := filled(t, dir, size), filepath.Join(dir, "copy")
				if shared, own := shares(t, src); shared != 0 || own < size {
					t.Fatalf("before %s %d bytes are shared, and %d are not", what, shared, own)
				}
				if n, err := copies(dst, src); n != size || err != nil {
					t.Fatalf("%s = %d, %v", what, n, err)
				}
				for _, name := range []string{src, dst} {
					if shared, own := shares(t, name); shared != size || own != 0 {
						t.Errorf("after %s %d bytes of %s are shared, and %d are not", what, shared,
							filepath.Base(name), own)
					}
				}
				if got, err := readFile(dst); err != nil || !bytes.Equal(got, bytesOf(size)) {
					t.Errorf("%s: the copy has %d bytes, or others: %v", what, len(got), err)
				}
				overwrite(t, dst, part)
				if shared, own := shares(t, dst); shared != size-part || own != part {
					t.Errorf("%s, then %d bytes written: %d are shared, and %d are not", what, part, shared, own)
				}
				if got, err := readFile(src); err != nil || !bytes.Equal(got, bytesOf(size)) {
					t.Errorf("%s: a write to the copy was one to the source: %v", what, err)
				}
				if err := errors.Join(os.Remove(src), os.Remove(dst)); err != nil {
					t.Error(err)
				}
			}
		})
	})
}

// copyOpened copies by Copy.
func copyOpened(dst, src string) (n int64, err error) {
	from, err := file.Open(src)
	if err != nil {
		return 0, err
	}
	defer from.Close()
	to, err := file.Create(dst)
	if err != nil {
		return 0, err
	}
	n, err = file.Copy(to, from)
	return n, errors.Join(err, to.Close())
}

// overwrite writes n bytes into the middle of a file.
func overwrite(t *testing.T, name string, n int) {
	t.Helper()
	f, err := file.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := f.WriteAt(bytes.Repeat([]byte("x"), n), 1<<20)
	if err := errors.Join(err, f.Close()); m != n || err != nil {
		t.Fatal(m, err)
	}
}

// CopyFile shares all at once (FICLONE) and asks for no copy, whoever calls.
func TestCopyFileClones(t *testing.T) {
	if dir := os.Getenv("RINGO_CLONES"); dir != "" {
		eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
			if n, err := file.CopyFile(filepath.Join(dir, "copy"), filepath.Join(dir, "filled")); n != 100_000 ||
				err != nil {
				t.Errorf("CopyFile = %d, %v", n, err)
			}
			t.Log(cloned)
		})
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skipf("no strace: %v", err)
	}
	eachKind(t, func(t *testing.T, dir string) {
		filled(t, dir, 100_000)
		out := filepath.Join(tempDir(t), "trace")
		cmd := exec.Command(strace, "-f", "-qq", "-e", "trace=ioctl,copy_file_range", "-e", "signal=none", "-o", out,
			os.Args[0], "-test.run", "^TestCopyFileClones$", "-test.v")
		cmd.Env = append(os.Environ(), "RINGO_CLONES="+dir)
		text, err := cmd.CombinedOutput()
		if err != nil {
			if strings.Contains(string(text), "ptrace") || strings.Contains(string(text), "not permitted") {
				t.Skipf("strace: %s", text)
			}
			t.Fatalf("%v: %s", err, text)
		}
		b, err := readFile(out)
		if err != nil {
			t.Fatal(err)
		}
		copies := strings.Count(string(text), cloned)
		clones := bytes.Count(b, []byte("FICLONE")) // after one that fails there is a copy_file_range
		if copies == 0 || clones != copies || strings.Contains(string(b), "copy_file_range") {
			t.Errorf("%d files were copied by the calls\n%s\nwant a FICLONE for each, and no copy_file_range", copies,
				b)
		}
	})
}

// cloned is what the child says for each copy.
const cloned = "copied a file"

// A Copy that waits for what a FIFO may never give keeps nobody from closing the file that
// it copies to, and nothing is written after that.
func TestCopyFromFIFOClose(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
		src, err := file.OpenFile(fifo(t), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(tempDir(t), "copy")
		dst, err := file.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := src.WriteString("first"); err != nil {
			t.Fatal(err)
		}
		join := begin(l, func() {
			if n, err := file.Copy(dst, src); n != 5 || !errors.Is(err, fs.ErrClosed) {
				t.Errorf("Copy = %d, %v, want 5 bytes and fs.ErrClosed", n, err)
			}
		})
		for got := ""; got != "first"; pause(l) {
			b, err := readFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got = string(b)
		}
		begin(l, func() {
			if err := dst.Close(); err != nil {
				t.Errorf("Close of what is copied to: %v", err)
			}
		})()
		if _, err := src.WriteString("second"); err != nil {
			t.Fatal(err)
		}
		join()
		if got, err := readFile(name); string(got) != "first" || err != nil {
			t.Errorf("the copy has %q, %v", got, err)
		}
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
}
