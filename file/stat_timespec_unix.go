//go:build darwin || freebsd || netbsd

package file

import (
	"syscall"

	"ringo/internal/sys"
)

func setTimes(st *syscall.Stat_t, s *sys.Statx) {
	setTime(&st.Atimespec, s.Atime)
	setTime(&st.Mtimespec, s.Mtime)
	setTime(&st.Ctimespec, s.Ctime)
	setTime(&st.Birthtimespec, s.Btime)
}
