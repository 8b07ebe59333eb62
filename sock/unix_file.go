package sock

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// socketFile is the file by which a Unix listener is found. Listeners that share a
// socket share it, and the last of them to close removes it if it is ours.
type socketFile struct {
	path string // "" for a name that is no file's

	mu     sync.Mutex
	users  int
	made   fs.FileInfo // as it was when we took charge of it; nil: we have not
	unlink bool
}

// newSocketFile is the file of a listener with this name, with one user.
func newSocketFile(name string) *socketFile {
	f := &socketFile{users: 1}
	if name != "" && !strings.HasPrefix(name, "@") {
		f.path = name
		if abs, err := filepath.Abs(name); err == nil {
			f.path = abs // it is the same file wherever the program goes
		}
	}
	return f
}

// own says whether the file is ours to remove. The one that is meant is the one that
// bind made, or that was there when it first became ours.
func (f *socketFile) own(ours bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unlink = ours
	if ours && f.made == nil && f.path != "" {
		f.made, _ = os.Lstat(f.path)
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
	now, err := os.Lstat(f.path)
	if err == nil && os.SameFile(f.made, now) && now.ModTime().Equal(f.made.ModTime()) {
		os.Remove(f.path)
	}
}
