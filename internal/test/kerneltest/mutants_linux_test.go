//go:build linux

package kerneltest

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"ringo/internal/kernel"
	"ringo/internal/sys"
)

// idle is a kernel of which one method does nothing, and says that it has.
type idle struct {
	kernel.Kernel
	method string
}

// Real is the kernel beneath.
func (k idle) Real() kernel.Kernel { return k.Kernel }

func (k idle) or(method string, call func() int32) int32 {
	if k.method == method {
		return 0
	}
	return call()
}

// made is or for what returns a descriptor: it is none.
func (k idle) made(method string, call func() int32) int32 {
	if k.method == method {
		return nobodys
	}
	return call()
}

const nobodys = 1 << 20

// TestMutants shows that the suite finds each method that is not there.
func TestMutants(t *testing.T) {
	door := reflect.TypeFor[kernel.Kernel]()
	for i := range door.NumMethod() {
		method := door.Method(i).Name
		t.Run(method, func(t *testing.T) {
			found, skipped := []string(nil), false
			for _, c := range cases {
				w := Host(t)
				w.Kernel = idle{w.Kernel, method}
				r := run(w, c, time.Second)
				skipped = skipped || r.skipped != ""
				if r.failed != "" {
					found = append(found, c.name)
				}
			}
			// That no descriptor has nothing done to it is one thing, and what is done the other.
			found = slices.DeleteFunc(found, func(name string) bool { return name == "no descriptor" })
			switch {
			case len(found) == 0 && skipped:
				t.Skip("cases are skipped here")
			case len(found) == 0:
				t.Errorf("no case finds that %s does nothing", method)
			}
			t.Logf("found by %q", found)
		})
	}
}

func (k idle) Close(fd int32) int32 {
	return k.or("Close", func() int32 { return k.Kernel.Close(fd) })
}

func (k idle) Dup(fd int32) int32 {
	return k.made("Dup", func() int32 { return k.Kernel.Dup(fd) })
}

func (k idle) Getfl(fd int32) int32 {
	return k.or("Getfl", func() int32 { return k.Kernel.Getfl(fd) })
}

func (k idle) Polls(fd int32) int32 {
	return k.or("Polls", func() int32 { return k.Kernel.Polls(fd) })
}

func (k idle) Setfl(fd int32, flags int32) int32 {
	return k.or("Setfl", func() int32 { return k.Kernel.Setfl(fd, flags) })
}

func (k idle) Pipe(size int) (r, w, res int32) {
	r, w = nobodys, nobodys
	k.or("Pipe", func() int32 {
		r, w, res = k.Kernel.Pipe(size)
		return 0
	})
	return r, w, res
}

func (k idle) Resident(fd int32, off, n int64) int32 {
	return k.or("Resident", func() int32 { return k.Kernel.Resident(fd, off, n) })
}

func (k idle) Lseek(fd int32, off int64, whence int) (at int64, res int32) {
	k.or("Lseek", func() int32 {
		at, res = k.Kernel.Lseek(fd, off, whence)
		return 0
	})
	return at, res
}

func (k idle) CloseLingering(fd int32) int32 {
	return k.or("CloseLingering", func() int32 { return k.Kernel.CloseLingering(fd) })
}

func (k idle) SyncRange(fd int32, off, n int64, flags int) int32 {
	return k.or("SyncRange", func() int32 { return k.Kernel.SyncRange(fd, off, n, flags) })
}

func (k idle) Advise(fd int32, off, n int64, advice int) int32 {
	return k.or("Advise", func() int32 { return k.Kernel.Advise(fd, off, n, advice) })
}

func (k idle) Fstatfs(fd int32, st *sys.Statfs) int32 {
	return k.or("Fstatfs", func() int32 { return k.Kernel.Fstatfs(fd, st) })
}

func (k idle) Statfs(path []byte, st *sys.Statfs) int32 {
	return k.or("Statfs", func() int32 { return k.Kernel.Statfs(path, st) })
}

func (k idle) Faccessat(dir int32, path []byte, mode, flags uint32) int32 {
	return k.or("Faccessat", func() int32 { return k.Kernel.Faccessat(dir, path, mode, flags) })
}

func (k idle) Fchdir(fd int32) int32 {
	return k.or("Fchdir", func() int32 { return k.Kernel.Fchdir(fd) })
}

func (k idle) Fchmod(fd int32, mode uint32) int32 {
	return k.or("Fchmod", func() int32 { return k.Kernel.Fchmod(fd, mode) })
}

func (k idle) Fgetxattr(fd int32, name, p []byte) int32 {
	return k.or("Fgetxattr", func() int32 { return k.Kernel.Fgetxattr(fd, name, p) })
}

func (k idle) Fsetxattr(fd int32, name, p []byte, flags int) int32 {
	return k.or("Fsetxattr", func() int32 { return k.Kernel.Fsetxattr(fd, name, p, flags) })
}

func (k idle) Flistxattr(fd int32, p []byte) int32 {
	return k.or("Flistxattr", func() int32 { return k.Kernel.Flistxattr(fd, p) })
}

func (k idle) Fremovexattr(fd int32, name []byte) int32 {
	return k.or("Fremovexattr", func() int32 { return k.Kernel.Fremovexattr(fd, name) })
}

func (k idle) Lock(fd int32, kind int16, off, n int64) int32 {
	return k.or("Lock", func() int32 { return k.Kernel.Lock(fd, kind, off, n) })
}

func (k idle) Getdents(fd int32, p []byte) int32 {
	return k.or("Getdents", func() int32 { return k.Kernel.Getdents(fd, p) })
}

func (k idle) CopyRange(out, in int32, n int) int32 {
	return k.or("CopyRange", func() int32 { return k.Kernel.CopyRange(out, in, n) })
}

func (k idle) Clone(out, in int32) int32 {
	return k.or("Clone", func() int32 { return k.Kernel.Clone(out, in) })
}

func (k idle) Openat2(dir int32, path []byte, how *sys.OpenHow) int32 {
	return k.made("Openat2", func() int32 { return k.Kernel.Openat2(dir, path, how) })
}

func (k idle) Statx(dir int32, path []byte, flags, mask uint32, st *sys.Statx) int32 {
	return k.or("Statx", func() int32 { return k.Kernel.Statx(dir, path, flags, mask, st) })
}

func (k idle) Unlinkat(dir int32, path []byte, flags uint32) int32 {
	return k.or("Unlinkat", func() int32 { return k.Kernel.Unlinkat(dir, path, flags) })
}

func (k idle) Readlinkat(dir int32, path, p []byte) int32 {
	return k.or("Readlinkat", func() int32 { return k.Kernel.Readlinkat(dir, path, p) })
}

func (k idle) Fchmodat(dir int32, path []byte, mode, flags uint32) int32 {
	return k.or("Fchmodat", func() int32 { return k.Kernel.Fchmodat(dir, path, mode, flags) })
}

func (k idle) Fchownat(dir int32, path []byte, uid, gid, flags uint32) int32 {
	return k.or("Fchownat", func() int32 { return k.Kernel.Fchownat(dir, path, uid, gid, flags) })
}

func (k idle) Utimensat(dir int32, path []byte, times *sys.TimePair, flags uint32) int32 {
	return k.or("Utimensat", func() int32 { return k.Kernel.Utimensat(dir, path, times, flags) })
}

func (k idle) Mknodat(dir int32, path []byte, mode, dev uint32) int32 {
	return k.or("Mknodat", func() int32 { return k.Kernel.Mknodat(dir, path, mode, dev) })
}

func (k idle) Truncate(path []byte, size int64) int32 {
	return k.or("Truncate", func() int32 { return k.Kernel.Truncate(path, size) })
}

func (k idle) Socket(family, kind, protocol int) int32 {
	return k.made("Socket", func() int32 { return k.Kernel.Socket(family, kind, protocol) })
}

func (k idle) Socketpair(kind int) (a, b, res int32) {
	a, b = nobodys, nobodys
	k.or("Socketpair", func() int32 {
		a, b, res = k.Kernel.Socketpair(kind)
		return 0
	})
	return a, b, res
}

func (k idle) Bind(fd int32, to *sys.Sockaddr) int32 {
	return k.or("Bind", func() int32 { return k.Kernel.Bind(fd, to) })
}

func (k idle) Connect(fd int32, to *sys.Sockaddr) int32 {
	return k.or("Connect", func() int32 { return k.Kernel.Connect(fd, to) })
}

func (k idle) Listen(fd int32, backlog int) int32 {
	return k.or("Listen", func() int32 { return k.Kernel.Listen(fd, backlog) })
}

func (k idle) Shutdown(fd int32, how int) int32 {
	return k.or("Shutdown", func() int32 { return k.Kernel.Shutdown(fd, how) })
}

func (k idle) Peek(fd int32, p []byte) int32 {
	return k.or("Peek", func() int32 { return k.Kernel.Peek(fd, p) })
}

func (k idle) Getsockname(fd int32, sa *sys.Sockaddr) int32 {
	return k.or("Getsockname", func() int32 { return k.Kernel.Getsockname(fd, sa) })
}

func (k idle) Getpeername(fd int32, sa *sys.Sockaddr) int32 {
	return k.or("Getpeername", func() int32 { return k.Kernel.Getpeername(fd, sa) })
}

func (k idle) Getsockopt(fd int32, level, name int) (value, res int32) {
	k.or("Getsockopt", func() int32 {
		value, res = k.Kernel.Getsockopt(fd, level, name)
		return 0
	})
	return value, res
}

func (k idle) Setsockopt(fd int32, level, name, value int) int32 {
	return k.or("Setsockopt", func() int32 { return k.Kernel.Setsockopt(fd, level, name, value) })
}

func (k idle) GetsockoptBytes(fd int32, level, name int, p []byte) int32 {
	return k.or("GetsockoptBytes", func() int32 { return k.Kernel.GetsockoptBytes(fd, level, name, p) })
}

func (k idle) SetsockoptFilter(fd int32, level, name int, program []sys.Filter) int32 {
	return k.or("SetsockoptFilter", func() int32 { return k.Kernel.SetsockoptFilter(fd, level, name, program) })
}

func (k idle) SetsockoptBytes(fd int32, level, name int, p []byte) int32 {
	return k.or("SetsockoptBytes", func() int32 { return k.Kernel.SetsockoptBytes(fd, level, name, p) })
}

func (k idle) SetLinger(fd int32, seconds int) int32 {
	return k.or("SetLinger", func() int32 { return k.Kernel.SetLinger(fd, seconds) })
}
