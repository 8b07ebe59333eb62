package peers

import (
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"ringo"
	"ringo/file"
)

// ringoFiles says that files are package file's. Otherwise the functions below are those of package os.
var ringoFiles = os.Getenv("RINGO_PEERS") != ""

// A File replaces os.File in rewritten sources. Its methods are those of the file inside.
type File struct{ anyFile }

type anyFile interface {
	fs.ReadDirFile
	io.ReadWriteSeeker
	io.ReaderAt
	io.ReaderFrom
	io.StringWriter
	io.WriterAt
	io.WriterTo
	syscall.Conn
	Chdir() error
	Chmod(fs.FileMode) error
	Chown(uid, gid int) error
	Fd() uintptr
	Name() string
	Readdir(n int) ([]fs.FileInfo, error)
	Readdirnames(n int) ([]string, error)
	SetDeadline(time.Time) error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	Sync() error
	Truncate(size int64) error
}

var (
	_ anyFile = (*os.File)(nil)
	_ anyFile = (*file.File)(nil)
	_ anyFile = (*taskFile)(nil)
)

// Fd of a nil File behaves as that of a nil os.File.
func (f *File) Fd() uintptr {
	if f == nil {
		return (*os.File)(nil).Fd()
	}
	return f.anyFile.Fd()
}

// theirs wraps a file of package os in a File.
func theirs(f *os.File, err error) (*File, error) {
	if err != nil {
		return nil, err
	}
	return &File{f}, nil
}

// ours opens a file by package file and wraps it in a File, which uses it in tasks if tasks says so.
func ours(open func() (*file.File, error)) (*File, error) {
	l := Loop()
	if !tasks {
		f, err := open()
		if err != nil {
			return nil, err
		}
		return &File{f}, nil
	}
	f, err := in(l, open)
	if err != nil {
		return nil, err
	}
	return &File{&taskFile{f, l}}, nil
}

// named calls a function that takes names, in a task if tasks says so.
func named(call func() error) error {
	_, err := asked(func() (struct{}, error) { return struct{}{}, call() })
	return err
}

// asked is named for a function with a result.
func asked[R any](call func() (R, error)) (R, error) {
	if tasks {
		return in(all[next.Add(1)%loops], call)
	}
	return call()
}

func Open(name string) (*File, error) { return OpenFile(name, os.O_RDONLY, 0) }

func Create(name string) (*File, error) {
	return OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

func OpenFile(name string, flag int, perm fs.FileMode) (*File, error) {
	if !ringoFiles {
		return theirs(os.OpenFile(name, flag, perm))
	}
	return ours(func() (*file.File, error) { return file.OpenFile(name, flag, perm) })
}

func CreateTemp(dir, pattern string) (*File, error) {
	if !ringoFiles {
		return theirs(os.CreateTemp(dir, pattern))
	}
	return ours(func() (*file.File, error) { return file.CreateTemp(dir, pattern) })
}

func MkdirTemp(dir, pattern string) (string, error) {
	if !ringoFiles {
		return os.MkdirTemp(dir, pattern)
	}
	return asked(func() (string, error) { return file.MkdirTemp(dir, pattern) })
}

func ReadDir(name string) ([]fs.DirEntry, error) {
	if !ringoFiles {
		return os.ReadDir(name)
	}
	return asked(func() ([]fs.DirEntry, error) { return file.ReadDir(name) })
}

func ReadFile(name string) ([]byte, error) {
	if !ringoFiles {
		return os.ReadFile(name)
	}
	return asked(func() ([]byte, error) { return file.ReadFile(name) })
}

func Readlink(name string) (string, error) {
	if !ringoFiles {
		return os.Readlink(name)
	}
	return asked(func() (string, error) { return file.Readlink(name) })
}

func Stat(name string) (fs.FileInfo, error) {
	if !ringoFiles {
		return os.Stat(name)
	}
	return asked(func() (fs.FileInfo, error) { return file.Stat(name) })
}

func Lstat(name string) (fs.FileInfo, error) {
	if !ringoFiles {
		return os.Lstat(name)
	}
	return asked(func() (fs.FileInfo, error) { return file.Lstat(name) })
}

func SameFile(a, b fs.FileInfo) bool {
	if !ringoFiles {
		return os.SameFile(a, b)
	}
	return file.SameFile(a, b)
}

func Chmod(name string, mode fs.FileMode) error {
	if !ringoFiles {
		return os.Chmod(name, mode)
	}
	return named(func() error { return file.Chmod(name, mode) })
}

func Chown(name string, uid, gid int) error {
	if !ringoFiles {
		return os.Chown(name, uid, gid)
	}
	return named(func() error { return file.Chown(name, uid, gid) })
}

func Lchown(name string, uid, gid int) error {
	if !ringoFiles {
		return os.Lchown(name, uid, gid)
	}
	return named(func() error { return file.Lchown(name, uid, gid) })
}

func Chtimes(name string, atime, mtime time.Time) error {
	if !ringoFiles {
		return os.Chtimes(name, atime, mtime)
	}
	return named(func() error { return file.Chtimes(name, atime, mtime) })
}

func Link(oldname, newname string) error {
	if !ringoFiles {
		return os.Link(oldname, newname)
	}
	return named(func() error { return file.Link(oldname, newname) })
}

func Symlink(oldname, newname string) error {
	if !ringoFiles {
		return os.Symlink(oldname, newname)
	}
	return named(func() error { return file.Symlink(oldname, newname) })
}

func Mkdir(name string, perm fs.FileMode) error {
	if !ringoFiles {
		return os.Mkdir(name, perm)
	}
	return named(func() error { return file.Mkdir(name, perm) })
}

func MkdirAll(path string, perm fs.FileMode) error {
	if !ringoFiles {
		return os.MkdirAll(path, perm)
	}
	return named(func() error { return file.MkdirAll(path, perm) })
}

func Remove(name string) error {
	if !ringoFiles {
		return os.Remove(name)
	}
	return named(func() error { return file.Remove(name) })
}

func RemoveAll(path string) error {
	if !ringoFiles {
		return os.RemoveAll(path)
	}
	return named(func() error { return file.RemoveAll(path) })
}

func Rename(oldname, newname string) error {
	if !ringoFiles {
		return os.Rename(oldname, newname)
	}
	return named(func() error { return file.Rename(oldname, newname) })
}

func Truncate(name string, size int64) error {
	if !ringoFiles {
		return os.Truncate(name, size)
	}
	return named(func() error { return file.Truncate(name, size) })
}

func WriteFile(name string, data []byte, perm fs.FileMode) error {
	if !ringoFiles {
		return os.WriteFile(name, data, perm)
	}
	return named(func() error { return file.WriteFile(name, data, perm) })
}

// A taskFile is a file that goroutines use by tasks: each method here runs in one. Methods that are not here are called
// as they are.
type taskFile struct {
	*file.File
	l *ringo.Loop
}

// ended is the result of a call that has none.
type ended = struct{}

func (f *taskFile) do(call func() error) error {
	_, err := in(f.l, func() (ended, error) { return ended{}, call() })
	return err
}

func (f *taskFile) Read(p []byte) (int, error) {
	return in(f.l, func() (int, error) { return f.File.Read(p) })
}

func (f *taskFile) ReadAt(p []byte, off int64) (int, error) {
	return in(f.l, func() (int, error) { return f.File.ReadAt(p, off) })
}

func (f *taskFile) Write(p []byte) (int, error) {
	return in(f.l, func() (int, error) { return f.File.Write(p) })
}

func (f *taskFile) WriteAt(p []byte, off int64) (int, error) {
	return in(f.l, func() (int, error) { return f.File.WriteAt(p, off) })
}

func (f *taskFile) WriteString(s string) (int, error) {
	return in(f.l, func() (int, error) { return f.File.WriteString(s) })
}

// ReadFrom calls the reader on the goroutine, since it may be anything.
func (f *taskFile) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{f}, struct{ io.Reader }{r})
}

// WriteTo calls the writer on the goroutine.
func (f *taskFile) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(struct{ io.Writer }{w}, struct{ io.Reader }{f})
}

func (f *taskFile) Seek(offset int64, whence int) (int64, error) {
	return in(f.l, func() (int64, error) { return f.File.Seek(offset, whence) })
}

func (f *taskFile) ReadDir(n int) ([]fs.DirEntry, error) {
	return in(f.l, func() ([]fs.DirEntry, error) { return f.File.ReadDir(n) })
}

func (f *taskFile) Readdir(n int) ([]fs.FileInfo, error) {
	return in(f.l, func() ([]fs.FileInfo, error) { return f.File.Readdir(n) })
}

func (f *taskFile) Readdirnames(n int) ([]string, error) {
	return in(f.l, func() ([]string, error) { return f.File.Readdirnames(n) })
}

func (f *taskFile) Stat() (fs.FileInfo, error) { return in(f.l, f.File.Stat) }
func (f *taskFile) Chmod(mode fs.FileMode) error {
	return f.do(func() error { return f.File.Chmod(mode) })
}
func (f *taskFile) Chown(uid, gid int) error {
	return f.do(func() error { return f.File.Chown(uid, gid) })
}
func (f *taskFile) Truncate(size int64) error {
	return f.do(func() error { return f.File.Truncate(size) })
}
func (f *taskFile) Sync() error  { return f.do(f.File.Sync) }
func (f *taskFile) Close() error { return f.do(f.File.Close) }
