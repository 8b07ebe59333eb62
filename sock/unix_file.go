package sock

import (
	"path/filepath"
	"strings"
	"sync"

	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// socketFile is the file through which peers find a Unix listener. Listeners that share a socket share it, and the last
// of them to close removes it if the file is ours.
type socketFile struct {
	k    kernel.Kernel
	path []byte // NUL-terminated; nil if the name is not a file's

	mu     sync.Mutex
	users  int
	made   *sys.Statx // its state when it became ours to remove; nil: it never did
	unlink bool
}

// newSocketFile returns the file of a listener with this name, with one user.
func newSocketFile(k kernel.Kernel, name string) *socketFile {
	f := &socketFile{k: k, users: 1}
	if name != "" && name[0] != 0 && !strings.HasPrefix(name, "@") {
		if loop.Home() != nil {
			// A simulated host has a working directory of its own.
		} else if abs, err := filepath.Abs(name); err == nil {
			name = abs // the same file even after a chdir
		}
		f.path = append([]byte(name), 0)
	}
	return f
}

// own sets whether the file is ours to remove: the one that bind has made, or that was there when it first became ours.
func (f *socketFile) own(ours bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unlink = ours
	if ours && f.made == nil {
		f.made = f.look()
	}
}

// share counts another user.
func (f *socketFile) share() *socketFile {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users++
	return f
}

// release is called by a user before it closes its socket, so that no other program has a new file there yet. The last
// user removes the file, unless another has taken its place. Inode numbers are reused; times of birth, where the file
// system keeps them, are not, and unlike other times nobody changes them.
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
		(now.Mask&made.Mask&sys.StatxBtime == 0 || now.Btime == made.Btime) {
		f.k.Unlinkat(sys.AtFdcwd, f.path, 0)
	}
}

// look returns what is at the path, nil if nothing is.
func (f *socketFile) look() *sys.Statx {
	st := new(sys.Statx)
	if f.path == nil || f.k.Statx(sys.AtFdcwd, f.path, sys.AtSymlinkNofollow, sys.StatxBasic|sys.StatxBtime, st) < 0 {
		return nil
	}
	return st
}
