package sockhttp

import (
	"context"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"time"

	"ringo/file"
	"ringo/internal/invariant"
	"ringo/internal/lane"
	"ringo/internal/loop"
)

// openFile is an open file that is served, with what is known of it. One loop owns it; a goroutine that serves a
// request for it uses only fields that do not change.
type openFile struct {
	path   string // of the URL
	name   string // below the root
	file   *file.File
	info   fs.FileInfo
	size   int64
	kind   string // its media type
	coding string // whose content is that of another file in this coding; "": it is none
	etag   string
	fields []field // of an answer with the whole file
	head   string  // the same fields as lines

	warmth

	siblings []sibling // by rank in Files.Precompressed
	plain    *openFile // the file whose sibling this is; nil: it is none
	rank     int

	users   int
	checked int64 // when the name was last found to lead to this file
	checks  bool  // a task is checking the name
	kept    bool

	newer, older *openFile // in the shelf's order of use
}

func (f *Files) describe(p, name string, opened *file.File, info fs.FileInfo) (*openFile, error) {
	o := &openFile{path: p, name: name, file: opened, info: info, size: info.Size()}
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" {
		var head [sniffMax]byte
		n, err := opened.ReadAt(head[:], 0)
		if err != nil && n == 0 && o.size > 0 {
			return nil, err
		}
		kind = http.DetectContentType(head[:n])
	}
	o.kind = kind
	f.say(o)
	return o, nil
}

// tags reports whether files have entity tags. Siblings need them: by time alone a client can't tell which one it has.
func (f *Files) tags() bool { return f.ETags || len(f.Precompressed) > 0 }

// say makes the entity tag and the header fields of a file.
func (f *Files) say(o *openFile) {
	modified := o.info.ModTime()
	o.etag = strconv.FormatInt(o.size, 36) + "-" + strconv.FormatInt(modified.UnixNano(), 36)
	o.fields = []field{{"Accept-Ranges", "bytes", false}}
	if o.coding != "" {
		o.etag += "-" + o.coding // size and time may be the original's
		o.fields = append(o.fields, field{"Content-Encoding", o.coding, false})
	}
	o.etag = `"` + o.etag + `"`
	o.fields = append(o.fields, field{"Content-Length", strconv.FormatInt(o.size, 10), false},
		field{"Content-Type", o.kind, false})
	if f.tags() {
		o.fields = append(o.fields, field{"Etag", o.etag, false})
	}
	if !modified.IsZero() && !modified.Equal(time.Unix(0, 0)) { // a time that was never set
		o.fields = append(o.fields, field{"Last-Modified", modified.UTC().Format(http.TimeFormat), false})
	}
	if len(f.Precompressed) > 0 {
		o.fields = append(o.fields, field{"Vary", "Accept-Encoding", false})
	}
	o.head = string((&fields{o.fields}).append(nil))
	o.ask()
}

// same reports whether the name still leads to the unchanged file. It may wait for the disk.
func (o *openFile) same(root *file.Root) bool {
	info, err := root.Stat(o.name)
	return err == nil && o.is(info)
}

// shelf keeps a loop's files open between requests, siblings included: up to keep of them. The one that was used least
// recently is closed first, and with a file its siblings.
type shelf struct {
	l          *loop.Loop
	keep       int
	fresh      time.Duration // how long a name is not looked up again
	look, warm time.Duration
	byPath     map[string]*openFile // without siblings
	count      int                  // siblings included
	ends       openFile             // a ring: newer is the one to close next, older the one used last
	last       [1]byte
}

// shelf returns the shelf of the current loop, nil on goroutines.
func (f *Files) shelf() *shelf {
	l, _ := loop.Current()
	if l == nil {
		return nil
	}
	if s := f.shelves.Of(l); s != nil {
		return s
	}
	s := &shelf{l: l, keep: f.Keep, fresh: f.Fresh, look: lookFor, warm: warmFor, byPath: make(map[string]*openFile)}
	if s.keep == 0 {
		s.keep = keepDefault
	}
	if s.fresh == 0 {
		s.fresh = freshDefault
	}
	if f.warm > 0 { // set by tests
		s.look, s.warm = f.look, f.warm
	}
	s.ends.newer, s.ends.older = &s.ends, &s.ends
	return f.shelves.Begin(l, s, (*shelf).clear)
}

// now returns the loop's time, which is never 0.
func (s *shelf) now() int64 { return s.l.NowNS() + 1 }

// offload runs a function that may wait for the disk on a goroutine. After an error it has not run, or that is not
// known.
func (s *shelf) offload(fn func()) error {
	return s.l.OffloadIn(lane.Files, func(context.Context) error {
		fn()
		return nil
	})
}

func (o *openFile) unlink() { o.newer.older, o.older.newer = o.older, o.newer }

func (s *shelf) link(o *openFile) {
	o.older, o.newer = s.ends.older, &s.ends
	o.older.newer, s.ends.older = o, o
}

// use notes a use of a file; done ends it.
func (s *shelf) use(o *openFile) {
	o.users++
	if o.kept && s.ends.older != o {
		o.unlink()
		s.link(o)
	}
}

func (s *shelf) done(o *openFile) {
	if o.users--; o.users == 0 && !o.kept {
		s.close(o)
	}
}

// add adds a file, and drops another one with its path.
func (s *shelf) add(o *openFile) {
	if s.keep <= 0 {
		return
	}
	if old := s.byPath[o.path]; old != nil {
		s.drop(old)
	}
	o.checked = s.now()
	s.byPath[o.path] = o
	s.keepOpen(o)
}

// keepOpen keeps a file open, and drops others if there are too many.
func (s *shelf) keepOpen(o *openFile) {
	o.kept = true
	s.link(o)
	for s.count++; s.count > s.keep; {
		s.drop(s.ends.newer)
	}
}

// drop removes a file, which is closed when its last user has finished.
func (s *shelf) drop(o *openFile) {
	if !o.kept {
		return
	}
	o.kept = false
	s.count--
	o.unlink()
	if o.plain != nil {
		o.plain.siblings[o.rank].file = nil
	} else {
		delete(s.byPath, o.path)
	}
	for i := range o.siblings {
		if c := o.siblings[i].file; c != nil {
			s.drop(c)
		}
	}
	if o.users == 0 {
		s.close(o)
	}
}

// giveBack removes half of the files that are not in use, those used least recently, and at least one. The caller
// closes them.
func (s *shelf) giveBack() (files []*openFile) {
	for o := s.ends.newer; o != &s.ends; o = o.newer {
		if o.users == 0 {
			files = append(files, o)
		}
	}
	files = files[:(len(files)+1)/2]
	for _, o := range files {
		o.users++ // or drop would close it, be it as another's sibling
	}
	for _, o := range files {
		s.drop(o)
	}
	return files
}

// clear drops all files. For tasks of the loop, or after it has ended.
func (s *shelf) clear() {
	if invariant.Enabled && !s.l.IsCurrent() && !s.l.Ended() {
		panic("sockhttp: a loop's files are let go by another")
	}
	for s.ends.newer != &s.ends {
		s.drop(s.ends.newer)
	}
}

// close closes a file on a goroutine: the last close of a removed file frees its blocks.
func (s *shelf) close(o *openFile) {
	if !s.l.IsCurrent() { // the loop has ended
		o.file.Close()
		return
	}
	s.l.Go(func() { closeFiles(o) })
}
