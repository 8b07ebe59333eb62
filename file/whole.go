package file

import (
	"io/fs"
	"os"
)

// ReadFile returns a file's content, as os.ReadFile does. It may wait; a task parks.
func ReadFile(name string) ([]byte, error) {
	f, err := Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.readAll()
}

// readAll reads a file that was just opened to its end, which may differ from the size: files of /proc have size 0.
func (f *File) readAll() ([]byte, error) {
	size := 0
	if f.size == int64(int(f.size)) {
		size = int(f.size)
	}
	b := make([]byte, 0, max(size+1, 512)) // one byte more, to see the end
	for {
		n, end, err := f.get(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if end || err != nil {
			return b, err
		}
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}

// WriteFile makes data the content of a file, as os.WriteFile does; perm is the mode of a new file. Readers may see a
// part of data meanwhile, or after a crash; see WriteFileAtomic. It may wait; a task parks.
func WriteFile(name string, data []byte, perm fs.FileMode) error {
	f, err := OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	return f.writeAll(data)
}

// writeAll writes data and closes the file.
func (f *File) writeAll(data []byte) error {
	_, err := f.Write(data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
