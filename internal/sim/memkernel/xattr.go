package memkernel

import (
	"slices"
	"strings"

	"ringo/internal/sys"
)

// attrOf returns the index of an attribute; -1 if there is none.
func (n *inode) attrOf(name string) int {
	return slices.IndexFunc(n.attrs, func(a attr) bool { return a.name == name })
}

// Fgetxattr reads an attribute.
func (h *Host) Fgetxattr(fd int32, name, p []byte) int32 {
	h.looksUp()
	f, _, res := find[*file](h, fd, sys.EBADF)
	if res < 0 {
		return res
	}
	i := f.attrOf(text(name))
	switch {
	case i < 0:
		return -sys.ENODATA
	case len(p) == 0:
		return int32(len(f.attrs[i].value))
	case len(p) < len(f.attrs[i].value):
		return -sys.ERANGE
	}
	return int32(copy(p, f.attrs[i].value))
}

// Fsetxattr sets an attribute.
func (h *Host) Fsetxattr(fd int32, name, p []byte, flags int) int32 {
	h.looksUp()
	f, _, res := find[*file](h, fd, sys.EBADF)
	if res < 0 {
		return res
	}
	i := f.attrOf(text(name))
	switch {
	case !strings.Contains(text(name), "."):
		return -sys.EOPNOTSUPP
	case i >= 0 && flags&sys.XattrCreate != 0:
		return -sys.EEXIST
	case i < 0 && flags&sys.XattrReplace != 0:
		return -sys.ENODATA
	case i >= 0:
		f.attrs[i].value = slices.Clone(p)
	default:
		f.attrs = append(f.attrs, attr{text(name), slices.Clone(p)})
	}
	f.ctime = h.wall()
	return 0
}

// Flistxattr reads the names of all attributes.
func (h *Host) Flistxattr(fd int32, p []byte) int32 {
	h.looksUp()
	f, _, res := find[*file](h, fd, sys.EBADF)
	if res < 0 {
		return res
	}
	var all []byte
	for _, a := range f.attrs {
		all = append(append(all, a.name...), 0)
	}
	switch {
	case len(p) == 0:
		return int32(len(all))
	case len(p) < len(all):
		return -sys.ERANGE
	}
	return int32(copy(p, all))
}

// Fremovexattr removes an attribute.
func (h *Host) Fremovexattr(fd int32, name []byte) int32 {
	h.looksUp()
	f, _, res := find[*file](h, fd, sys.EBADF)
	if res < 0 {
		return res
	}
	i := f.attrOf(text(name))
	if i < 0 {
		return -sys.ENODATA
	}
	f.attrs = slices.Delete(f.attrs, i, i+1)
	f.ctime = h.wall()
	return 0
}
