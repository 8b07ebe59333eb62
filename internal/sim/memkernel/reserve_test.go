package memkernel

import (
	"fmt"
	"testing"

	"ringo/internal/op"
	"ringo/internal/sys"
)

func (d *disk) allocate(fd int32, mode uint32, off, n int64) int32 {
	return d.do(d.h, op.Allocate, fd, func(o *op.Op) { o.CallFlags, o.Off, o.Ext.Len = mode, off, n })
}

// An allocation has room before anything changes, and what it has is there to be written, on a full disk, too.
func TestAllocateReserves(t *testing.T) {
	for want, set := range map[int32]func(h *Host){
		-sys.ENOSPC:        func(h *Host) { h.Capacity = 10 * pageSize },
		-int32(sys.EDQUOT): func(h *Host) { h.Quota = 10 * pageSize },
	} {
		d := newDisk(t, 1)
		set(d.h)
		fd, other := d.open("/data/a", sys.OCreat|sys.ORdwr), d.open("/data/b", sys.OCreat|sys.ORdwr)
		for _, mode := range []uint32{0, sys.FallocKeepSize, sys.FallocZeroRange} {
			if n := d.allocate(fd, mode, pageSize-1, 10*pageSize); n != want {
				t.Errorf("%#x of more than there is room for = %d, want %d", mode, n, want)
			}
		}
		var st sys.Statx
		if d.h.Statx(fd, []byte{0}, sys.AtEmptyPath, sys.StatxBasic, &st); st.Size != 0 || st.Blocks != 0 {
			t.Errorf("behind it the file has %d bytes in %d blocks", st.Size, st.Blocks)
		}
		if n := d.allocate(fd, 0, 0, 6*pageSize); n != 0 {
			t.Errorf("what there is room for = %d", n)
		}
		if n := d.write(other, make([]byte, 5*pageSize), 0); n != 4*pageSize {
			t.Errorf("a write beside it = %d", n)
		}
		for range 2 {
			if n := d.write(fd, make([]byte, 6*pageSize), 0); n != 6*pageSize {
				t.Errorf("a write in it = %d", n)
			}
			if d.h.used != 10 {
				t.Errorf("behind it %d pages of 10 are used", d.h.used)
			}
			// Zeros in place of what was written are room that stays the file's.
			if n := d.allocate(fd, sys.FallocZeroRange, 100, 5*pageSize); n != 0 {
				t.Errorf("zeros = %d", n)
			}
			if n := d.write(other, make([]byte, 1), 4*pageSize); n != want {
				t.Errorf("a write to a full disk = %d, want %d", n, want)
			}
		}
	}
}

// What was allocated and synced is there to be written after a crash, whatever became of writes and of an unlink since;
// what was not synced may be there. What is used is what the files have.
func TestAllocateAndCrash(t *testing.T) {
	kept := 0
	for seed := range uint64(100) {
		d := newDisk(t, seed)
		d.h.Capacity = 10 * pageSize
		fd := d.open("/data/a", sys.OCreat|sys.ORdwr)
		d.allocate(fd, sys.FallocKeepSize, 0, 6*pageSize)
		d.sync(fd)
		d.syncDir("/data")
		d.write(fd, make([]byte, pageSize), 2*pageSize)
		d.allocate(fd, sys.FallocKeepSize, 8*pageSize, pageSize)
		if seed%2 == 0 {
			d.name(op.Unlinkat, "/data/a", "")
			d.h.Close(fd)
			if d.h.used != 0 {
				t.Fatalf("seed %d: %d pages are used when the file is gone", seed, d.h.used)
			}
		}
		d.crash()
		if _, ok := d.content("/data/a"); !ok {
			if d.h.used != 0 {
				t.Fatalf("seed %d: the file is gone, and %d pages are used", seed, d.h.used)
			}
			continue
		}
		fd = d.open("/data/a", sys.ORdwr)
		switch d.h.used {
		case 6:
		case 7:
			kept++
		default:
			t.Fatalf("seed %d: %d pages are used", seed, d.h.used)
		}
		left := 10*pageSize - int32(d.h.used)*pageSize
		other := d.open("/data/b", sys.OCreat|sys.ORdwr)
		if n := d.write(other, make([]byte, 10*pageSize), 0); n != left {
			t.Fatalf("seed %d: a write of the rest of the disk = %d", seed, n)
		}
		if n := d.write(fd, make([]byte, 6*pageSize), 0); n != 6*pageSize {
			t.Fatalf("seed %d: a write to what is reserved = %d", seed, n)
		}
	}
	if kept == 0 || kept == 100 {
		t.Errorf("what was not synced is there after %d of 100 crashes", kept)
	}
}

// Files never have more than the disk has, whatever a crash brings back, and what is left of it is told.
func TestRoomAfterACrash(t *testing.T) {
	const pages, names = 12, 4
	back := 0 // crashes that have brought something back
	for seed := range uint64(300) {
		d := newDisk(t, seed)
		d.h.Capacity = pages * pageSize
		rand := d.h.w.Rand()
		room := func(when string) {
			var has int64
			for i := range names {
				var st sys.Statx
				if d.h.Statx(sys.AtFdcwd, fmt.Appendf(nil, "/data/%d\x00", i), 0, sys.StatxBasic, &st) == 0 {
					has += int64(st.Blocks) / (pageSize / 512)
				}
			}
			var fs sys.Statfs
			d.h.Statfs([]byte("/\x00"), &fs)
			if has > pages || has != d.h.used || int64(fs.BlocksFree) != pages-has || fs.Blocks != pages {
				t.Fatalf("seed %d, %s: files have %d pages of %d, %d are used, and %d of %d are said to be left", seed,
					when, has, pages, d.h.used, fs.BlocksFree, fs.Blocks)
			}
		}
		for range 30 {
			name := fmt.Sprint("/data/", rand.IntN(names))
			fd := d.open(name, sys.OCreat|sys.ORdwr)
			at, n := rand.Int64N(pages)*pageSize, 1+rand.IntN(pages*pageSize)
			switch rand.IntN(8) {
			case 0, 1, 2:
				d.write(fd, make([]byte, n), at)
			case 3:
				d.do(d.h, op.Ftruncate, fd, func(o *op.Op) { o.Off = at })
			case 4:
				mode := []uint32{0, sys.FallocKeepSize, sys.FallocZeroRange,
					sys.FallocKeepSize | sys.FallocPunchHole}[rand.IntN(4)]
				d.allocate(fd, mode, at, int64(n))
			case 5:
				d.sync(fd)
			case 6:
				d.name(op.Unlinkat, name, "")
			case 7:
				d.name(op.Renameat, name, fmt.Sprint("/data/", rand.IntN(names)))
			}
			d.h.Close(fd)
			if rand.IntN(4) == 0 {
				d.syncDir("/data")
			}
			room("before")
		}
		before := d.h.used
		d.crash()
		room("after the crash")
		if d.h.used > before {
			back++
		}
	}
	if back == 0 {
		t.Error("no crash has brought anything back")
	}
}
