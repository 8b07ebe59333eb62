//go:build linux && !portable

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
	const kib, keep = 1 << 10, sys.FallocKeepSize
	say := func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }
	open := func(name string) int32 {
		how := sys.OpenHow{Flags: sys.ORdwr | sys.OCreat | sys.OCloexec, Mode: 0o600}
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
	allocate(b, sys.FallocPunchHole|keep, 100*kib+1, 100*kib)
	allocate(a, keep, 512*kib, 92*kib)
	allocate(b, 0, 100*kib, 100*kib)
	truncate(a, 256*kib+1)
	allocate(b, 0, 100*kib, 100*kib)
	truncate(b, 0)

	allocate(b, 0, 0, 700*kib)
	allocate(b, sys.FallocPunchHole|keep, 0, 300*kib)
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
