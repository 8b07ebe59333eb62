//go:build !linux && !windows

package file

import (
	"io/fs"

	"ringo/internal/sys"
)

// osFacts is empty: nothing is asked.
type osFacts struct{}

func fill(*osFacts, *sys.Statx) {}

// Sys returns nil: only on Linux and Windows is there what the system says of a file.
func (i *Info) Sys() any { return nil }

func identity(info fs.FileInfo) (dev, ino uint64, ok bool) {
	if i, ours := info.(*Info); ours {
		return device(i.st.DevMajor, i.st.DevMinor), i.st.Ino, true
	}
	return 0, 0, false
}
