//go:build !linux

package file

import (
	"io/fs"

	"ringo/internal/sys"
)

// osFacts is empty: nothing is asked.
type osFacts struct{}

func fill(*osFacts, *sys.Statx) {}

// Sys is nil: there are no files of this package's here.
func (i *Info) Sys() any { return nil }

func identity(fs.FileInfo) (dev, ino uint64, ok bool) { return 0, 0, false }
