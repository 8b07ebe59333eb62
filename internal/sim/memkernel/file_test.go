package memkernel

import (
	"math"
	"testing"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// An access whose end there is no number for is refused, as by Linux.
func TestBeyondOffsets(t *testing.T) {
	d := newDisk(t, 1)
	fd := d.open("/data/f", sys.OCreat|sys.ORdwr)
	d.write(fd, []byte("synced"), 0)
	p := make([]byte, 5)
	for _, off := range []int64{math.MaxInt64, math.MaxInt64 - 4, math.MaxInt64 - 5, fileMax} {
		read, write := int32(0), -int32(sys.EFBIG)
		if off > math.MaxInt64-5 {
			read, write = -sys.EINVAL, -sys.EINVAL
		}
		for _, at := range []int64{off, -1} {
			d.h.Lseek(fd, off, sys.SeekSet)
			if n := d.do(d.h, op.ReadAt, fd, func(o *op.Op) { o.Buf, o.Off = p, at }); n != read {
				t.Errorf("a read at %d (%d) = %d, want %d", off, at, n, read)
			}
			if n := d.write(fd, p, at); n != write {
				t.Errorf("a write at %d (%d) = %d, want %d", off, at, n, write)
			}
		}
		if res := d.h.SyncRange(fd, off, 5, 0); (res == -sys.EINVAL) != (read < 0) {
			t.Errorf("a SyncRange at %d = %d", off, res)
		}
	}
	if got, _ := d.content("/data/f"); got != "synced" {
		t.Errorf("the file is %q", got)
	}
}
