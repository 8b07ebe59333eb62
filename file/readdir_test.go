package file_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ringo"
	"ringo/file"
)

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
		confined, err := file.OpenDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer confined.Close()
		for what, open := range map[string]func() (directory, error){
			"Open":     func() (directory, error) { return file.Open(dir) },
			"Dir.Open": func() (directory, error) { return confined.Open(".") },
			"Dir.FS": func() (directory, error) {
				f, err := confined.FS().Open(".")
				return f.(directory), err
			},
			"Adopt of os.Open": func() (directory, error) { f, _ := os.Open(dir); return file.Adopt(f) },
		} {
			ours, err := open()
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

// Info asks also when the directory is closed, and of a file that was opened in a Dir it does not leave that.
func TestEntriesOutliveTheFile(t *testing.T) {
	dir := tempDir(t)
	if err := writeFile(dir+"/x", []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		d, err := file.OpenDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for what, open := range map[string]func() (*file.File, error){
			"Open":     func() (*file.File, error) { return file.Open(dir) },
			"Dir.Open": func() (*file.File, error) { return d.Open(".") },
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
			if what == "Dir.Open" {
				d.Close()
				if _, err := entries[0].Info(); !errors.Is(err, fs.ErrClosed) {
					t.Errorf("Info when the Dir is closed: %v, want fs.ErrClosed", err)
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
		want, wantErr := statOf(dir)
		if err := errors.Join(err, wantErr, here.Chdir()); err != nil {
			t.Fatal(err)
		}
		if !file.SameFile(st, want) {
			t.Errorf("behind Chdir . is another directory")
		}
	})
}
