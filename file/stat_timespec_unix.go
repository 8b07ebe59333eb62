//go:build darwin || freebsd || netbsd

package file

import "syscall"

func timesOf(st *syscall.Stat_t) (read, written, changed, made *syscall.Timespec) {
	return &st.Atimespec, &st.Mtimespec, &st.Ctimespec, &st.Birthtimespec
}
