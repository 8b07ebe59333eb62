//go:build !linux

package sock

import "io/fs"

// nameless returns false: only Linux has such files.
func nameless(fs.FileInfo) bool { return false }
