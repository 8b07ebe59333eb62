//go:build windows

package sys

import (
	"strings"
	"syscall"

	"golang.org/x/sys/windows"

	"ringo/internal/posix"
)

// Flags of open(2): those of package syscall, which are Linux's except for one, and Linux's for those that it lacks.
const (
	ONonblock  = syscall.O_NONBLOCK
	OAppend    = syscall.O_APPEND
	OCloexec   = syscall.O_CLOEXEC
	OCreat     = syscall.O_CREAT
	OExcl      = syscall.O_EXCL
	OTrunc     = syscall.O_TRUNC
	ODirectory = 0x10000
	ONofollow  = 0x20000
	OPath      = 0x200000
	OTmpfile   = 0x400000 | ODirectory
	OLargefile = 0
	ODsync     = syscall.O_SYNC
	OSync      = syscall.O_SYNC
	ONoctty    = 0x100
	ODirect    = 1 << 30 // refused
)

// HaveObjects says whether OPath opens a descriptor that stands for a name, even a link's, for calls with AtEmptyPath.
const HaveObjects = true

// A target is what a name leads to, for NtCreateFile: a name in an open folder, or an absolute one.
type target struct {
	root   windows.Handle // 0: the name is absolute
	name   string
	folder bool  // it ended with a separator
	o      *open // holds root, until drop
}

func (t *target) drop() {
	if t.o != nil {
		t.o.done()
	}
}

// lookup finds out where a path leads, which ends with a NUL. It follows no links, and the parts need not exist.
func lookup(dir int32, path []byte) (t target, res int32) {
	name := strings.ReplaceAll(string(path[:max(len(path)-1, 0)]), "/", `\`)
	if name == "" {
		return t, -ENOENT
	}
	t.folder = strings.HasSuffix(name, `\`)
	if dir == AtFdcwd || isWhole(name) {
		return t.whole(name)
	}
	if t.o = use(dir); t.o == nil {
		return t, -EBADF
	}
	if t.o.kind != isFolder {
		t.drop()
		return t, -ENOTDIR
	}
	parts, out := clean(name)
	if out { // NtCreateFile does not know ".."
		at, err := pathOf(t.o.handle)
		t.drop()
		t.o = nil
		if err != nil {
			return t, resultOf(err)
		}
		return t.whole(at + `\` + name)
	}
	t.root, t.name = t.o.handle, strings.Join(parts, `\`)
	return t, 0
}

// isWhole reports whether a name is absolute, or begins with a drive.
func isWhole(name string) bool { return name[0] == '\\' || len(name) > 1 && name[1] == ':' }

// clean splits a relative name. out reports that it leads out of where it starts.
func clean(name string) (parts []string, out bool) {
	for _, part := range strings.Split(name, `\`) {
		switch part {
		case "", ".":
		case "..":
			if len(parts) == 0 {
				return nil, true
			}
			parts = parts[:len(parts)-1]
		default:
			parts = append(parts, part)
		}
	}
	return parts, false
}

// whole makes a name absolute by the system, from the working directory on.
func (t *target) whole(name string) (target, int32) {
	full, err := windows.FullPath(name)
	if err != nil {
		return *t, resultOf(err)
	}
	if trimmed := strings.TrimRight(full, `\`); !strings.HasSuffix(trimmed, ":") {
		full = trimmed // the root of a drive keeps its separator
	}
	switch {
	case strings.HasPrefix(full, `\\?\`), strings.HasPrefix(full, `\\.\`):
		t.name = `\??\` + full[4:]
	case strings.HasPrefix(full, `\\`):
		t.name = `\??\UNC\` + full[2:]
	default:
		t.name = `\??\` + full
	}
	return *t, 0
}

// path returns the target as an absolute path, for calls that take no folders.
func (t *target) path() (string, int32) {
	if t.root == 0 {
		return `\\?\` + strings.TrimPrefix(t.name, `\??\`), 0
	}
	at, err := pathOf(t.root)
	if err != nil {
		return "", resultOf(err)
	}
	return at + `\` + t.name, 0
}

// pathOf returns the absolute name of what a handle has open.
func pathOf(h windows.Handle) (string, error) {
	buf := make([]uint16, windows.MAX_PATH)
	for {
		n, err := windows.GetFinalPathNameByHandle(h, &buf[0], uint32(len(buf)), 0)
		switch {
		case err != nil:
			return "", err
		case int(n) <= len(buf):
			return windows.UTF16ToString(buf[:n]), nil
		}
		buf = make([]uint16, n)
	}
}

// ofStatus returns the result for a status of the NT calls.
func ofStatus(s windows.NTStatus) int32 {
	switch s {
	case windows.STATUS_REPARSE_POINT_ENCOUNTERED:
		return -ELOOP
	case windows.STATUS_NOT_A_DIRECTORY:
		return -ENOTDIR
	case windows.STATUS_FILE_IS_A_DIRECTORY:
		return -EISDIR
	case windows.STATUS_DELETE_PENDING:
		return -ENOENT
	}
	return posix.Result(s.Errno())
}
