package file

import (
	"strings"

	"ringo/internal/kernel"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// attr makes a call on an extended attribute.
func (f *File) attr(word, name string, q func(k kernel.Kernel, name []byte) int32) (int, error) {
	cname, bad := cString(name)
	return f.do(word, func(k kernel.Kernel) int32 {
		if bad != nil {
			return -sys.EINVAL
		}
		return q(k, cname)
	})
}

// grow calls get with memory of the right size, and again if the length has changed meanwhile.
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
		if !isErrno(err, posix.Of(-sys.ERANGE)) {
			return nil, err
		}
	}
}

// Xattr returns the extended attribute with this name, such as "user.comment". If there is none the error is ENODATA,
// or ENOATTR on systems that call it that (macOS, the BSDs); if the file system does not support attributes it is
// errors.ErrUnsupported. It may wait; a task parks.
func (f *File) Xattr(name string) ([]byte, error) {
	return grow(func(p []byte) (int, error) {
		return f.attr("getxattr", name, func(k kernel.Kernel, name []byte) int32 { return k.Fgetxattr(f.n, name, p) })
	})
}

// XattrFlags says what SetXattr may do: XATTR_ of setxattr(2). 0 allows both making an attribute and changing one.
type XattrFlags uint32

// The flags; at most one can be given.
const (
	XattrCreate  XattrFlags = 1 // fail with EEXIST if the attribute exists
	XattrReplace XattrFlags = 2 // fail as Xattr does if it does not exist
)

// SetXattr sets an extended attribute; flags is 0, XattrCreate or XattrReplace. FreeBSD and NetBSD lack the latter two:
// the error is errors.ErrUnsupported. The kernel may use value until SetXattr returns. It may wait; a task parks. See
// setxattr(2).
func (f *File) SetXattr(name string, value []byte, flags XattrFlags) error {
	_, err := f.attr("setxattr", name, func(k kernel.Kernel, name []byte) int32 {
		return k.Fsetxattr(f.n, name, value, int(flags))
	})
	return err
}

// RemoveXattr removes an extended attribute. If there is none the error is that of Xattr. It may wait; a task parks.
func (f *File) RemoveXattr(name string) error {
	_, err := f.attr("removexattr", name, func(k kernel.Kernel, name []byte) int32 {
		return k.Fremovexattr(f.n, name)
	})
	return err
}

// ListXattrs returns the names of the extended attributes, in no order, nil if there are none. It may wait; a task
// parks.
func (f *File) ListXattrs() ([]string, error) {
	p, err := grow(func(p []byte) (int, error) {
		return f.do("listxattr", func(k kernel.Kernel) int32 { return k.Flistxattr(f.n, p) })
	})
	if len(p) == 0 || err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(p), "\x00"), "\x00"), nil
}
