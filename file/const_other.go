//go:build !linux

package file

import "ringo/internal/sys"

// Direct is a flag for OpenFile: reads and writes bypass the page cache. It is for Linux, and for simulated worlds,
// which have no such cache: here OpenFile fails with an error that names the system and is errors.ErrUnsupported.
const Direct = 1 << 30

const _ = -uint(Direct ^ sys.ODirect)
