package sockhttp

import (
	"io/fs"
	"net/http"
	"strings"

	"ringo/file"
)

// sibling is a file that has the compressed content of another: app.js.gz beside app.js. It belongs to the loop that
// has the other open.
type sibling struct {
	info fs.FileInfo // when the original's name was last looked up; nil: missing, or older than the original
	file *openFile   // kept open; nil: not requested yet, or dropped
}

// choose returns the sibling that the request prefers to the file, in use until done, and ends the use of the file; if
// there is none, it returns the file.
func (f *Files) choose(s *shelf, o *openFile, w http.ResponseWriter, r *http.Request) *openFile {
	if len(f.Precompressed) == 0 {
		return o
	}
	lines := r.Header["Accept-Encoding"]
	if len(lines) == 0 || decided(w) {
		return o
	}
	wants := wishesOf(lines)
	for {
		i := wants.best(f.Precompressed)
		if i < 0 {
			return o
		}
		if c := f.sibling(s, o, i); c != nil {
			f.done(s, o)
			return c
		}
	}
}

// decided reports whether the handler's caller has begun the answer, or has set fields that differ for a sibling.
func decided(w http.ResponseWriter) bool {
	var a *answer
	switch w := w.(type) {
	case *response:
		a = &w.answer
	case *response2:
		a = &w.answer
	}
	if a != nil && a.status != 0 {
		return true
	}
	if a != nil && a.header == nil { // it is not made just for this
		return false
	}
	h := w.Header()
	_, tagged := h["Etag"]
	_, coded := h["Content-Encoding"]
	return tagged || coded
}

// sibling returns the sibling of a file with that rank in Precompressed; nil if none may be sent.
func (f *Files) sibling(s *shelf, o *openFile, rank int) *openFile {
	if s == nil {
		return f.openSibling(o, rank)
	}
	switch at := &o.siblings[rank]; {
	case at.file != nil:
		s.use(at.file)
		return at.file
	case at.info != nil:
		return f.newSibling(s, o, rank)
	}
	return nil
}

// newSibling opens a sibling. The shelf keeps it.
func (f *Files) newSibling(s *shelf, o *openFile, rank int) (c *openFile) {
	f.lookups.Add(1)
	if s.offload(func() { c = f.openSibling(o, rank) }) != nil {
		if c != nil {
			c.file.Close()
		}
		return nil // the task is to end, and its write says so
	}
	if c == nil { // it is gone; no other attempt before the next look-up
		o.siblings[rank].info = nil
		return nil
	}
	s.adopt(c)
	return c
}

// openSibling opens a sibling for use, unless it is older than its file. It may wait for the disk.
func (f *Files) openSibling(o *openFile, rank int) *openFile {
	ending := f.Precompressed[rank]
	name := o.name + "." + ending
	opened, info, err := openBelow(f.Root, name)
	if err != nil || opened == nil {
		return nil
	}
	if !o.covers(info) {
		opened.Close()
		return nil
	}
	c := &openFile{path: o.path, name: name, file: opened, info: info, size: info.Size(), kind: o.kind,
		coding: codings[codingOf(ending)].token, plain: o, rank: rank, users: 1}
	f.say(c)
	return c
}

// covers reports whether a sibling may be sent instead of the file.
func (o *openFile) covers(info fs.FileInfo) bool {
	return info.Mode().IsRegular() && !info.ModTime().Before(o.info.ModTime())
}

// siblingsOf looks up which siblings a file has. It may wait for the disk.
func (f *Files) siblingsOf(o *openFile) []fs.FileInfo {
	if len(f.Precompressed) == 0 {
		return nil
	}
	found := make([]fs.FileInfo, len(f.Precompressed))
	for i, ending := range f.Precompressed {
		if info, err := f.Root.Stat(o.name + "." + ending); err == nil && o.covers(info) {
			found[i] = info
		}
	}
	return found
}

// noted notes which siblings there are. An open one that was replaced is dropped.
func (s *shelf) noted(o *openFile, found []fs.FileInfo) {
	if o.siblings == nil && len(found) > 0 {
		o.siblings = make([]sibling, len(found))
	}
	for i, info := range found {
		at := &o.siblings[i]
		if at.info = info; at.file != nil && (info == nil || !at.file.is(info)) {
			s.drop(at.file)
		}
	}
}

// adopt keeps a sibling open with its file, if that is kept.
func (s *shelf) adopt(c *openFile) {
	if !c.plain.kept {
		return
	}
	at := &c.plain.siblings[c.rank]
	if at.file != nil { // two tasks have opened it
		s.drop(at.file)
	}
	at.file = c
	s.keepOpen(c)
}

// is reports whether info is that of the file, unchanged.
func (o *openFile) is(info fs.FileInfo) bool {
	return file.SameFile(info, o.info) && info.Size() == o.size && info.ModTime().Equal(o.info.ModTime())
}

// withoutDate drops a Range whose If-Range is a date: the contents of files with siblings often have the same date,
// which does not show of which one a client has a part (RFC 9110, 8.8.2.2). The client gets the whole content.
func withoutDate(r *http.Request) *http.Request {
	date := r.Header.Get("If-Range")
	if date == "" || strings.HasPrefix(date, `"`) || strings.HasPrefix(date, "W/") || r.Header["Range"] == nil {
		return r
	}
	whole := new(http.Request)
	*whole = *r
	whole.Header = r.Header.Clone()
	delete(whole.Header, "Range")
	return whole
}
