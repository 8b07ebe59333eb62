//go:build linux

package sock

import (
	"io/fs"
	"syscall"
)

// nameless reports whether a file is in no file system, as an eventfd is. Its mode has no type, and Go takes it for a
// regular file's.
func nameless(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Mode&syscall.S_IFMT == 0
}
