package file

import (
	"errors"
	"strings"
	"sync/atomic"

	"ringo/internal/loop"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// ErrEscapes is the error for a name that would lead out of its Root. Its text is that of os.Root.
var ErrEscapes = errors.New("path escapes from parent")

// The errors of os.Root for an empty name, and for a mode that it does not support. os does not export them, so these
// only have the same texts.
var (
	errEmpty = errors.New("empty path")
	errMode  = errors.New("unsupported file mode")
)

// walks is set if names have to be walked, because openat2(2) is missing here. A simulated world always has openat2:
// otherwise its history would depend on the system. walksInWorlds is for tests.
var (
	walks         atomic.Bool
	walksInWorlds bool
)

// confined is the resolve flags of openat2.
const confined = sys.ResolveBeneath | sys.ResolveNoMagiclinks

// open opens a name in d and returns the descriptor.
func (d *Root) open(name string, flags int, mode uint32) (n int32, err error) {
	if name == "" {
		return 0, errEmpty
	}
	if !walks.Load() || loop.Home() != nil && !walksInWorlds {
		n, err = openAt(d.n, name, flags, mode, confined)
		switch err {
		case posix.EXDEV:
			return 0, ErrEscapes
		case posix.ENOSYS, posix.EPERM, posix.EAGAIN:
			// The call is missing, a filter refuses it, or directories are being moved all the time: walk the name.
			refused(d.n)
		default:
			return n, err
		}
	}
	l, t := loop.Current()
	w := walk{root: d.n, unlessFIFO: l != nil && mayWait(flags)}
	err = offload(func(stop func() error) error {
		w.stop = stop
		n, err = w.open(name, flags, mode)
		return err
	})
	if err == errFIFO {
		return openFIFO(l, t, w.fifoDir, append([]byte(w.fifo), 0),
			sys.OpenHow{Flags: uint64(flags | sys.OCloexec | sys.ONofollow)})
	}
	return n, err
}

// refused finds out whether openat2 itself is refused, by a call that must succeed otherwise.
func refused(dir int32) {
	n, err := openAt(dir, ".", sys.OPath|sys.ODirectory, 0, confined)
	switch err {
	case nil:
		closeNumber(n)
	case posix.ENOSYS, posix.EPERM:
		walks.Store(true)
	}
}

// object returns a descriptor that stands for a name alone (O_PATH). Flags may be ONofollow, for a link itself, and
// ODirectory.
func (d *Root) object(name string, flags int) (int32, error) {
	return d.open(name, sys.OPath|flags, 0)
}

// A nameCall is a call on a name in a directory, or on dir itself if the name is empty; at are its flags.
type nameCall func(dir int32, name string, at uint32) error

// withObject calls f with such a descriptor. On systems that have none, a walk calls f on the last part of the name,
// with flags that don't follow a link: if a link is put there after the walk has looked, f acts on the link itself,
// which is inside.
func (d *Root) withObject(name string, flags int, f nameCall) error {
	if !sys.HaveObjects && loop.Home() == nil {
		if name == "" {
			return errEmpty
		}
		w := walk{root: d.n, act: f}
		return offload(func(stop func() error) error {
			w.stop = stop
			_, err := w.open(name, sys.OPath|flags, 0)
			return err
		})
	}
	n, err := d.object(name, flags)
	if err != nil {
		return err
	}
	defer closeNumber(n)
	return f(n, "", sys.AtEmptyPath)
}

// withParent calls f on the directory that the last part of a name is in, and on that part. f must be a call that
// makes, removes or renames it: such calls don't follow a link there and refuse "." and "..", so they can't leave the
// directory.
func (d *Root) withParent(name string, f func(dir int32, base string) error) error {
	if name == "" {
		return errEmpty
	}
	name, err := inRoot(name)
	if err != nil {
		return err
	}
	end := len(strings.TrimRight(name, "/"))
	if end == 0 {
		return ErrEscapes // the root of the file system
	}
	i := strings.LastIndexByte(name[:end], '/')
	if base := name[i+1 : end]; base == "." || base == ".." {
		n, err := d.object(name, sys.ODirectory) // the kernel refuses these, even where they lead out of d
		if err != nil {
			return err
		}
		closeNumber(n)
	}
	if i < 0 {
		return f(d.n, name)
	}
	n, err := d.object(name[:i+1], sys.ODirectory)
	if err != nil {
		return err
	}
	defer closeNumber(n)
	return f(n, name[i+1:])
}
