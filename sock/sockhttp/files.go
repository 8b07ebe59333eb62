package sockhttp

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/lane"
	"ringo/internal/loop"
	"ringo/internal/perloop"
	"ringo/internal/posix"
)

// Files is a handler that serves the files below a directory, as http.FileServer does: ranges, conditions, types,
// index.html, redirects and listings. Mark it by Task: in a task each loop keeps files open, and sends by sendfile(2)
// what is in memory, so that it never waits for the disk. Where its handler runs on a goroutine, files are opened for
// each request. Its fields must not be changed once it serves.
//
// It differs from http.FileServer, which opens whatever it finds. Only regular files are opened, and no name or link
// leads out of Root: otherwise the answer is 403, as it is if a directory's index.html can't be opened. An impossible
// name, such as one too long, gets 404, and 503 says that there are no descriptors. Listings have 10,000 names at most.
//
// A file that is replaced by a rename is served as it was for Fresh. One that is truncated while it is sent ends its
// connection, or its stream of HTTP/2 with an error, since its Content-Length has been sent. One that has grown is sent
// with its former length.
type Files struct {
	// Root is the directory.
	Root *file.Root
	// Keep is how many files each loop keeps open between requests: those used last. 0 means 1000, less means none.
	Keep int
	// Fresh is how long the name of an open file is not looked up again; 0 means a second, less means not at all.
	Fresh time.Duration
	// Idle is how long a peer may take nothing of a file that is sent by HTTP/1, and not as several ranges, before its
	// connection is closed. It replaces the server's WriteByteTimeout, and WriteTimeout, which counts for the whole
	// answer; 0 keeps those.
	Idle time.Duration
	// ETags gives each file an entity tag, made of its size and the time of its last change.
	ETags bool
	// NoList answers 403 instead of listing a directory.
	NoList bool
	// Precompressed lists "br", "zst" and "gz", or some of them: clients whose Accept-Encoding allows one get
	// app.js.br, app.js.zst or app.js.gz instead of app.js, the first in the list if they have no preference. Nothing
	// is compressed here. Nil means none. Any other string panics at a request.
	//
	// A sibling is sent if it is a regular file below Root whose time is not before that of its original, so that a
	// forgotten sibling is not sent for an original that was written since. Times don't show that an original was
	// replaced by an older file: remove its siblings first then. Siblings are looked up when the original's name is,
	// every Fresh, and open ones are among the files of Keep. One that can't be opened is ignored, and so are all if
	// the handler's caller has set an ETag or Content-Encoding, or has begun the answer.
	//
	// The answer has Content-Encoding, the original's Content-Type, and the sibling's entity tag, time and ranges. All
	// answers with files get tags, as by ETags, and Vary: Accept-Encoding, even those without a sibling: one may be
	// added, and then a cache must not give all clients what it had before. A date in If-Range never matches, since the
	// files often have the same date. A client that refuses the plain file, by identity;q=0, gets it nevertheless if
	// there is nothing else.
	Precompressed []string

	shelves perloop.Values[shelf]
	lookups atomic.Int64
	look    time.Duration // lookFor, which tests change
	warm    time.Duration // warmFor, which tests change
}

// FileServer returns a handler of Task that serves the files below a directory. See Files, which has choices.
func FileServer(root *file.Root) http.Handler { return Task(&Files{Root: root}) }

const (
	keepDefault  = 1000
	freshDefault = time.Second
	listMax      = 10_000 // names listed of a directory
	relieveMax   = 3      // attempts to open a file for which there is no descriptor
)

// Lookups returns how often a request had to open a file, or a sibling of Precompressed, because none was kept open
// under its name. Any goroutine may call it.
func (f *Files) Lookups() int64 { return f.lookups.Load() }

// Close closes the files that are kept open. No request may be under way, nor come later. Any goroutine may call it; a
// task parks if other loops have files. It does not close Root.
func (f *Files) Close() {
	f.shelves.Each(func(l *loop.Loop, _ *shelf) bool {
		s := f.shelves.Take(l)
		if s != nil && (*ringo.Loop)(l).Call(func() error { s.clear(); return nil }) != nil {
			s.clear() // the loop has ended
		}
		return true
	})
}

// ServeHTTP answers with the file or directory that the request's URL names.
func (f *Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := f.shelf()
	o, err := f.find(s, r)
	var done bool
	if err == nil {
		o = f.choose(s, o, w, r)
		done, err = f.whole(s, o, w, r)
		if p := o.path; err != nil { // it was truncated since it was opened
			s.drop(o)
			s.done(o)
			if o, err = f.search(s, p); err == nil {
				o = f.choose(s, o, w, r)
				done, _ = f.whole(s, o, w, r)
			}
		}
	}
	switch {
	case err == errOther:
		Goroutine(f.others()).ServeHTTP(w, r) // it sorts a directory's names, for one
		return
	case err != nil:
		if s != nil && s.l.Canceled() { // the file is not the reason
			panic(http.ErrAbortHandler)
		}
		fail(w, err)
		return
	}
	defer f.done(s, o)
	if !done {
		f.content(s, o, w, r)
	}
}

// content lets net/http answer with a file.
func (f *Files) content(s *shelf, o *openFile, w http.ResponseWriter, r *http.Request) {
	if f.tags() && w.Header()["Etag"] == nil {
		w.Header()["Etag"] = []string{o.etag}
	}
	if len(f.Precompressed) > 0 {
		w.Header().Add("Vary", "Accept-Encoding")
		r = withoutDate(r)
	}
	c := &content{o: o, s: s, idle: f.Idle}
	serve := func(w http.ResponseWriter, r *http.Request) {
		if o.coding != "" {
			c.header = w.Header()
			if _, set := c.header["Content-Type"]; !set {
				c.header["Content-Type"] = []string{o.kind}
			}
		}
		http.ServeContent(w, r, o.name, o.info.ModTime(), c)
	}
	if s == nil || strings.IndexByte(r.Header.Get("Range"), ',') < 0 {
		serve(w, r)
	} else {
		c.s = nil // net/http reads several ranges on a goroutine, which a task would have to wait for
		Goroutine(http.HandlerFunc(serve)).ServeHTTP(w, r)
	}
	if c.cut {
		panic(http.ErrAbortHandler) // otherwise the answer would end as if it were whole
	}
}

// errOther means that a path does not name a file: net/http answers.
var errOther = errors.New("sockhttp: a directory, or to be redirected")

// errNode is the error of something that is neither a file nor a directory.
var errNode = errors.New("sockhttp: neither a file nor a directory")

// find returns the file for a request; it is in use until done.
func (f *Files) find(s *shelf, r *http.Request) (*openFile, error) {
	p := r.URL.Path
	if s == nil {
		return f.search(nil, cleaned(p))
	}
	o := s.byPath[p]
	if o == nil { // the map has clean paths
		p = cleaned(p)
		if o = s.byPath[p]; o == nil {
			return f.search(s, p)
		}
	}
	return f.known(s, o)
}

// cleaned returns a path as the shelves know it: clean, with a slash at the end if it had one; "" if it can't name a
// file.
func cleaned(p string) string {
	c := path.Clean("/" + p)
	switch slash := p == "" || strings.HasSuffix(p, "/"); {
	case strings.HasSuffix(p, "/"+indexName), c == "/" && !slash:
		return ""
	case c != "/" && slash:
		return c + "/"
	}
	return c
}

const indexName = "index.html"

// known is find for a file that is open. From time to time one task checks whether the name still leads to it; the
// others go on with the open file meanwhile.
func (f *Files) known(s *shelf, o *openFile) (*openFile, error) {
	s.use(o)
	now := s.now()
	if now-o.checked < int64(s.fresh) || o.checks {
		return o, nil
	}
	same := false
	var found []fs.FileInfo
	o.checks = true
	err := s.offload(func() {
		if same = o.same(f.Root); same {
			found = f.siblingsOf(o)
		}
	})
	o.checks = false
	if err == nil && same {
		o.checked = now
		s.noted(o, found)
		return o, nil
	}
	s.drop(o)
	s.done(o)
	if err != nil {
		return nil, err
	}
	return f.search(s, o.path)
}

// search looks a path up on disk. A shelf keeps the file that it finds.
func (f *Files) search(s *shelf, p string) (o *openFile, err error) {
	f.lookups.Add(1)
	var found []fs.FileInfo
	for try := 0; ; try++ {
		lookup := func() {
			if o, err = f.resolve(p); err == nil && s != nil {
				found = f.siblingsOf(o)
			}
		}
		if s == nil {
			lookup()
		} else if failed := s.offload(lookup); failed != nil {
			if o != nil {
				o.file.Close()
			}
			return nil, failed
		}
		if try == relieveMax || !errors.Is(err, posix.EMFILE) && !errors.Is(err, posix.ENFILE) || !f.relieve() {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	o.users++
	if s != nil {
		s.noted(o, found)
		s.add(o)
	}
	return o, nil
}

// done ends the use of a file.
func (f *Files) done(s *shelf, o *openFile) {
	if s == nil {
		o.file.Close()
	} else {
		s.done(o)
	}
}

// relieve makes all loops close half of the open files that no request uses, and waits for that. It reports whether
// there were any.
func (f *Files) relieve() (found bool) {
	f.shelves.Each(func(l *loop.Loop, s *shelf) bool {
		var back []*openFile
		(*ringo.Loop)(l).Call(func() error { // a loop that has ended opens no files
			back = s.giveBack()
			return nil
		})
		found = found || len(back) > 0
		closeFiles(back...)
		return true
	})
	return found
}

// closeFiles closes files. That may wait for the disk, so it does not happen on the loop.
func closeFiles(files ...*openFile) {
	closing := func() {
		for _, o := range files {
			o.file.Close()
		}
	}
	if !elsewhere(lane.Files, closing) { // the loop ends
		closing()
	}
}

// resolve looks a path up. It may wait for the disk.
func (f *Files) resolve(p string) (*openFile, error) {
	if p == "" {
		return nil, errOther
	}
	name := strings.Trim(p, "/")
	if name == "" {
		name = "."
	}
	opened, info, err := openBelow(f.Root, name)
	slash := strings.HasSuffix(p, "/")
	switch {
	case err != nil:
		return nil, err
	case opened != nil && slash:
		opened.Close()
		return nil, errOther
	case opened == nil && !slash:
		return nil, errOther
	case opened == nil:
		name = path.Join(name, indexName)
		opened, info, err = openBelow(f.Root, name)
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && opened == nil:
			if f.NoList {
				return nil, fs.ErrPermission
			}
			return nil, errOther
		case err != nil:
			return nil, err
		}
	}
	o, err := f.describe(p, name, opened, info)
	if err != nil {
		opened.Close()
		return nil, err
	}
	return o, nil
}

// openBelow opens a regular file below root for reading. It opens nothing else, since that may wait, or have an effect
// on a device. For a directory the file is nil.
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

// others answers requests that are not for one file: redirects and listings.
func (f *Files) others() http.Handler { return http.FileServer(directory{f.Root}) }

// directory is a Root as an http.FileSystem that has only files and directories.
type directory struct{ root *file.Root }

// Open opens a file or a directory.
func (d directory) Open(name string) (http.File, error) {
	if name = strings.Trim(name, "/"); name == "" {
		name = "."
	}
	opened, info, err := openBelow(d.root, name)
	if err == nil && info.IsDir() {
		opened, err = d.root.Open(name)
	}
	if err == nil {
		return listed{opened}, nil
	}
	switch statusOf(err) {
	case http.StatusForbidden:
		return nil, fs.ErrPermission
	case http.StatusNotFound:
		return nil, fs.ErrNotExist
	}
	return nil, err
}

// listed is a directory of which at most listMax names are listed.
type listed struct{ *file.File }

// ReadDir returns the names, up to listMax.
func (d listed) ReadDir(int) ([]fs.DirEntry, error) {
	all, err := d.File.ReadDir(listMax)
	if err == io.EOF {
		err = nil
	}
	return all, err
}

// fail answers with the status of an error, which is all that a client learns of it.
func fail(w http.ResponseWriter, err error) {
	for _, key := range []string{"Cache-Control", "Content-Encoding", "Etag", "Last-Modified"} { // fields of the file
		w.Header().Del(key)
	}
	status := statusOf(err)
	if status == http.StatusNotFound {
		http.NotFound(w, nil)
		return
	}
	http.Error(w, strconv.Itoa(status)+" "+http.StatusText(status), status)
}

// statusOf returns the status for an error.
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
