package file

import (
	"io"
	"io/fs"
)

// WalkDir calls fn for root and everything below it, as filepath.WalkDir does, with fs.SkipDir and fs.SkipAll: in the
// order of names within a directory, without following links. It may wait; a task parks, and fn runs in it.
func WalkDir(root string, fn fs.WalkDirFunc) error {
	info, err := Lstat(root)
	return walkRoot(root, info, err, fn, ReadDir)
}

// WalkDir is like the function WalkDir, in d; root may be ".". It may wait; a task parks, and fn runs in it.
func (d *Root) WalkDir(root string, fn fs.WalkDirFunc) error {
	info, err := d.Lstat(root)
	return walkRoot(root, info, err, fn, d.ReadDir)
}

func walkRoot(root string, info fs.FileInfo, err error, fn fs.WalkDirFunc,
	readDir func(string) ([]fs.DirEntry, error)) error {
	if err != nil {
		err = fn(root, nil, err)
	} else {
		err = walkDir(root, fs.FileInfoToDirEntry(info), fn, readDir)
	}
	if err == fs.SkipDir || err == fs.SkipAll {
		return nil
	}
	return err
}

func walkDir(path string, d fs.DirEntry, fn fs.WalkDirFunc, readDir func(string) ([]fs.DirEntry, error)) error {
	if err := fn(path, d, nil); err != nil || !d.IsDir() {
		if err == fs.SkipDir && d.IsDir() {
			err = nil
		}
		return err
	}
	entries, err := readDir(path)
	if err != nil && err != io.EOF {
		if err = fn(path, d, err); err != nil {
			if err == fs.SkipDir && d.IsDir() {
				err = nil
			}
			return err
		}
	}
	for _, e := range entries {
		if err := walkDir(join(path, e.Name()), e, fn, readDir); err != nil {
			if err == fs.SkipDir {
				break
			}
			return err
		}
	}
	return nil
}
