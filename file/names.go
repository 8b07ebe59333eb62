package file

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ringo/internal/kernel"
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
	n.Path = append(append(n.Path[:0], kernelName(path)...), 0)
	return c, n, nil
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
	n.To, n.ToDir = append(append(n.To[:0], kernelName(second)...), 0), to
	c.op.CallFlags = flags
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
	n, err := openNamed(dir, path, flags, mode, resolve)
	if flags&Direct != 0 && errors.Is(err, posix.ErrSystem) {
		err = fmt.Errorf("file.Direct: %w", err)
	}
	return n, err
}

func openNamed(dir int32, path string, flags int, mode uint32, resolve uint64) (int32, error) {
	c, n, err := newNameCall(op.Openat2, dir, path)
	if err != nil {
		return 0, err
	}
	defer c.free()
	flags |= sys.OCloexec | sys.OLargefile
	if flags&sys.OPath != 0 { // openat2 is strict about flags that mean nothing, which open(2) drops
		flags &= sys.OPath | sys.ODirectory | sys.ONofollow | sys.OCloexec
	}
	n.How = sys.OpenHow{Flags: uint64(uint32(flags)), Resolve: resolve}
	if flags&(sys.OCreat|sys.OTmpfile&^sys.ODirectory) != 0 {
		n.How.Mode = uint64(mode)
		c.op.Flags |= op.Keep // or what was made would be nobody's
	}
	l, t := loop.Current()
	if l == nil || !mayWait(flags) {
		return c.run()
	}
	if err := chargeAndYield(l); err != nil {
		return 0, err
	}
	if res, ok := c.cached(l); ok {
		return result(res)
	}
	// By a worker: an entry of the ring that waits for a FIFO's other end would keep a
	// thread from the ops on files.
	res, err := doFor(l, func(k kernel.Kernel) int32 {
		var st sys.Statx
		if k.Statx(dir, n.Path, 0, sys.StatxType, &st) == 0 && st.Mode&sys.SIfmt == sys.SIfifo {
			return -sys.EINPROGRESS
		}
		return k.Openat2(dir, n.Path, &n.How)
	})
	if err == errFIFO {
		own, err := dup(dir)
		if err != nil {
			return 0, err
		}
		return openFIFO(l, t, own, slices.Clone(n.Path), n.How)
	}
	return res, err
}

// mayWait reports whether an open with these flags waits if the name is a FIFO's.
func mayWait(flags int) bool {
	return flags&(sys.OPath|sys.OExcl|sys.ODirectory|sys.ONonblock) == 0
}

// dup gives another number of what n stands for; of noFD there is none.
func dup(n int32) (int32, error) {
	if n < 0 {
		return n, nil
	}
	return duplicate(n)
}

// closeNumber closes what openAt gave, where nothing is to be written before.
func closeNumber(n int32) int32 { return loop.Kernel().Close(n) }

// statAt asks about a name.
func statAt(dir int32, path string, flags uint32) (st sys.Statx, err error) {
	c, n, err := newNameCall(op.Statx, dir, path)
	if err != nil {
		return st, err
	}
	c.op.CallFlags = flags
	if _, err = c.run(); err == nil {
		st = n.Stat
	}
	c.free()
	return st, err
}

func mkdirAt(dir int32, path string, mode uint32) error {
	c, n, err := newNameCall(op.Mkdirat, dir, path)
	if err != nil {
		return err
	}
	n.How.Mode = uint64(mode)
	_, err = c.run()
	c.free()
	return err
}

func unlinkAt(dir int32, path string, flags uint32) error {
	c, _, err := newNameCall(op.Unlinkat, dir, path)
	if err != nil {
		return err
	}
	c.op.CallFlags = flags
	_, err = c.run()
	c.free()
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

func chmodAt(dir int32, path string, mode, flags uint32) error {
	return doAt(path, func(k kernel.Kernel, path []byte) int32 { return k.Fchmodat(dir, path, mode, flags) })
}

func mkfifoAt(dir int32, path string, mode uint32) error {
	return doAt(path, func(k kernel.Kernel, path []byte) int32 { return k.Mknodat(dir, path, sys.SIfifo|mode, 0) })
}

// readlinkAt gives what a link leads to, however long that is.
func readlinkAt(dir int32, path string) (string, error) {
	for size := 256; ; size *= 2 {
		b, n := make([]byte, size), 0
		err := doAt(path, func(k kernel.Kernel, path []byte) int32 {
			res := k.Readlinkat(dir, path, b)
			n = int(res)
			return res
		})
		if err != nil {
			return "", err
		}
		if n < size {
			return string(b[:n]), nil
		}
	}
}
