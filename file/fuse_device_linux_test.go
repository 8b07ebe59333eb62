//go:build linux

package file_test

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// fuseDevice is the kernel's side of a FUSE mount, which a thread has that shares its
// descriptors with none. So it goes with the process however that ends: a device that other
// threads had open as well would stay as long as they wait for its answers.
type fuseDevice struct {
	fd      int // the thread's
	wake    int // in the thread, what tells of replies
	waker   int
	mu      sync.Mutex
	replies []reply
	ended   chan struct{}
}

type reply struct {
	out []byte
	err chan error
}

// mountFuse mounts a file system at dir and gives its requests to handle, on the device's
// thread, until the test ends. It skips where that can't be done.
func mountFuse(t *testing.T, dir string, handle func(d *fuseDevice, request []byte)) *fuseDevice {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	d := &fuseDevice{wake: ends[0], waker: ends[1], ended: make(chan struct{})}
	mounted := make(chan error)
	onOtherThread(func() {
		defer close(d.ended)
		err := d.mount(dir)
		if mounted <- err; err == nil {
			d.serve(handle)
		}
	})
	err := <-mounted
	t.Cleanup(func() {
		unix.Unmount(dir, unix.MNT_DETACH)
		<-d.ended
		unix.Close(ends[0])
		unix.Close(ends[1])
	})
	if err != nil {
		t.Skipf("no file system of our own: %v", err)
	}
	return d
}

// onOtherThread runs f on a thread that ends with it, and is not the process's first, which
// would not end.
func onOtherThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		begun := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(begun)
			f()
		}()
		<-begun // by a thread that is not this one
		runtime.UnlockOSThread()
	}()
}

// mount is the thread's. Of what is open by now the thread keeps copies, since Go's runtime
// may use its netpoller from here.
func (d *fuseDevice) mount(dir string) (err error) {
	if err := unix.Unshare(unix.CLONE_FILES); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if d.fd, err = unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0); err != nil {
		return &os.PathError{Op: "open", Path: "/dev/fuse", Err: err}
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=%d", d.fd, os.Getuid(), os.Getgid())
	return os.NewSyscallError("mount of fuse", unix.Mount("ringo", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options))
}

// serve takes requests and sends replies until the file system is unmounted.
func (d *fuseDevice) serve(handle func(d *fuseDevice, request []byte)) {
	in := make([]byte, 1<<20)
	for {
		poll := []unix.PollFd{{Fd: int32(d.fd), Events: unix.POLLIN}, {Fd: int32(d.wake), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err != nil && err != unix.EINTR {
			panic(err)
		}
		d.send(in[:1])
		switch n, err := unix.Read(d.fd, in); {
		case err == nil:
			handle(d, in[:n])
		case err != unix.EINTR && err != unix.EAGAIN && err != unix.ENOENT: // ENOENT: the request is gone
			return
		}
	}
}

// send makes the replies that wait.
func (d *fuseDevice) send(scratch []byte) {
	unix.Read(d.wake, scratch)
	d.mu.Lock()
	replies := d.replies
	d.replies = nil
	d.mu.Unlock()
	for _, r := range replies {
		r.err <- d.write(r.out)
	}
}

// write is the thread's.
func (d *fuseDevice) write(out []byte) error {
	_, err := unix.Write(d.fd, out)
	return err
}

// reply is write for everybody else.
func (d *fuseDevice) reply(out []byte) error {
	r := reply{out, make(chan error, 1)}
	d.mu.Lock()
	d.replies = append(d.replies, r)
	d.mu.Unlock()
	if _, err := unix.Write(d.waker, []byte{0}); err != nil && err != unix.EAGAIN {
		return err
	}
	select {
	case err := <-r.err:
		return err
	case <-d.ended:
		return unix.ENODEV
	}
}
