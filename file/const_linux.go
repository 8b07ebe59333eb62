//go:build linux

package file

import "syscall"

// Direct is a flag for OpenFile: reads and writes bypass the page cache (O_DIRECT). Memory, offset and length must be
// aligned, see File.DirectAlign and buf.Aligned.
const Direct = syscall.O_DIRECT
