package file

import (
	"errors"
	"io/fs"
)

// DirFS returns the files below a directory as an fs.FS, as os.DirFS does, for any goroutine and any task: with
// fs.ReadDirFS, fs.StatFS, fs.ReadFileFS and fs.ReadLinkFS. Each call looks up the directory by its name, and follows
// links wherever they lead; those of Root.FS do neither. Calls may wait; a task parks.
func DirFS(dir string) fs.FS { return namedFS(dir) }

// namedFS is the name of the directory.
type namedFS string

var _ interface {
	fs.ReadDirFS
	fs.StatFS
	fs.ReadFileFS
	fs.ReadLinkFS
} = namedFS("")

// at returns the system's name for a name in the fs.FS.
func (s namedFS) at(what, name string) (string, error) {
	if s == "" {
		return "", pathError(what, name, errors.New("file: DirFS with empty root"))
	}
	local, err := localize(name)
	if err != nil {
		return "", pathError(what, name, fs.ErrInvalid)
	}
	return within(string(s), local), nil
}

// Open opens a file or a directory, as a *File.
func (s namedFS) Open(name string) (fs.File, error) {
	at, err := s.at("open", name)
	if err != nil {
		return nil, err
	}
	f, err := Open(at)
	if err != nil {
		return nil, seen(err, name)
	}
	return f, nil
}

// ReadDir returns a directory's entries, sorted by name.
func (s namedFS) ReadDir(name string) ([]fs.DirEntry, error) {
	at, err := s.at("readdir", name)
	if err != nil {
		return nil, err
	}
	entries, err := ReadDir(at)
	return entries, seen(err, name)
}

// ReadFile returns the content of a file.
func (s namedFS) ReadFile(name string) ([]byte, error) {
	at, err := s.at("readfile", name)
	if err != nil {
		return nil, err
	}
	b, err := ReadFile(at)
	return b, seen(err, name)
}

// Stat describes a file.
func (s namedFS) Stat(name string) (fs.FileInfo, error) { return s.stat("stat", name, Stat) }

// Lstat describes a link itself.
func (s namedFS) Lstat(name string) (fs.FileInfo, error) { return s.stat("lstat", name, Lstat) }

func (s namedFS) stat(what, name string, stat func(string) (fs.FileInfo, error)) (fs.FileInfo, error) {
	at, err := s.at(what, name)
	if err != nil {
		return nil, err
	}
	info, err := stat(at)
	if err != nil {
		return nil, seen(err, name)
	}
	return info, nil
}

// ReadLink returns the target of a link.
func (s namedFS) ReadLink(name string) (string, error) {
	at, err := s.at("readlink", name)
	if err != nil {
		return "", err
	}
	to, err := Readlink(at)
	return to, seen(err, name)
}

// OpenInRoot opens a file in a directory for reading, and follows no link out of that, as os.OpenInRoot does. For
// several files use OpenRoot. It may wait; a task parks.
func OpenInRoot(dir, name string) (*File, error) {
	d, err := OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Open(name)
}
