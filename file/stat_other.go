//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package file

import (
	"io/fs"

	"ringo/internal/sys"
)

// osFacts is empty, as Info has no Sys here.
type osFacts struct{}

func fill(*osFacts, *sys.Statx) {}

// Sys returns nil: there is no struct of the system behind an Info here.
func (i *Info) Sys() any { return nil }

func identity(info fs.FileInfo) (dev, ino uint64, ok bool) {
	if i, ours := info.(*Info); ours {
		return i.st.Dev(), i.st.Ino, true
	}
	return 0, 0, false
}
