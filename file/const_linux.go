//go:build linux

package file

import "syscall"

// Direct is a flag for OpenFile: reads and writes bypass the page cache (O_DIRECT). Memory, offset and length must be
// aligned, see File.DirectAlign and buf.Aligned. On other systems OpenFile with it fails with an error that names the
// system and matches errors.ErrUnsupported; in simulated worlds it has no effect.
const Direct = syscall.O_DIRECT
