//go:build linux

package file_test

import (
	"bytes"
	"os"
	"sync/atomic"
	"testing"

	"ringo"
	"ringo/file"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// ReadFile asks about a file once, and gives all of it, also where its size is not what
// it was when it was asked for.
func TestReadFileAsksOnce(t *testing.T) {
	row, asked := &op.Table[op.Stat], new(atomic.Int64)
	attempt, cached := row.Attempt, row.Cached
	defer func() { row.Attempt, row.Cached = attempt, cached }()
	shift := 0 // what is told too much
	count := func(call func(o *op.Op) int32) func(o *op.Op) int32 {
		return func(o *op.Op) int32 {
			res := call(o)
			if res != -sys.EAGAIN { // or it is asked by another call
				asked.Add(1)
				o.Ext.Stat.Size += uint64(shift)
			}
			return res
		}
	}
	row.Attempt, row.Cached = count(attempt), count(cached)
	for place, dir := range places(t) {
		t.Run(place, func(t *testing.T) {
			eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
				for _, size := range []int{0, 1, 511, 512, 4096, 5000} {
					for _, shift = range []int{0, -size, 3000} {
						name := filled(t, dir, size)
						before := asked.Load()
						got, err := file.ReadFile(name)
						if err != nil || !bytes.Equal(got, bytesOf(size)) {
							t.Errorf("ReadFile of %d bytes, told %d: %d, %v", size, size+shift, len(got), err)
						}
						if n := asked.Load() - before; n != 1 {
							t.Errorf("it asked %d times about the file", n)
						}
						os.Remove(name)
					}
				}
			})
		})
	}
}
