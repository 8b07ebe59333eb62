package file

import (
	"strings"
	"syscall"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// The calls on names, for whoever makes them. dir is the descriptor of the directory
// that a name starts from, noFD the working directory. Errors are errnos, or what
// cancelled the task.

// newNameCall gives a call on path, to be freed, and what it passes.
func newNameCall(code op.Code, dir int32, path string) (*call, *op.Name, error) {
	if strings.IndexByte(path, 0) >= 0 {
		return nil, nil, syscall.EINVAL
	}
	c := newCall(code, dir)
	x := c.withExt()
	if x.Name == nil {
		x.Name = new(op.Name)
	}
	n := x.Name
	n.Path = append(append(n.Path[:0], path...), 0)
	return c, n, nil
}

// onName runs an op on one name with no more than flags.
func onName(code op.Code, dir int32, path string, arg, arg2 uint32) (int32, error) {
	c, _, err := newNameCall(code, dir, path)
	if err != nil {
		return 0, err
	}
	c.op.Arg, c.op.Arg2 = arg, arg2
	res, err := c.run()
	c.free()
	return res, err
}

// onNames runs an op on two names, of which the second starts from to.
func onNames(code op.Code, dir int32, path string, to int32, second string, flags uint32) error {
	c, n, err := newNameCall(code, dir, path)
	if err != nil {
		return err
	}
	defer c.free()
	if strings.IndexByte(second, 0) >= 0 {
		return syscall.EINVAL
	}
	n.To, n.ToDir = append(append(n.To[:0], second...), 0), to
	c.op.Arg = flags
	if odd(path) || odd(second) {
		// The ring looks at both names first, and says what is wrong with the second
		// where the call says what is wrong with the first.
		c.op.Flags |= op.Aside
	}
	_, err = c.run()
	return err
}

// odd reports whether a name is none that any file can have.
func odd(name string) bool { return name == "" || len(name) >= pathMax }

// pathMax is the size of a name in the kernel, with its NUL.
const pathMax = 4096

// openAt opens a name for the number alone. Flags get CLOEXEC. What may be a FIFO goes
// to a worker in a task: an entry of the ring that waits for its other end would keep
// a thread from the ops on files.
func openAt(dir int32, path string, flags int, mode uint32, resolve uint64) (int32, error) {
	c, n, err := newNameCall(op.Openat2, dir, path)
	if err != nil {
		return 0, err
	}
	n.How = sys.OpenHow{Flags: uint64(flags | sys.OCloexec | sys.OLargefile), Resolve: resolve}
	if flags&sys.OPath != 0 {
		n.How.Flags &^= sys.OLargefile // openat2 is strict about flags that mean nothing
	}
	if flags&(sys.OCreat|sys.OTmpfile&^sys.ODirectory) != 0 {
		n.How.Mode = uint64(mode)
	}
	if flags&(sys.OPath|sys.OExcl|sys.ODirectory) == 0 {
		c.op.Flags |= op.Aside
	}
	if flags&(sys.OCreat|sys.OTmpfile&^sys.ODirectory) != 0 {
		c.op.Flags |= op.Keep // or what was made would be nobody's
	}
	res, err := c.run()
	c.free()
	return res, err
}

// closeNumber closes what openAt gave, where nothing is to be written before.
func closeNumber(n int32) {
	c := newCall(op.CloseFile, noFD)
	c.op.Off = int64(n)
	c.plain()
	c.free()
}

// statAt asks about a name.
func statAt(dir int32, path string, flags uint32) (st sys.Statx, err error) {
	c, n, err := newNameCall(op.Statx, dir, path)
	if err != nil {
		return st, err
	}
	c.op.Arg = flags
	if _, err = c.run(); err == nil {
		st = n.Stat
	}
	c.free()
	return st, err
}

func mkdirAt(dir int32, path string, mode uint32) error {
	_, err := onName(op.Mkdirat, dir, path, mode, 0)
	return err
}

func unlinkAt(dir int32, path string, flags uint32) error {
	_, err := onName(op.Unlinkat, dir, path, flags, 0)
	return err
}

// removeAt removes a file or an empty directory, as os.Remove does: also with its
// choice between the two errors.
func removeAt(dir int32, path string) error {
	err := unlinkAt(dir, path, 0)
	if err == nil {
		return nil
	}
	err2 := unlinkAt(dir, path, sys.AtRemovedir)
	if err2 == nil {
		return nil
	}
	if err2 != syscall.ENOTDIR {
		err = err2
	}
	return err
}

// readlinkAt gives what a link leads to, however long that is.
func readlinkAt(dir int32, path string) (string, error) {
	for size := 256; ; size *= 2 {
		c, _, err := newNameCall(op.Readlinkat, dir, path)
		if err != nil {
			return "", err
		}
		b := make([]byte, size)
		c.op.Buf = b
		n, err := c.run()
		c.free()
		if err != nil {
			return "", err
		}
		if int(n) < size {
			return string(b[:n]), nil
		}
	}
}
