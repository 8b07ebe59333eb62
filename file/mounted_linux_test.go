//go:build linux

package file_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/kernel"
	"ringo/internal/race"
	"ringo/internal/sys"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
)

// kinds are file systems that most machines don't have their temporary files on, and how
// they are made. Both share blocks between files.
var kinds = []struct {
	name string
	mkfs []string
}{
	{"xfs", []string{"mkfs.xfs", "-q", "-m", "reflink=1"}},
	{"btrfs", []string{"mkfs.btrfs", "-q"}},
}

// eachKind runs f on each of them, mounted from an image in memory, and skips those that
// can't be had.
func eachKind(t *testing.T, f func(t *testing.T, dir string)) {
	t.Helper()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) { f(t, mountImage(t, k.name, k.mkfs)) })
	}
}

// imageSize is above the least that mkfs.xfs takes, 300 MiB. Of the memory only what is
// written to is used.
const imageSize = 1 << 30

// mountImage mounts a new file system, or skips and says why there is none. It is gone
// when the test ends.
func mountImage(t *testing.T, name string, mkfs []string) (dir string) {
	t.Helper()
	memory, err := unix.MemfdCreate("disk", unix.MFD_CLOEXEC)
	if err != nil {
		t.Skipf("no memory for a disk: memfd_create: %v", err)
	}
	defer unix.Close(memory)
	if err := unix.Ftruncate(memory, imageSize); err != nil {
		t.Fatal(err)
	}
	loop := loopDevice(t, fmt.Sprintf("/proc/self/fd/%d", memory))
	if out, err := command(mkfs[0], append(slices.Clone(mkfs[1:]), loop)...); err != nil {
		t.Skipf("no %s: %s: %v: %s", name, mkfs[0], err, out)
	}
	dir = tempDir(t)
	if err := unix.Mount(loop, dir, name, 0, ""); err != nil {
		t.Skipf("no %s: mount: %v", name, err)
	}
	t.Cleanup(func() { unmount(t, dir) })
	return dir
}

// unmount ends a mount in which nothing may be open any more.
func unmount(t *testing.T, dir string) {
	t.Helper()
	err := unix.Unmount(dir, 0)
	for end := time.Now().Add(patience.Max / 3); errors.Is(err, unix.EBUSY) &&
		time.Now().Before(end); err = unix.Unmount(dir, 0) {
		pause(nil) // what was dropped last is being closed
	}
	if err != nil {
		t.Errorf("unmount of %s: %v", dir, err)
		unix.Unmount(dir, unix.MNT_DETACH)
	}
}

// The suite on file systems with other answers: of btrfs no device has a number and
// directories have one link, either's copies share blocks, and each has its own bounds for
// what can be allocated, punched and read past the page cache.
func TestKinds(t *testing.T) {
	eachKind(t, func(t *testing.T, dir string) {
		defer func() { elsewhere = nil }()
		elsewhere = map[string]string{filepath.Base(t.Name()): dir}
		t.Run("like os", TestLikeOS)
		t.Run("data", TestDataLikeOS)
		t.Run("names", TestNamesLikeOS)
		t.Run("beyond os", TestBeyondOS)
		t.Run("locks", TestLock)
		t.Run("lock of another", TestLockOutlivesOthers)
		t.Run("copies", TestCopyFile)
		t.Run("atomic", TestWriteFileAtomic)
		t.Run("vectors", TestVectorsInPieces)
		t.Run("many at once", TestManyAtOnce)
		t.Run("close", TestCloseUnderCalls)
		t.Run("allocations", TestAllocs)
	})
}

// A read past the page cache into memory that is not aligned comes whole or says what is
// wrong, also where a part of the file is in memory: btrfs takes that part, and the rest only
// of a call that may wait.
func TestKindsReadWhole(t *testing.T) {
	const part, size = 3 * 4096, 16 * 4096
	eachKind(t, func(t *testing.T, dir string) {
		eachCaller(t, func(t *testing.T, l *ringo.Loop) {
			name := filled(t, dir, size)
			g, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			if err := unix.Fadvise(int(g.Fd()), 0, 0, unix.FADV_RANDOM); err != nil {
				t.Fatal(err)
			}
			forget(t, l, name)
			if n, err := g.ReadAt(make([]byte, part), 0); n != part || err != nil {
				t.Fatal(n, err)
			}
			f := openDirect(t, name)
			defer f.Close()
			p := buf.Aligned(size+1, 4096)[1:]
			n, err := f.Read(p)
			if n != size || err != nil || !bytes.Equal(p, bytesOf(size)) {
				var align *file.AlignError
				if n != 0 || !errors.As(err, &align) {
					t.Errorf("Read = %d, %v, want %d or an AlignError", n, err, size)
				}
			}
		})
	})
}

// What these file systems have for sure: the suite lets others do without.
func TestKindsHave(t *testing.T) {
	const size = 1 << 20
	eachKind(t, func(t *testing.T, dir string) {
		eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
			f, err := file.Create(filepath.Join(dir, "file"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			allocated := func() int64 {
				t.Helper()
				if err := f.Sync(); err != nil {
					t.Error(err)
				}
				info, err := f.Stat()
				if err != nil {
					t.Fatal(err)
				}
				return info.(*file.Info).Allocated()
			}
			if err := f.Allocate(file.KeepSize, 0, size); err != nil || allocated() < size {
				t.Errorf("Allocate: %v, and %d bytes of the disk", err, allocated())
			}
			if n, err := f.WriteAt(bytesOf(size), 0); n != size || err != nil {
				t.Errorf("WriteAt = %d, %v", n, err)
			}
			if err := f.PunchHole(0, size/2); err != nil || allocated() > size/2 {
				t.Errorf("PunchHole: %v, and %d bytes of the disk", err, allocated())
			}
			if at, err := f.Seek(0, file.SeekData); at != size/2 || err != nil {
				t.Errorf("Seek to data = %d, %v", at, err)
			}
			if err := f.SetXattr("user.a", []byte("value"), 0); err != nil {
				t.Errorf("SetXattr: %v", err)
			}
			if err := f.SyncRange(0, size, file.SyncWrite|file.SyncWaitAfter); err != nil {
				t.Errorf("SyncRange: %v", err)
			}
			d, err := file.OpenFile(f.Name(), os.O_RDWR|file.Direct, 0)
			if err != nil {
				t.Fatalf("open past the page cache: %v", err)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	})
}

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

// overlay mounts an overlayfs, which takes privileges.
func overlay(t testing.TB) (string, error) {
	t.Helper()
	return overlayIn(t, tempDir(t))
}

// overlayIn has all layers of it in one folder.
func overlayIn(t testing.TB, base string) (string, error) {
	t.Helper()
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		if err := makeDir(filepath.Join(base, name), 0o700); err != nil {
			return "", err
		}
	}
	at := filepath.Join(base, "merged")
	options := "lowerdir=" + base + "/lower,upperdir=" + base + "/upper,workdir=" + base + "/work"
	if err := unix.Mount("overlay", at, "overlay", 0, options); err != nil {
		return "", os.NewSyscallError("mount", err)
	}
	t.Cleanup(func() { unix.Unmount(at, unix.MNT_DETACH) })
	return at, nil
}

// command runs a program of the system's, if it is there.
func command(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	return string(out), err
}

// On overlayfs a task's read of what is in memory does not leave the loop's thread, and
// one of what is not does.
func TestOverlaid(t *testing.T) {
	needDisk(t, tempDir(t))
	dir, err := overlay(t)
	if err != nil {
		t.Skipf("no overlayfs: %v", err)
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			page := os.Getpagesize()
			name, want := filepath.Join(dir, "file"), bytesOf(8*page)
			if err := writeFile(name, want, 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := file.OpenFile(name, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			p := buf.Aligned(8*page, page)
			if n, err := f.ReadAt(p, 0); n != len(p) || err != nil { // now its sort is known
				t.Fatalf("ReadAt = %d, %v", n, err)
			}
			calls := []struct {
				name string
				call func() (int, error)
				want []byte
				err  error
			}{
				{"ReadAt", func() (int, error) { return f.ReadAt(p[:100], 5) }, want[5:105], nil},
				{"ReadAt of all", func() (int, error) { return f.ReadAt(p, 0) }, want, nil},
				{"ReadAt over the end", func() (int, error) {
					return f.ReadAt(p[:page], int64(8*page-10))
				}, want[8*page-10:], io.EOF},
				{"ReadVAt", func() (int, error) {
					return f.ReadVAt([][]byte{p[:10], p[10:5000]}, 3)
				}, want[3:5003], nil},
				{"Read", func() (int, error) { f.Seek(0, io.SeekStart); return f.Read(p[:5000]) }, want[:5000], nil},
				{"Read on", func() (int, error) { return f.Read(p[:page]) }, want[5000 : 5000+page], nil},
			}
			parks := func(call func() (int, error), want []byte, wantErr error) int {
				t.Helper()
				clear(p)
				before := l.Stats()
				n, err := call()
				after := l.Stats()
				if n != len(want) || err != wantErr || string(p[:n]) != string(want) {
					t.Errorf("%d bytes, %v, want %d, %v; or they are others", n, err, len(want), wantErr)
				}
				return int(after.Parks - before.Parks - (after.Yields - before.Yields))
			}
			for _, c := range calls {
				most := 0
				if c.err != nil {
					most = 1 // of what is behind the end nothing is known
				}
				if n := parks(c.call, c.want, c.err); n > most {
					t.Errorf("%s: %d parks, with all in memory", c.name, n)
				}
			}
			forget(t, l, name)
			if err := f.Advise(file.AdviceDontNeed, 0, 0); err != nil { // which f is to know of
				t.Fatal(err)
			}
			if n := parks(calls[1].call, calls[1].want, nil); n == 0 {
				t.Error("ReadAt of what was dropped did not park")
			}
			for range 3 { // so that all of it is known to be there
				if n := parks(calls[0].call, calls[0].want, nil); n != 0 {
					t.Errorf("ReadAt: %d parks, with all in memory", n)
				}
			}
			if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
				t.Fatal(err)
			}
			parks(calls[0].call, calls[0].want, nil) // may find that out, or wait for the disk
			if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
				t.Fatal(err)
			}
			l.Sleep(2 * time.Millisecond) // for which nothing that was known holds
			if n := parks(calls[1].call, calls[1].want, nil); n == 0 {
				t.Error("ReadAt of what somebody else has dropped did not park")
			}
			if n := alloctest.Least(20, 0.1, func() { f.ReadAt(p[:page], 0) }); n > 0.1 && !race.Enabled {
				t.Errorf("ReadAt allocates %v times", n)
			}
		})
	})
}

// What a cancelled task could not find out about a file is found out by the next.
func TestOverlaidAfterCancel(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		dir, err := overlay(t) // which nobody knows yet
		if err != nil {
			t.Skipf("no overlayfs: %v", err)
		}
		onLoop(t, cfg, func(l *ringo.Loop) {
			f, err := file.OpenFile(filled(t, dir, 4096), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			p := make([]byte, 4096)
			var cancelled *ringo.Task
			cancelled = l.Go(func() {
				cancelled.Cancel()
				if _, err := f.ReadAt(p, 0); !errors.Is(err, context.Canceled) {
					t.Errorf("ReadAt = %v, want context.Canceled", err)
				}
			})
			cancelled.Wait()
			for i := range 2 {
				before := l.Stats()
				if n, err := f.ReadAt(p, 0); n != len(p) || err != nil {
					t.Errorf("ReadAt = %d, %v", n, err)
				}
				after := l.Stats()
				if n := after.Parks - before.Parks - (after.Yields - before.Yields); i > 0 && n != 0 {
					t.Errorf("%d parks for what is in memory", n)
				}
			}
		})
	})
}

// A file that has grown, shrunk and gone on is read as it is.
func TestOverlaidGrows(t *testing.T) {
	dir, err := overlay(t)
	if err != nil {
		t.Skipf("no overlayfs: %v", err)
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			f, err := file.Create(filepath.Join(dir, "file"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for _, size := range []int64{0, 1, 5000, 1 << 20, 12 << 20, 12<<20 + 1, 40 << 20, 100, 9 << 20} {
				if err := f.Truncate(size); err != nil {
					t.Fatal(err)
				}
				if size > 0 {
					f.WriteAt([]byte("z"), size-1)
				}
				p := make([]byte, 10)
				for range 3 {
					n, err := f.ReadAt(p, max(0, size-5))
					if want := int(min(size, 5)); n != want || err != io.EOF || n > 0 && p[n-1] != 'z' {
						t.Errorf("of %d bytes the last are %q, %v, want %d", size, p[:n], err, want)
					}
				}
			}
		})
	})
}

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

// What has no type in the file system, an eventfd for one, is waited for by readiness, whatever mode it comes in: a
// worker would wait in the call without end, and Close for it, or EAGAIN would come out.
func TestAnonymousDescriptors(t *testing.T) {
	eachCallerHere(t, func(t *testing.T, l *ringo.Loop) {
		for _, flags := range []int{unix.EFD_CLOEXEC, unix.EFD_CLOEXEC | unix.EFD_NONBLOCK} {
			n, err := unix.Eventfd(0, flags)
			if err != nil {
				t.Fatal(err)
			}
			f := file.NewFile(uintptr(n), "eventfd")
			p := make([]byte, 8)
			if err := f.SetReadDeadline(time.Unix(1, 0)); err != nil {
				t.Fatalf("flags %#x: %v", flags, err)
			}
			if n, err := f.Read(p); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("flags %#x: Read behind the deadline = %d, %v", flags, n, err)
			}
			if err := f.SetReadDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			read := begin(l, func() {
				if n, err := f.Read(p); n != 8 || err != nil || binary.NativeEndian.Uint64(p) != 3 {
					t.Errorf("flags %#x: Read = %d, %v, %v", flags, n, err, p)
				}
			})
			pause(l)
			if n, err := f.Write(binary.NativeEndian.AppendUint64(nil, 3)); n != 8 || err != nil {
				t.Errorf("flags %#x: Write = %d, %v", flags, n, err)
			}
			read()
			read = begin(l, func() {
				if n, err := f.Read(p); n != 0 || !errors.Is(err, fs.ErrClosed) {
					t.Errorf("flags %#x: Read = %d, %v, want ErrClosed", flags, n, err)
				}
			})
			pause(l)
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			read()
		}
	})
}

// What is always ready keeps the mode that it came in.
func TestModeOfWhatIsReady(t *testing.T) {
	for _, mode := range []int{0, unix.O_NONBLOCK} {
		n, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC|mode, 0)
		if err != nil {
			t.Fatal(err)
		}
		f := file.NewFile(uintptr(n), "null")
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_NONBLOCK != mode {
			t.Errorf("opened with %#x, the mode is %#x, %v", mode, flags&unix.O_NONBLOCK, err)
		}
		f.Close()
	}
}
