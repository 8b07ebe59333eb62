//go:build linux && (386 || arm)

package file

import "syscall"

// setOldIno fills in the number that stat64(2) has in two places.
func setOldIno(st *syscall.Stat_t, ino uint64) { st.X__st_ino = uint32(ino) }
