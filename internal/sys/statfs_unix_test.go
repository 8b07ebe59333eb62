//go:build darwin || dragonfly || freebsd || (linux && portable)

package sys

import (
	"testing"

	"golang.org/x/sys/unix"
)

// FreeBSD counts below zero what is left for users when root has begun its reserve.
func TestStatfsBelowZero(t *testing.T) {
	var got unix.Statfs_t
	got.Bavail--
	var st Statfs
	if st.from(&got); st.BlocksUsable != 0 {
		t.Errorf("%d blocks usable", st.BlocksUsable)
	}
}
