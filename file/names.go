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

// The calls on names, for any caller. dir is the descriptor of the directory that a name starts from, or noFD for the
// working directory. Errors are errnos, or what cancelled the task.

// newNameCall returns a call on path, which the caller has to free, and the op's Name.
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

// onNames runs an op on two names, the second of which starts from to.
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
		// A ring checks both names first: it would report what is wrong with the second where the plain call reports
		// what is wrong with the first.
		known = offloaded
	}
	_, err = c.runAs(known)
	return err
}

// isNoName reports whether no file can have this name: because it is empty or too long.
func isNoName(name string) bool { return name == "" || len(name) >= pathMax }

// pathMax is the size limit of a name in the kernel, including its NUL.
const pathMax = 4096

// openAt opens a name and returns the descriptor. It adds O_CLOEXEC to flags.
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
	if flags&sys.OPath != 0 { // openat2 refuses meaningless flags, which open(2) drops
		flags &= sys.OPath | sys.ODirectory | sys.ONofollow | sys.OCloexec
	}
	n.How = sys.OpenHow{Flags: uint64(uint32(flags)), Resolve: resolve}
	if flags&(sys.OCreat|sys.OTmpfile&^sys.ODirectory) != 0 {
		n.How.Mode = uint64(mode)
		c.op.Flags |= op.Keep // a cancelled op returns it still, or no one would own what it made
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
	// On a worker: if a ring's entry waited for the other end of a FIFO, it would keep a thread of the kernel from
	// other ops on files.
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

// mayWait reports whether an open with these flags waits if the name is that of a FIFO.
func mayWait(flags int) bool {
	return flags&(sys.OPath|sys.OExcl|sys.ODirectory|sys.ONonblock) == 0
}

// dup duplicates a descriptor; noFD stays noFD.
func dup(n int32) (int32, error) {
	if n < 0 {
		return n, nil
	}
	return duplicate(n)
}

// closeNumber closes a descriptor of openAt that was not written to.
func closeNumber(n int32) int32 { return loop.Kernel().Close(n) }

// statAt describes the file of a name.
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

// removeAt removes a file or an empty directory. It reports the same one of the two errors as os.Remove.
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

// readlinkAt returns the target of a link, however long.
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
