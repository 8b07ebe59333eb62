package file

import (
	"strings"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// attr runs an op on an extended attribute.
func (f *File) attr(word string, code op.Code, name string, p []byte, flags uint32) (int, error) {
	if err := f.begin(word); err != nil {
		return 0, err
	}
	defer f.refs.release()
	cname, err := cString(name)
	if err != nil {
		return 0, f.fail(word, err)
	}
	c := newCall(code, f.n)
	defer c.free()
	c.op.Buf, c.op.Arg = p, flags
	c.withExt().Attr = cname
	n, err := c.run()
	c.ext.Attr = nil
	if err != nil {
		return 0, f.fail(word, err)
	}
	return int(n), nil
}

// grow has get fill memory that is large enough, however the length changes meanwhile.
func grow(get func(p []byte) (int, error)) ([]byte, error) {
	for {
		n, err := get(nil)
		if n == 0 || err != nil {
			return nil, err
		}
		p := make([]byte, n)
		if n, err = get(p); err == nil {
			return p[:n], nil
		}
		if !isErrno(err, sys.ERANGE) {
			return nil, err
		}
	}
}

// Xattr returns the extended attribute with this name, such as "user.comment". Without one
// the error is ENODATA; where the file system has none, errors.ErrUnsupported. It may
// wait, as the others on attributes; a task parks.
func (f *File) Xattr(name string) ([]byte, error) {
	return grow(func(p []byte) (int, error) { return f.attr("getxattr", op.GetAttr, name, p, 0) })
}

// What SetXattr wants to find: XATTR_ of setxattr(2).
const (
	XattrCreate  = 1 // none with this name, or the error is EEXIST
	XattrReplace = 2 // one, or the error is ENODATA
)

// SetXattr sets an extended attribute; flags is 0, XattrCreate or XattrReplace. value is
// lent until it returns. It may wait; a task parks. See setxattr(2).
func (f *File) SetXattr(name string, value []byte, flags int) error {
	_, err := f.attr("setxattr", op.SetAttr, name, value, uint32(flags))
	return err
}

// RemoveXattr removes an extended attribute. Without one the error is ENODATA. It may
// wait; a task parks.
func (f *File) RemoveXattr(name string) error {
	_, err := f.attr("removexattr", op.RemoveAttr, name, nil, 0)
	return err
}

// ListXattrs returns the names of the extended attributes, in no order, nil if there are
// none. It may wait; a task parks.
func (f *File) ListXattrs() ([]string, error) {
	p, err := grow(func(p []byte) (int, error) { return f.attr("listxattr", op.ListAttrs, "", p, 0) })
	if len(p) == 0 || err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(p), "\x00"), "\x00"), nil
}
