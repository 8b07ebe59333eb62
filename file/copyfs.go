package file

import (
	"io"
	"io/fs"
	"os"
)

// CopyFS copies everything in fsys into a directory, which it makes if necessary, as os.CopyFS does: directories with
// permissions 0777 before the umask, files with those of the originals and at least 0666 before the umask, links
// unchanged. It replaces no files: it fails with fs.ErrExist. It stops at the first error, and leaves the files copied
// so far. Files of package file, as of DirFS and Root.FS, are copied within the kernel, as by Copy; if a task calls it,
// another fsys must not block. It may wait; a task parks, and a cancelled one stops at the next step.
func CopyFS(dir string, fsys fs.FS) error {
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		local, err := localize(name)
		if err != nil {
			return err
		}
		to := within(dir, local)
		switch d.Type() {
		case fs.ModeDir:
			return MkdirAll(to, 0o777)
		case fs.ModeSymlink:
			target, err := fs.ReadLink(fsys, name)
			if err != nil {
				return err
			}
			return Symlink(target, to)
		case 0:
			return copyOut(fsys, name, to)
		}
		return &fs.PathError{Op: "CopyFS", Path: name, Err: fs.ErrInvalid}
	})
}

// copyOut copies a file of fsys to a new file.
func copyOut(fsys fs.FS, name, to string) error {
	r, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return err
	}
	w, err := OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666|info.Mode()&0o777)
	if err != nil {
		return err
	}
	if src, ok := r.(*File); ok {
		_, err = Copy(w, src)
	} else {
		_, err = io.Copy(w, r)
	}
	if err != nil {
		w.Close()
		return &fs.PathError{Op: "Copy", Path: to, Err: err}
	}
	return w.Close()
}
