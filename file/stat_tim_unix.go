//go:build dragonfly || linux || openbsd

package file

import (
	"syscall"

	"ringo/internal/sys"
)

func setTimes(st *syscall.Stat_t, s *sys.Statx) {
	setTime(&st.Atim, s.Atime)
	setTime(&st.Mtim, s.Mtime)
	setTime(&st.Ctim, s.Ctime)
}
