//go:build dragonfly || linux || openbsd

package file

import "syscall"

// timesOf are where a Stat_t has when the file was read, was written, changed and was made; nil: nowhere.
func timesOf(st *syscall.Stat_t) (read, written, changed, made *syscall.Timespec) {
	return &st.Atim, &st.Mtim, &st.Ctim, nil
}
