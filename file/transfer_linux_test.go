//go:build linux

package file_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
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

// A copy that waits for a pipe keeps nobody from the file, and a cancel or Close ends it.
func TestCopyThatWaits(t *testing.T) {
	eachCaller(t, func(t *testing.T, l *ringo.Loop) {
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
			if n, err := io.Copy(f, r); n != 5 || !errors.Is(err, want) {
				t.Errorf("io.Copy = %d, %v, want 5, %v", n, err, want)
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
		if n, err := f.WriteString(" went"); n != 5 || err != nil {
			t.Errorf("WriteString beside a copy = %d, %v", n, err)
		}
		stop()
		join()
		if got, _ := readFile(f.Name()); string(got) != "came, went" {
			t.Errorf("the file holds %q", got)
		}
		if err := errors.Join(f.Close(), w.Close()); err != nil {
			t.Error(err)
		}
		r.Close()
	})
}

// A File that nobody opened gives and takes nothing.
func TestCopyOfNone(t *testing.T) {
	for name, f := range map[string]*file.File{"nil": nil, "zero": new(file.File)} {
		if n, err := f.ReadFrom(strings.NewReader("x")); n != 0 || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: ReadFrom = %d, %v", name, n, err)
		}
		if n, err := f.WriteTo(io.Discard); n != 0 || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: WriteTo = %d, %v", name, n, err)
		}
	}
}
