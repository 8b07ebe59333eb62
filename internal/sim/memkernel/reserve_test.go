//go:build linux

package memkernel

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/driver"
	"ringo/internal/kernel"
	"ringo/internal/op"
	"ringo/internal/sim/world"
	"ringo/internal/sys"
)

// smallDisk is how much the disks have that both kernels fill.
const smallDisk = 1 << 20

// smallTmpfs is a file system of the system's kernel that has smallDisk bytes and no place among the mounts.
func smallTmpfs(t *testing.T) *either {
	t.Helper()
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		t.Skipf("no file system can be made here: fsopen: %v", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigSetString(fs, "size", fmt.Sprint(smallDisk)); err != nil {
		t.Skipf("no file system of a size can be made here: fsconfig: %v", err)
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		t.Skipf("no file system can be made here: fsconfig: %v", err)
	}
	root, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no file system can be mounted here: fsmount: %v", err)
	}
	t.Cleanup(func() { unix.Close(root) })
	return &either{Kernel: kernel.Host{}, do: driver.Call, dir: fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), root)}
}

// allocateSteps are the calls of a script about room, each with what can be told of it.
func allocateSteps(k *either) (told []string) {
	const kib, keep = 1 << 10, unix.FALLOC_FL_KEEP_SIZE
	say := func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }
	open := func(name string) int32 {
		how := sys.OpenHow{Flags: unix.O_RDWR | unix.O_CREAT | unix.O_CLOEXEC, Mode: 0o600}
		fd := k.Openat2(sys.AtFdcwd, k.path(name), &how)
		say("open %s: %s", name, k.take(fd))
		return fd
	}
	stat := func(fd int32) string {
		var st sys.Statx
		res := k.Statx(fd, []byte{0}, sys.AtEmptyPath, sys.StatxBasic, &st)
		var fs sys.Statfs
		k.Fstatfs(fd, &fs)
		return fmt.Sprintf("%d, size %d, %d blocks, %d and %d bytes of %d left", res, st.Size, st.Blocks,
			int64(fs.BlocksFree)*fs.BlockSize, int64(fs.BlocksUsable)*fs.BlockSize, int64(fs.Blocks)*fs.BlockSize)
	}
	allocate := func(fd int32, mode uint32, off, n int64) {
		res := k.op(op.Allocate, fd, func(o *op.Op) { o.CallFlags, o.Off, o.Ext.Len = mode, off, n })
		say("allocate %#x of %d at %d: %d; %s", mode, n, off, res, stat(fd))
	}
	write := func(fd int32, off int64, n int) {
		res := k.op(op.WriteAt, fd, func(o *op.Op) { o.Buf, o.Off = make([]byte, n), off })
		say("write %d at %d: %d; %s", n, off, res, stat(fd))
	}
	truncate := func(fd int32, size int64) {
		say("truncate to %d: %d; %s", size, k.op(op.Ftruncate, fd, func(o *op.Op) { o.Off = size }), stat(fd))
	}

	a, b := open("a"), open("b")
	allocate(a, 0, 0, 10*smallDisk)
	allocate(a, keep, 0, smallDisk+1)
	allocate(a, keep, 1000, 512*kib-1000)
	write(b, 0, 516*kib)
	write(b, 512*kib, 1)
	write(a, 100*kib, 100*kib)
	write(a, 0, 512*kib)
	write(a, 512*kib, 1)
	allocate(a, 0, 0, 512*kib)
	allocate(a, 0, 256*kib, 512*kib)

	truncate(a, 256*kib+1)
	write(b, 512*kib, 512*kib)
	allocate(b, unix.FALLOC_FL_PUNCH_HOLE|keep, 100*kib+1, 100*kib)
	allocate(a, keep, 512*kib, 92*kib)
	allocate(b, 0, 100*kib, 100*kib)
	truncate(a, 256*kib+1)
	allocate(b, 0, 100*kib, 100*kib)
	truncate(b, 0)

	allocate(b, 0, 0, 700*kib)
	allocate(b, unix.FALLOC_FL_PUNCH_HOLE|keep, 0, 300*kib)
	truncate(b, 800*kib)
	write(a, 0, 700*kib)
	truncate(a, 0)
	write(b, 100*kib, 100*kib)
	allocate(a, 0, 0, 524*kib+1)
	allocate(a, 0, 0, 524*kib)
	write(a, 0, 600*kib)

	say("unlink: %d", k.Unlinkat(sys.AtFdcwd, k.path("b"), 0))
	allocate(a, 0, 0, 600*kib)
	k.Close(b)
	allocate(a, 0, 0, 600*kib)
	c, d := open("c"), open("d")
	allocate(c, 0, 0, 424*kib)
	k.Close(c)
	say("rename: %d", k.op(op.Renameat, sys.AtFdcwd, func(o *op.Op) {
		o.Ext.Name.Path, o.Ext.Name.To, o.Ext.Name.ToDir = k.path("d"), k.path("c"), sys.AtFdcwd
	}))
	allocate(d, 0, 0, 424*kib+1)
	allocate(d, 0, 0, 424*kib)
	write(d, 0, 424*kib)
	return told
}

// What an allocation takes of a small disk, what it gives back and which calls have no room are as on the system's.
func TestAllocateAsTheSystem(t *testing.T) {
	h := NewNetwork(world.New(1)).Host("here")
	h.Capacity = smallDisk
	want := allocateSteps(smallTmpfs(t))
	got := allocateSteps(&either{Kernel: h, do: h.Attempt, dir: "/tmp"})
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("step %d\nin memory: %s\nthe system: %s", i, got[i], want[i])
		}
	}
}

func (d *disk) allocate(fd int32, mode uint32, off, n int64) int32 {
	return d.do(d.h, op.Allocate, fd, func(o *op.Op) { o.CallFlags, o.Off, o.Ext.Len = mode, off, n })
}

// An allocation has room before anything changes, and what it has is there to be written, on a full disk, too.
func TestAllocateReserves(t *testing.T) {
	for want, set := range map[int32]func(h *Host){
		-sys.ENOSPC:         func(h *Host) { h.Capacity = 10 * pageSize },
		-int32(unix.EDQUOT): func(h *Host) { h.Quota = 10 * pageSize },
	} {
		d := newDisk(t, 1)
		set(d.h)
		fd, other := d.open("/data/a", unix.O_CREAT|unix.O_RDWR), d.open("/data/b", unix.O_CREAT|unix.O_RDWR)
		for _, mode := range []uint32{0, unix.FALLOC_FL_KEEP_SIZE, unix.FALLOC_FL_ZERO_RANGE} {
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
			if n := d.allocate(fd, unix.FALLOC_FL_ZERO_RANGE, 100, 5*pageSize); n != 0 {
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
		fd := d.open("/data/a", unix.O_CREAT|unix.O_RDWR)
		d.allocate(fd, unix.FALLOC_FL_KEEP_SIZE, 0, 6*pageSize)
		d.sync(fd)
		d.syncDir("/data")
		d.write(fd, make([]byte, pageSize), 2*pageSize)
		d.allocate(fd, unix.FALLOC_FL_KEEP_SIZE, 8*pageSize, pageSize)
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
		fd = d.open("/data/a", unix.O_RDWR)
		switch d.h.used {
		case 6:
		case 7:
			kept++
		default:
			t.Fatalf("seed %d: %d pages are used", seed, d.h.used)
		}
		left := 10*pageSize - int32(d.h.used)*pageSize
		other := d.open("/data/b", unix.O_CREAT|unix.O_RDWR)
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
			fd := d.open(name, unix.O_CREAT|unix.O_RDWR)
			at, n := rand.Int64N(pages)*pageSize, 1+rand.IntN(pages*pageSize)
			switch rand.IntN(8) {
			case 0, 1, 2:
				d.write(fd, make([]byte, n), at)
			case 3:
				d.do(d.h, op.Ftruncate, fd, func(o *op.Op) { o.Off = at })
			case 4:
				mode := []uint32{0, unix.FALLOC_FL_KEEP_SIZE, unix.FALLOC_FL_ZERO_RANGE,
					unix.FALLOC_FL_KEEP_SIZE | unix.FALLOC_FL_PUNCH_HOLE}[rand.IntN(4)]
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
