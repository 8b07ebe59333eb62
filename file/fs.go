package file

import (
	"errors"
	"io/fs"
	"path"
)

// FS returns the directory as an fs.FS, for any goroutine and any task: with fs.ReadDirFS, fs.StatFS, fs.ReadFileFS,
// fs.SubFS and fs.ReadLinkFS. It is usable until d is closed.
func (d *Root) FS() fs.FS { return dirFS{d, "."} }

// dirFS is a Root, or a directory in it, as an fs.FS.
type dirFS struct {
	d   *Root
	sub string
}

var _ interface {
	fs.ReadDirFS
	fs.StatFS
	fs.ReadFileFS
	fs.SubFS
	fs.ReadLinkFS
} = dirFS{}

// at returns the name in the Root.
func (s dirFS) at(what, name string) (string, error) {
	if _, err := localize(name); err != nil {
		return "", pathError(what, name, fs.ErrInvalid)
	}
	return path.Join(s.sub, name), nil
}

// seen replaces the name in an error by the one that the caller has given.
func seen(err error, name string) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return pathError(p.Op, name, p.Err)
	}
	return err
}

// Open opens a file or a directory, as a *File.
func (s dirFS) Open(name string) (fs.File, error) {
	at, err := s.at("open", name)
	if err != nil {
		return nil, err
	}
	f, err := s.d.Open(at)
	if err != nil {
		return nil, seen(err, name)
	}
	return f, nil
}

// ReadDir returns a directory's entries, sorted by name.
func (s dirFS) ReadDir(name string) ([]fs.DirEntry, error) {
	at, err := s.at("readdir", name)
	if err != nil {
		return nil, err
	}
	entries, err := s.d.ReadDir(at)
	return entries, seen(err, name)
}

// Stat describes a file.
func (s dirFS) Stat(name string) (fs.FileInfo, error) { return s.stat("stat", name, s.d.Stat) }

// Lstat describes a link itself.
func (s dirFS) Lstat(name string) (fs.FileInfo, error) { return s.stat("lstat", name, s.d.Lstat) }

func (s dirFS) stat(what, name string, stat func(string) (fs.FileInfo, error)) (fs.FileInfo, error) {
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

// ReadFile returns the content of a file.
func (s dirFS) ReadFile(name string) ([]byte, error) {
	at, err := s.at("readfile", name)
	if err != nil {
		return nil, err
	}
	b, err := s.d.ReadFile(at)
	return b, seen(err, name)
}

// ReadLink returns the target of a link.
func (s dirFS) ReadLink(name string) (string, error) {
	at, err := s.at("readlink", name)
	if err != nil {
		return "", err
	}
	to, err := s.d.Readlink(at)
	return to, seen(err, name)
}

// Sub returns the files below a directory, which need not exist yet.
func (s dirFS) Sub(name string) (fs.FS, error) {
	at, err := s.at("sub", name)
	if err != nil {
		return nil, err
	}
	return dirFS{s.d, at}, nil
}
