package file

import (
	"slices"
	"strings"

	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// The calls on names, for whoever makes them. dir is the descriptor of the directory
// that a name starts from, noFD the working directory. Errors are errnos, or what
// cancelled the task.

// newNameCall gives a call on path, to be freed, and what it passes.
func newNameCall(code op.Code, dir int32, path string) (*call, *op.Name, error) {
	if strings.IndexByte(path, 0) >= 0 {
		return nil, nil, posix.EINVAL
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
		return posix.EINVAL
	}
	n.To, n.ToDir = append(append(n.To[:0], second...), 0), to
	c.op.Arg = flags
	known := facts(0)
	if isNoName(path) || isNoName(second) {
		// The ring looks at both names first, and says what is wrong with the second
		// where the call says what is wrong with the first.
		known = offloaded
	}
	_, err = c.runAs(known)
	return err
}

// isNoName reports whether no file can have this name.
func isNoName(name string) bool { return name == "" || len(name) >= pathMax }

// pathMax is the size of a name in the kernel, with its NUL.
const pathMax = 4096

// openAt opens a name for the number alone. Flags get CLOEXEC.
func openAt(dir int32, path string, flags int, mode uint32, resolve uint64) (int32, error) {
	c, n, err := newNameCall(op.Openat2, dir, path)
	if err != nil {
		return 0, err
	}
	defer c.free()
	n.How = sys.OpenHow{Flags: uint64(flags | sys.OCloexec | sys.OLargefile), Resolve: resolve}
	if flags&sys.OPath != 0 {
		n.How.Flags &^= sys.OLargefile // openat2 is strict about flags that mean nothing
	}
	if flags&(sys.OCreat|sys.OTmpfile&^sys.ODirectory) != 0 {
		n.How.Mode = uint64(mode)
		c.op.Flags |= op.Keep // or what was made would be nobody's
	}
	l, t := loop.Current()
	if l == nil || !mayWait(flags) {
		return c.run()
	}
	// By a worker: an entry of the ring that waits for a FIFO's other end would keep a
	// thread from the ops on files.
	c.op.Off = op.UnlessFIFO
	res, err := c.runAs(offloaded)
	if err == errFIFO {
		own, err := dup(dir)
		if err != nil {
			return 0, err
		}
		return openFIFOAt(l, t, own, n.Path, n.How)
	}
	return res, err
}

// mayWait reports whether an open with these flags waits if the name is a FIFO's.
func mayWait(flags int) bool {
	return flags&(sys.OPath|sys.OExcl|sys.ODirectory|sys.ONonblock) == 0
}

// openFIFOAt is openAt of a FIFO for a task, which may be cancelled meanwhile: so the
// directory's number becomes the open's own.
func openFIFOAt(l *loop.Loop, t *loop.Task, dir int32, path []byte, how sys.OpenHow) (int32, error) {
	w := &fifoOpen{op: op.Op{Code: op.Openat2, Ext: &op.Ext{Name: &op.Name{Path: slices.Clone(path), How: how}}}}
	if dir >= 0 {
		w.dir.Init(dir)
		w.op.FD = &w.dir
	}
	return w.wait(l, t)
}

// dup gives another number of what n stands for; of noFD there is none.
func dup(n int32) (int32, error) {
	if n < 0 {
		return n, nil
	}
	return duplicate(n)
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
	if err2 != posix.ENOTDIR {
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
