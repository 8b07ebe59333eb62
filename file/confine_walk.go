package file

import (
	"cmp"
	"slices"
	"strings"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// A walk looks a name up part by part, from a directory that it can't leave: what
// openat2(2) does with RESOLVE_BENEATH, where there is none. Each part is opened in the
// directory before it, following no link, so that no link put there meanwhile leads
// anywhere; a link is read and its parts take its place. ".." takes a part away, and
// the walk begins anew: a directory that was moved meanwhile has another parent.
//
// It is made for an ordinary goroutine.
type walk struct {
	root  int32
	stop  func() error
	parts []string // of the name that is left to walk, from the root on
	slash bool     // the last part is to be a directory
	links int
	at    int32 // the directory of parts[i], to be closed unless it is the root
	i     int

	// unlessFIFO: a FIFO is not opened. Open gives errFIFO then, and these are its
	// directory, to be closed, and its name there.
	unlessFIFO bool
	fifoDir    int32
	fifo       string

	act nameCall // nothing is opened: this is done with the last part
}

// linksMax is how many links the kernel follows.
const linksMax = 40

// open opens a name as openat2 would. Errors are its errnos, and ErrEscapes.
func (w *walk) open(name string, flags int, mode uint32) (int32, error) {
	if strings.IndexByte(name, 0) >= 0 {
		return 0, posix.EINVAL
	}
	w.at = w.root
	defer w.leave()
	if err := w.insert(name, true); err != nil {
		return 0, err
	}
	for {
		if err := w.stop(); err != nil {
			return 0, err
		}
		part := w.parts[w.i]
		if part == ".." {
			if err := w.up(); err != nil {
				return 0, err
			}
			continue
		}
		if w.i == len(w.parts)-1 {
			n, again, err := w.last(part, flags, mode)
			if !again {
				return n, err
			}
			continue
		}
		if err := w.into(part); err != nil {
			return 0, err
		}
	}
}

// leave lets go of the directory that the walk has come to.
func (w *walk) leave() {
	if w.at != w.root {
		closeNumber(w.at)
	}
	w.at = w.root
}

// insert puts a name's parts where the walk is. last says that it is the last part
// whose place they take.
func (w *walk) insert(name string, last bool) error {
	if name == "" {
		return posix.ENOENT
	}
	if len(name) >= pathMax {
		return posix.ENAMETOOLONG
	}
	name, err := inRoot(name)
	if err != nil {
		return err
	}
	if name[0] == '/' {
		return ErrEscapes
	}
	if last && (strings.HasSuffix(name, "/") || strings.HasSuffix("/"+name, "/.") ||
		strings.HasSuffix("/"+name, "/..")) {
		w.slash = true
	}
	parts := slices.DeleteFunc(strings.Split(name, "/"), func(p string) bool { return p == "" || p == "." })
	w.parts = slices.Insert(w.parts, w.i, parts...)
	if len(w.parts) > pathMax {
		return posix.ENAMETOOLONG
	}
	if w.i == len(w.parts) {
		w.parts = append(w.parts, ".") // the directory itself
	}
	return nil
}

// up takes the part before ".." away, and those before all that follow.
func (w *walk) up() error {
	n := 1
	for w.i+n < len(w.parts) && w.parts[w.i+n] == ".." {
		n++
	}
	if n > w.i {
		return ErrEscapes
	}
	w.parts = slices.Delete(w.parts, w.i-n, w.i+n)
	if len(w.parts) == 0 {
		w.parts = append(w.parts, ".")
	}
	w.i = 0
	w.leave()
	return nil
}

// into steps into a directory, or puts the parts of a link in its place.
func (w *walk) into(part string) error {
	n, err := openAt(w.at, part, sys.OPath|sys.ODirectory|sys.ONofollow, 0, 0)
	switch err {
	case nil:
		w.leave()
		w.at = n
		w.i++
		return nil
	case posix.ENOTDIR, posix.ELOOP:
		again, err2 := w.follow(part, false)
		if !again && err2 == nil {
			return err
		}
		return err2
	}
	return err
}

// follow puts the parts of a link in its place. It reports false if part is none.
func (w *walk) follow(part string, last bool) (again bool, err error) {
	to, err := readlinkAt(w.at, part)
	if err != nil {
		if err == posix.EINVAL {
			err = nil // it is no link
		}
		return false, err
	}
	if w.links++; w.links > linksMax {
		return false, posix.ELOOP
	}
	w.parts = slices.Delete(w.parts, w.i, w.i+1)
	if err := w.insert(to, last); err != nil {
		return false, err
	}
	return true, nil
}

// last opens the last part. again says that it was a link, whose parts are to be
// walked.
func (w *walk) last(part string, flags int, mode uint32) (n int32, again bool, err error) {
	if w.slash {
		if flags&sys.OCreat != 0 {
			return 0, false, posix.EISDIR
		}
		flags |= sys.ODirectory
	}
	stays := flags&sys.ONofollow != 0 && !w.slash || flags&sys.OCreat != 0 && flags&sys.OExcl != 0
	if w.act != nil {
		again, err = w.lastName(part, stays)
		return 0, again, err
	}
	if flags&sys.OPath != 0 && flags&sys.ODirectory == 0 {
		return w.lastObject(part, flags, stays)
	}
	if w.unlessFIFO && w.isFIFO(part) {
		if w.fifoDir, err = dup(w.at); err == nil {
			w.fifo, err = part, errFIFO
		}
		return 0, false, err
	}
	n, err = openAt(w.at, part, flags|sys.ONofollow, mode, 0)
	if err != posix.ELOOP && err != posix.ENOTDIR || stays {
		return n, false, err
	}
	again, err2 := w.follow(part, true)
	if again || err2 != nil {
		return 0, again, err2
	}
	return 0, false, err
}

func (w *walk) isFIFO(part string) bool {
	sort, err := w.sort(part)
	return err == nil && sort == sys.SIfifo
}

// sort is what part is.
func (w *walk) sort(part string) (uint16, error) {
	st, err := statAt(w.at, part, sys.AtSymlinkNofollow)
	return st.Mode & sys.SIfmt, err
}

// lastName is last for what is done by names.
func (w *walk) lastName(part string, stays bool) (again bool, err error) {
	if !stays {
		if again, err = w.follow(part, true); again || err != nil {
			return again, err
		}
	}
	if w.slash {
		if sort, err := w.sort(part); err != nil || sort != sys.SIfdir {
			return false, cmp.Or(err, error(posix.ENOTDIR))
		}
	}
	err = w.act(w.at, part, sys.AtSymlinkNofollow)
	if err == posix.ELOOP && !stays {
		return true, nil // it is a link by now
	}
	return false, err
}

// lastObject is last for what stands for a name alone, which a link does, too.
func (w *walk) lastObject(part string, flags int, stays bool) (n int32, again bool, err error) {
	n, err = openAt(w.at, part, flags|sys.ONofollow, 0, 0)
	if err == posix.ELOOP && !stays { // a system where nothing stands for a link
		if again, err = w.follow(part, true); again || err != nil {
			return 0, again, err
		}
		return w.lastObject(part, flags, stays)
	}
	if err != nil || stays {
		return n, false, err
	}
	st, err := statAt(n, "", sys.AtEmptyPath)
	if err == nil && uint32(st.Mode)&sys.SIfmt != sys.SIflnk {
		return n, false, nil
	}
	closeNumber(n)
	if err != nil {
		return 0, false, err
	}
	again, err = w.follow(part, true)
	if !again && err == nil {
		return w.lastObject(part, flags, stays) // it was a link a moment ago
	}
	return 0, again, err
}
