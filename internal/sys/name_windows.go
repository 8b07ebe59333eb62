//go:build windows

package sys

import (
	"strings"
	"syscall"

	"golang.org/x/sys/windows"

	"ringo/internal/posix"
)

// Flags of open(2): those of package syscall here, which are Linux's but for one, and Linux's where it has none.
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
	ONoctty    = 0x100
	ODirect    = 1 << 30 // refused
)

// HaveObjects says whether OPath opens what stands for any name, a link's too, for calls with AtEmptyPath.
const HaveObjects = true

// A target is where a name leads, as NtCreateFile is told: a name in a folder that is open, or a whole one.
type target struct {
	root   windows.Handle // 0: the name is whole
	name   string
	folder bool  // it ended with a separator
	o      *open // holds root, until drop
}

func (t *target) drop() {
	if t.o != nil {
		t.o.done()
	}
}

// lookup finds out where a path leads, which ends with a NUL. It follows no links, and needs none of the parts.
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
	if out { // ".." is not a name that NtCreateFile knows
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

// isWhole reports whether a name begins at a root, or at a drive.
func isWhole(name string) bool { return name[0] == '\\' || len(name) > 1 && name[1] == ':' }

// clean splits a relative name. out: it leads out of where it begins.
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

// whole has the system make a name a whole one, from the working directory on.
func (t *target) whole(name string) (target, int32) {
	full, err := windows.FullPath(name)
	if err != nil {
		return *t, resultOf(err)
	}
	if trimmed := strings.TrimRight(full, `\`); !strings.HasSuffix(trimmed, ":") {
		full = trimmed // a drive's root keeps it
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

// path is the target as the calls take it that know no folders.
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

// pathOf is the whole name of what a handle has open.
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

// ofStatus is the result for a status of the NT calls.
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
