package memkernel

import (
	"slices"
	"strings"

	"ringo/internal/sys"
)

// place is where a path leads: the directory, the last name in it, and the inode with that name.
type place struct {
	dir  *inode
	name string
	is   *inode // nil: the name does not exist
	dirs bool   // the path ends with a slash: it must be a directory
}

// walk says how to follow a path.
type walk struct {
	follow bool // follow a link at the end, too
	parent bool // the end is a name to make or remove: a link there is never followed, even before a slash
	beneath,
	nolinks bool
	from  *inode // the directory that must not be left
	links int
}

const linksMax = 40

// from returns the directory that a path starts from.
func (h *Host) from(dir int32, path string) (*inode, int32) {
	if strings.HasPrefix(path, "/") {
		return h.root, 0
	}
	if dir == sys.AtFdcwd {
		return h.cwd, 0
	}
	o := h.at(dir)
	if o == nil {
		return nil, -sys.EBADF
	}
	f, ok := o.object.(*file)
	if !ok || !f.isDir() {
		return nil, -sys.ENOTDIR
	}
	return f.inode, 0
}

// text returns a path without the NUL at its end.
func text(path []byte) string {
	if i := slices.Index(path, 0); i >= 0 {
		path = path[:i]
	}
	return string(path)
}

// lookup follows a path.
func (h *Host) lookup(dir int32, path []byte, w walk) (place, int32) {
	name := text(path)
	if h.down {
		return place{}, -sys.EIO
	}
	if name == "" {
		return place{}, -sys.ENOENT
	}
	if len(name) >= sys.PathMax {
		return place{}, -sys.ENAMETOOLONG
	}
	at, res := h.from(dir, name)
	if w.beneath && strings.HasPrefix(name, "/") {
		if dir != sys.AtFdcwd && h.at(dir) == nil {
			return place{}, -sys.EBADF
		}
		return place{}, -sys.EXDEV
	}
	if res < 0 {
		return place{}, res
	}
	w.from = at
	return h.steps(at, name, &w)
}

func (h *Host) steps(at *inode, path string, w *walk) (place, int32) {
	p := place{dir: at, name: ".", is: at}
	parts := strings.Split(path, "/")
	for i, part := range parts {
		last := true
		for _, rest := range parts[i+1:] {
			last = last && rest == ""
		}
		if part == "" {
			p.dirs = p.dirs || i > 0 && i == len(parts)-1
			continue
		}
		if p.is == nil {
			return p, -sys.ENOENT
		}
		if !p.is.isDir() {
			return p, -sys.ENOTDIR
		}
		if len(part) > 255 {
			return p, -sys.ENAMETOOLONG
		}
		if part == ".." && w.beneath && p.is == w.from {
			return p, -sys.EXDEV
		}
		d := p.is
		p = place{dir: d, name: part, is: d.find(part)}
		if p.is != nil && p.is.mode&sys.SIfmt == sys.SIflnk && (!last || w.follow ||
			parts[len(parts)-1] == "" && !w.parent) {
			if w.links++; w.links > linksMax || w.nolinks {
				return p, -sys.ELOOP
			}
			target := p.is.target
			from := d
			if strings.HasPrefix(target, "/") {
				if w.beneath {
					return p, -sys.EXDEV
				}
				from = h.root
			}
			inner := *w
			inner.follow = true
			q, res := h.steps(from, target, &inner)
			w.links = inner.links
			if res < 0 {
				return q, res
			}
			p = q
		}
	}
	if p.dirs && p.is != nil && !p.is.isDir() && !w.parent {
		return p, -sys.ENOTDIR
	}
	return p, 0
}
