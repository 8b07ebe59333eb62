package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"strconv"
	"time"

	"ringo/file"
	"ringo/internal/posix"
)

// servedFile is a file that is served, open, with what is known of it. One loop owns it.
type servedFile struct {
	path   string // of the target
	name   string // below DIR
	file   *file.File
	info   fs.FileInfo
	size   int64
	etag   string
	kind   string // its Content-Type
	dates  string // Last-Modified, or nothing
	fields string // those that an answer with the whole file has

	warmth

	users   int
	checked int64 // when the name was last found to lead here
	checks  bool  // somebody is looking
	cached  bool

	newer, older *servedFile // in the cache's order of use
}

// lookupResult is what a target leads to: a file, or what to say in place of one.
type lookupResult struct {
	file   *servedFile
	status int    // 200: the file, or a directory to be listed
	to     string // a redirect's
	list   string // a directory's name
	info   fs.FileInfo
}

// errNode is of what is there and is neither a file nor a directory.
var errNode = errors.New("neither a file nor a directory")

// openBelow opens a file below root for reading, whatever is there under its name: only what is
// a file is opened at all, since to open others may wait, or do something to a device.
func openBelow(root *file.Root, name string) (*file.File, fs.FileInfo, error) {
	info, err := root.Stat(name)
	if err != nil || info.IsDir() {
		return nil, info, err
	}
	if !info.Mode().IsRegular() {
		return nil, info, errNode
	}
	f, err := root.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, nil, err
	}
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() { // it was replaced meanwhile
		err = errNode
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// resolve looks a target up, as http.FileServer does. It may wait for the disk: it is for the
// offload.
func resolve(root *file.Root, t *target) (lookupResult, error) {
	name := t.name()
	f, info, err := openBelow(root, name)
	switch {
	case err != nil:
		return lookupResult{}, err
	case info.IsDir() && !t.slash():
		return lookupResult{status: http.StatusMovedPermanently, to: t.redirect(path.Base(t.raw) + "/")}, nil
	case f != nil && t.slash():
		f.Close()
		return lookupResult{status: http.StatusMovedPermanently, to: t.redirect("../" + path.Base(t.raw))}, nil
	case f == nil:
		index := path.Join(name, indexName)
		var in fs.FileInfo
		if f, in, err = openBelow(root, index); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return lookupResult{}, err
		}
		if f == nil {
			return lookupResult{status: http.StatusOK, list: name, info: info}, nil
		}
		name, info = index, in
	}
	o, err := describe(t.path, name, f, info)
	if err != nil {
		f.Close()
		return lookupResult{}, err
	}
	return lookupResult{file: o, status: http.StatusOK}, nil
}

// sniffLen is what http.DetectContentType looks at.
const sniffLen = 512

func describe(target, name string, f *file.File, info fs.FileInfo) (*servedFile, error) {
	o := &servedFile{path: target, name: name, file: f, info: info, size: info.Size()}
	if o.kind = mime.TypeByExtension(path.Ext(name)); o.kind == "" {
		var head [sniffLen]byte
		n, err := f.ReadAt(head[:], 0)
		if err != nil && n == 0 && o.size > 0 {
			return nil, err
		}
		o.kind = http.DetectContentType(head[:n])
	}
	modified := info.ModTime()
	o.etag = `"` + strconv.FormatInt(o.size, 36) + "-" + strconv.FormatInt(modified.UnixNano(), 36) + `"`
	if !isEpoch(modified) {
		o.dates = "Last-Modified: " + modified.UTC().Format(http.TimeFormat) + "\r\n"
	}
	o.fields = fmt.Sprintf("Content-Type: %s\r\n%sETag: %s\r\nAccept-Ranges: bytes\r\nContent-Length: %d\r\n", o.kind,
		o.dates, o.etag, o.size)
	o.ask()
	return o, nil
}

// modified is when the file was written last.
func (o *servedFile) modified() time.Time { return o.info.ModTime() }

// same reports whether the name still leads to the file, as it was. It may wait for the disk.
func (o *servedFile) same(root *file.Root) bool {
	info, err := root.Stat(o.name)
	return err == nil && file.SameFile(info, o.info) && info.Size() == o.size && info.ModTime().Equal(o.modified())
}

// statusOf is what a client is told of an error, which is no more than that.
func statusOf(err error) int {
	var errno posix.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return http.StatusNotFound
	case errors.Is(err, fs.ErrPermission), errors.Is(err, errNode), errors.Is(err, file.ErrEscapes):
		return http.StatusForbidden
	case !errors.As(err, &errno):
		return http.StatusInternalServerError
	}
	switch errno {
	case posix.ENOTDIR, posix.ENAMETOOLONG, posix.EINVAL:
		return http.StatusNotFound
	case posix.ELOOP, posix.EXDEV:
		return http.StatusForbidden
	case posix.EMFILE, posix.ENFILE, posix.ENOMEM:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
