package sock

import (
	"path/filepath"
	"strings"
	"sync"

	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// socketFile is the file by which a Unix listener is found. Listeners that share a
// socket share it, and the last of them to close removes it if it is ours.
type socketFile struct {
	k    kernel.Kernel
	path []byte // with a NUL behind it; nil for a name that is no file's

	mu     sync.Mutex
	users  int
	made   *sys.Statx // as it was when we took charge of it; nil: we have not
	unlink bool
}

// newSocketFile is the file of a listener with this name, with one user.
func newSocketFile(k kernel.Kernel, name string) *socketFile {
	f := &socketFile{k: k, users: 1}
	if name != "" && name[0] != 0 && !strings.HasPrefix(name, "@") {
		if loop.Home() != nil {
			// whose working directory is its own
		} else if abs, err := filepath.Abs(name); err == nil {
			name = abs // it is the same file wherever the program goes
		}
		f.path = append([]byte(name), 0)
	}
	return f
}

// own says whether the file is ours to remove. The one that is meant is the one that
// bind made, or that was there when it first became ours.
func (f *socketFile) own(ours bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unlink = ours
	if ours && f.made == nil {
		f.made = f.look()
	}
}

// share counts one more user.
func (f *socketFile) share() *socketFile {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users++
	return f
}

// release is for a user that closes its socket, which it does afterwards, so that
// nobody has a new file there yet. What has taken the place of ours stays: numbers of
// files are given again, times are not.
func (f *socketFile) release() {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users--; f.users > 0 || !f.unlink || f.made == nil {
		return
	}
	now, made := f.look(), f.made
	if now != nil && now.Ino == made.Ino && now.DevMajor == made.DevMajor && now.DevMinor == made.DevMinor &&
		now.Mtime == made.Mtime {
		f.k.Unlinkat(sys.AtFdcwd, f.path, 0)
	}
}

// look says what is at the path, nil if nothing is.
func (f *socketFile) look() *sys.Statx {
	st := new(sys.Statx)
	if f.path == nil || f.k.Statx(sys.AtFdcwd, f.path, sys.AtSymlinkNofollow, sys.StatxBasic, st) < 0 {
		return nil
	}
	return st
}
