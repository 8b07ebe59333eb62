package file

import (
	"cmp"
	"slices"
	"strings"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// A walk looks a name up part by part, from a directory that it can't leave: what openat2(2) does with
// RESOLVE_BENEATH, for kernels without it. Each part is opened in the directory before it, without following a link,
// so that a link put there meanwhile leads nowhere; if a part is a link, the walk reads it and inserts its parts. ".."
// removes the part before it, and the walk starts again at the root: a directory that was moved meanwhile has another
// parent.
//
// It makes blocking calls, so it runs on an ordinary goroutine.
type walk struct {
	root  int32
	stop  func() error
	parts []string // the parts of the name, from the root on; parts[i:] are still to walk
	slash bool     // the last part must be a directory
	links int
	at    int32 // the directory that parts[i] is in; to be closed, unless it is the root
	i     int

	// unlessFIFO: don't open a FIFO. open returns errFIFO instead, and sets its directory, which the caller has to
	// close, and its name there.
	unlessFIFO bool
	fifoDir    int32
	fifo       string

	act nameCall // if set, nothing is opened: act is called with the last part
}

// linksMax is how many links the kernel follows in one name.
const linksMax = 40

// open opens a name as openat2 would. Its errors are those errnos, and ErrEscapes.
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

// leave closes the directory that the walk has reached.
func (w *walk) leave() {
	if w.at != w.root {
		closeNumber(w.at)
	}
	w.at = w.root
}

// insert puts a name's parts at parts[i]. last says that they replace the last part.
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

// up removes a run of ".." parts, and as many parts before it.
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

// into steps into a directory, or follows a link.
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

// follow replaces a link by its parts. It returns false if part is not a link.
func (w *walk) follow(part string, last bool) (again bool, err error) {
	to, err := readlinkAt(w.at, part)
	if err != nil {
		if err == posix.EINVAL {
			err = nil // not a link
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

// last opens the last part. again reports that it was a link, whose parts have to be walked now.
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

// sort returns the file type of part.
func (w *walk) sort(part string) (uint16, error) {
	st, err := statAt(w.at, part, sys.AtSymlinkNofollow)
	return st.Mode & sys.SIfmt, err
}

// lastName is last for calls on names.
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

// lastObject is last for a descriptor that stands for a name alone (O_PATH), which may be a link's.
func (w *walk) lastObject(part string, flags int, stays bool) (n int32, again bool, err error) {
	n, err = openAt(w.at, part, flags|sys.ONofollow, 0, 0)
	if err == posix.ELOOP && !stays { // the system has no such descriptor of a link
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
		return w.lastObject(part, flags, stays) // it was a link a moment ago, and is none now
	}
	return 0, again, err
}
