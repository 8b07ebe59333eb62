//go:build linux

package file_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
)

// loopDevice makes a block device of a file.
func loopDevice(t *testing.T, image string) string {
	t.Helper()
	control, err := unix.Open("/dev/loop-control", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no loop devices: open /dev/loop-control: %v", err)
	}
	defer unix.Close(control)
	back, err := unix.Open(image, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(back)
	const tries = 50
	for try := 1; ; try++ {
		name, err := takeLoop(control, back)
		if errors.Is(err, unix.EBUSY) && try < tries { // another process was faster
			continue
		}
		if err != nil {
			t.Skipf("no loop devices: %v", err)
		}
		t.Cleanup(func() { freeLoop(t, name) })
		return name
	}
}

// takeLoop puts a file behind a loop device that is free.
func takeLoop(control, back int) (name string, err error) {
	n, err := unix.IoctlRetInt(control, unix.LOOP_CTL_GET_FREE)
	if err != nil {
		return "", fmt.Errorf("LOOP_CTL_GET_FREE: %w", err)
	}
	name = fmt.Sprintf("/dev/loop%d", n)
	dev, err := unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", name, err)
	}
	defer unix.Close(dev)
	if err := unix.IoctlSetInt(dev, unix.LOOP_SET_FD, back); err != nil {
		return "", fmt.Errorf("LOOP_SET_FD of %s: %w", name, err)
	}
	return name, nil
}

// freeLoop takes the file from behind the device. As long as somebody else has that open,
// such as a mount that is about to end, the kernel puts it off.
func freeLoop(t *testing.T, name string) {
	t.Helper()
	dev, err := unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Errorf("open %s: %v", name, err)
		return
	}
	err = unix.IoctlSetInt(dev, unix.LOOP_CLR_FD, 0)
	unix.Close(dev)
	if err != nil && !errors.Is(err, unix.ENXIO) {
		t.Errorf("LOOP_CLR_FD of %s: %v", name, err)
	}
}

// A block device is a disk, also where the folder that names it is on a file system in memory, as /dev is: a task's
// write to it leaves the loop's thread.
func TestBlockDeviceIsADisk(t *testing.T) {
	const size = 1 << 20
	image, err := unix.MemfdCreate("disk", unix.MFD_CLOEXEC)
	if err != nil {
		t.Skipf("no memory for a disk: memfd_create: %v", err)
	}
	defer unix.Close(image)
	if err := unix.Ftruncate(image, size); err != nil {
		t.Fatal(err)
	}
	name := loopDevice(t, fmt.Sprintf("/proc/self/fd/%d", image))
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			f, err := file.OpenFile(name, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			p := bytesOf(4096)
			for i := range int64(3) { // the first finds out that nowait is refused
				before := l.Stats()
				if n, err := f.WriteAt(p, i*4096); n != len(p) || err != nil {
					t.Errorf("WriteAt = %d, %v", n, err)
				}
				after := l.Stats()
				if n := after.Parks - before.Parks - (after.Yields - before.Yields); n == 0 {
					t.Errorf("write %d did not park", i)
				}
			}
		})
	})
}
