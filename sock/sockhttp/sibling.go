package sockhttp

import (
	"io/fs"
	"net/http"
	"strings"

	"ringo/file"
)

// sibling is a file beside another that has its content compressed: app.js.gz beside app.js. The loop that has the
// other open has it.
type sibling struct {
	info fs.FileInfo // when the other's name was looked up last; nil: it was not there, or older than the other
	file *openFile   // kept; nil: nobody has asked for it yet, or it had to make room
}

// choose gives the sibling of a file that the request wants rather than that, in use until done, and ends the use of
// the file; or else the file itself.
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

// decided reports whether who called the handler has begun the answer, or has said of it what is another for a sibling.
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
	if a != nil && a.header == nil { // it is not made for this
		return false
	}
	h := w.Header()
	_, tagged := h["Etag"]
	_, coded := h["Content-Encoding"]
	return tagged || coded
}

// sibling gives a file's sibling of a rank in Precompressed; nil: there is none that may be sent.
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

// newSibling is sibling of one that is not open. The shelf keeps it.
func (f *Files) newSibling(s *shelf, o *openFile, rank int) (c *openFile) {
	f.lookups.Add(1)
	if s.offload(func() { c = f.openSibling(o, rank) }) != nil {
		if c != nil {
			c.file.Close()
		}
		return nil // the task is to end, and says so when it writes
	}
	if c == nil { // it has gone since it was looked up, and is not tried before that is done again
		o.siblings[rank].info = nil
		return nil
	}
	s.adopt(c)
	return c
}

// openSibling opens a file's sibling for use, if it is not older. It may wait for the disk.
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

// covers reports whether a sibling may be sent in the place of the file.
func (o *openFile) covers(info fs.FileInfo) bool {
	return info.Mode().IsRegular() && !info.ModTime().Before(o.info.ModTime())
}

// siblingsOf finds out which siblings a file has. It may wait for the disk.
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

// noted takes in which siblings there are. One that is another file now is let go.
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

// adopt has a sibling kept with its file, if that is.
func (s *shelf) adopt(c *openFile) {
	if !c.plain.kept {
		return
	}
	at := &c.plain.siblings[c.rank]
	if at.file != nil { // two have opened it
		s.drop(at.file)
	}
	at.file = c
	s.keepOpen(c)
}

// is reports whether what was found is the file, as it was.
func (o *openFile) is(info fs.FileInfo) bool {
	return file.SameFile(info, o.info) && info.Size() == o.size && info.ModTime().Equal(o.info.ModTime())
}

// withoutDate is a request whose If-Range is no date: files with siblings have several contents, which often have one
// date, so that it does not say of which of them a client has a part (RFC 9110, 8.8.2.2). It gets the whole.
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
