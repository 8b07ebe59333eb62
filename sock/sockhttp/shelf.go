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

// openFile is a file that is served, open, with what is known of it. One loop owns it; another goroutine that serves a
// request for it looks at what does not change.
type openFile struct {
	path   string // of the URL
	name   string // below the root
	file   *file.File
	info   fs.FileInfo
	size   int64
	kind   string // its media type
	coding string // in which it has another's content; "": none
	etag   string
	fields []field // those that an answer with the whole file has
	head   string  // the same as lines

	warmth

	siblings []sibling // by their rank in Files.Precompressed
	plain    *openFile // whose sibling this is; nil: it is none
	rank     int

	users   int
	checked int64 // when the name was last found to lead here
	checks  bool  // somebody is looking
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

// tags reports whether files have entity tags. Siblings need them: by time alone a client can't tell which it has.
func (f *Files) tags() bool { return f.ETags || len(f.Precompressed) > 0 }

// say makes what is said of a file.
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
	if !modified.IsZero() && !modified.Equal(time.Unix(0, 0)) { // a time that nobody has set
		o.fields = append(o.fields, field{"Last-Modified", modified.UTC().Format(http.TimeFormat), false})
	}
	if len(f.Precompressed) > 0 {
		o.fields = append(o.fields, field{"Vary", "Accept-Encoding", false})
	}
	o.head = string((&fields{o.fields}).append(nil))
	o.ask()
}

// same reports whether the name still leads to the file, as it was. It may wait for the disk.
func (o *openFile) same(root *file.Root) bool {
	info, err := root.Stat(o.name)
	return err == nil && o.is(info)
}

// shelf keeps a loop's files open between requests, siblings among them: up to keep, of which the one that was used
// least recently goes, and with a file its siblings.
type shelf struct {
	l          *loop.Loop
	keep       int
	fresh      time.Duration // for so long a name is believed to lead where it did
	look, warm time.Duration
	byPath     map[string]*openFile // without siblings
	count      int                  // with them
	ends       openFile             // newer is the one that goes next, older the one used last: the list is a ring
	last       [1]byte
}

// shelf is that of the loop whose task this is; nil on goroutines.
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
	if f.warm > 0 { // in tests
		s.look, s.warm = f.look, f.warm
	}
	s.ends.newer, s.ends.older = &s.ends, &s.ends
	return f.shelves.Begin(l, s, (*shelf).clear)
}

// now is the loop's time. It is never 0.
func (s *shelf) now() int64 { return s.l.NowNS() + 1 }

// offload runs on a goroutine what may wait for the disk. The error says that it did not run, or nobody knows.
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

// add takes a file in, in place of one with its path.
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

// keepOpen keeps a file, and lets others go if there are too many.
func (s *shelf) keepOpen(o *openFile) {
	o.kept = true
	s.link(o)
	for s.count++; s.count > s.keep; {
		s.drop(s.ends.newer)
	}
}

// drop lets a file go, which is closed when its last user has done.
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

// giveBack takes half of the files out that nobody uses, one at least, those used least recently. The caller closes
// them.
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

// clear lets all files go. For the loop's tasks, or when it has ended.
func (s *shelf) clear() {
	if invariant.Enabled && !s.l.IsCurrent() && !s.l.Ended() {
		panic("sockhttp: a loop's files are let go by another")
	}
	for s.ends.newer != &s.ends {
		s.drop(s.ends.newer)
	}
}

// close closes a file on a goroutine: the last close of one that was removed frees its blocks.
func (s *shelf) close(o *openFile) {
	if !s.l.IsCurrent() { // it has ended
		o.file.Close()
		return
	}
	s.l.Go(func() { closeFiles(o) })
}
