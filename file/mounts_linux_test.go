//go:build linux

package file_test

import (
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
	"ringo/internal/kernel"
	"ringo/internal/sys"
)

// asksForTypes counts how often somebody asks of what type a file system is.
type asksForTypes struct {
	kernel.Host
	n atomic.Int64
}

func (k *asksForTypes) Fstatfs(fd int32, st *sys.Statfs) int32 {
	k.n.Add(1)
	return k.Host.Fstatfs(fd, st)
}

// Of what sort a file system is, is asked once for all of its files; and a task that opens
// and reads a small one of a file system without a disk does not park.
func TestMountIsKnown(t *testing.T) {
	asked := new(asksForTypes)
	defer kernel.Through(asked)()
	for place, dir := range places(t) {
		if place == "disk" { // whose reads may have to wait
			continue
		}
		t.Run(place, func(t *testing.T) {
			var st unix.Statx_t
			if err := unix.Statx(unix.AT_FDCWD, dir, 0, sys.StatxMount, &st); err != nil ||
				st.Mask&sys.StatxMount == 0 {
				t.Skipf("mounts have no numbers of their own here: %#x, %v", st.Mask, err)
			}
			name := filled(t, dir, 1000)
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				onLoop(t, cfg, func(l *ringo.Loop) {
					read := func() int64 {
						before := asked.n.Load()
						if got, err := file.ReadFile(name); len(got) != 1000 || err != nil {
							t.Errorf("ReadFile = %d bytes, %v", len(got), err)
						}
						return asked.n.Load() - before
					}
					if n := read(); n > 1 {
						t.Errorf("the first file: %d questions", n)
					}
					before := l.Stats()
					for range 10 {
						if n := read(); n != 0 {
							t.Errorf("a later file: %d questions", n)
						}
					}
					after := l.Stats()
					if n := after.Parks - before.Parks - (after.Yields - before.Yields); n != 0 {
						t.Errorf("%d parks for ten files that are in memory", n)
					}
				})
			})
		})
	}
}
