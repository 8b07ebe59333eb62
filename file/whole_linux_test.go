//go:build linux

package file_test

import (
	"bytes"
	"os"
	"sync/atomic"
	"testing"

	"ringo"
	"ringo/file"
	"ringo/internal/kernel"
	"ringo/internal/sys"
)

// asksForFiles counts how often somebody asks about an open file, and tells too much of its size.
type asksForFiles struct {
	kernel.Host
	n, shift atomic.Int64
}

func (k *asksForFiles) Statx(dir int32, path []byte, flags, mask uint32, st *sys.Statx) int32 {
	res := k.Host.Statx(dir, path, flags, mask, st)
	if flags&sys.AtEmptyPath != 0 {
		k.n.Add(1)
		st.Size += uint64(k.shift.Load())
	}
	return res
}

// ReadFile asks about a file once, and gives all of it, also where its size is not what
// it was when it was asked for.
func TestReadFileAsksOnce(t *testing.T) {
	asked := new(asksForFiles)
	defer kernel.Through(asked)()
	for place, dir := range places(t) {
		t.Run(place, func(t *testing.T) {
			eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
				for _, size := range []int{0, 1, 511, 512, 4096, 5000} {
					for _, shift := range []int{0, -size, 3000} {
						asked.shift.Store(int64(shift))
						name := filled(t, dir, size)
						before := asked.n.Load()
						got, err := file.ReadFile(name)
						if err != nil || !bytes.Equal(got, bytesOf(size)) {
							t.Errorf("ReadFile of %d bytes, told %d: %d, %v", size, size+shift, len(got), err)
						}
						if n := asked.n.Load() - before; n != 1 {
							t.Errorf("it asked %d times about the file", n)
						}
						os.Remove(name)
					}
				}
			})
		})
	}
}
