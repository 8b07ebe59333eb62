//go:build linux

package file_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/test/testmain"
)

// A write, a sync or a close that fails, for want of a working disk or of a quota, does as
// with package os: the count is of what went out, the error of the call that met it, a
// file whose close has failed is closed.
func TestFailingCalls(t *testing.T) {
	dir := mountFailing(t).dir
	steps := []step{wr(1000), wr(0), wr(300_000), sk(0, io.SeekCurrent), wrAt(5000, 4096), syncs, syncs,
		sk(0, io.SeekStart), wr(10), shut, shut, wr(1)}
	for _, w := range ways {
		if !testmain.Long() && w.known != 0 {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			w.take(t, dir)
			eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
				failingFiles(dir, func(name, call string, errno unix.Errno) {
					f, err := file.OpenFile(name, os.O_WRONLY, 0)
					if err != nil {
						t.Fatal(err)
					}
					defer f.Close()
					g, err := os.OpenFile(name, os.O_WRONLY, 0)
					if err != nil {
						t.Fatal(err)
					}
					defer g.Close()
					failed := 0
					for i, s := range steps {
						got, want := s(f), s(g)
						if !same(got, want) {
							t.Errorf("%s, step %d: %s\nos gives %s", filepath.Base(name), i, show(got), show(want))
						}
						if err, ok := got[len(got)-1].(error); ok && errors.Is(err, errno) {
							failed++
						}
					}
					if failed == 0 {
						t.Errorf("%s: no call failed", filepath.Base(name))
					}
				})
			})
		})
	}
}

// The same of what has no counterpart in package os.
func TestFailingCallsBeyondOS(t *testing.T) {
	dir := mountFailing(t).dir
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		failingFiles(dir, func(name, call string, errno unix.Errno) {
			f, err := file.OpenFile(name, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			want := func(what string, fails bool, err error) {
				t.Helper()
				if fails && !errors.Is(err, errno) || !fails && err != nil {
					t.Errorf("%s of %s: %v", what, filepath.Base(name), err)
				}
			}
			all := bytesOf(300_000)
			n, err := f.WriteVAt([][]byte{all[:10], nil, all[10:200_000], all[200_000:]}, 0)
			want("WriteVAt", call == failWrite || call == failLate, err)
			if sizes := map[string]int{failWrite: 0, failLate: lateAfter}; err != nil && n != sizes[call] {
				t.Errorf("WriteVAt of %s = %d, want %d", filepath.Base(name), n, sizes[call])
			}
			want("Datasync", call == failSync, f.Datasync())
			w, err := file.NewWriter(f, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.Write(all)
			want("a stream's Flush", call == failWrite || call == failLate, errors.Join(err, w.Flush()))
			w.Close()
			want("Close", call == failClose, f.Close())
		})
	})
}

// failingMount is a FUSE file system whose files fail: each in the call, and with the
// errno, that its name tells. A file takes what is written, and forgets it. What is read
// from it comes when the test says so: see heldRead.
type failingMount struct {
	dir   string
	names []string // of node 2, 3 and so on
	held  chan heldRead

	features, background uint32
}

// What fails, in a file's name before the errno's.
const (
	failWrite = "write" // all of it
	failLate  = "late"  // what is past the first lateAfter bytes
	failSync  = "sync"
	failClose = "close"
)

const lateAfter = 128 << 10 // which is what one request has

var failingErrnos = map[string]unix.Errno{"EIO": unix.EIO, "EDQUOT": unix.EDQUOT}

// mountFailing mounts one, or skips where that can't be done.
func mountFailing(t *testing.T) *failingMount {
	t.Helper()
	return mountWith(t, 0, 0)
}

// mountWith is mountFailing with features asked for, and so many reads at once for which
// nobody waits in the call.
func mountWith(t *testing.T, features, background uint32) *failingMount {
	t.Helper()
	m := &failingMount{dir: tempDir(t), held: make(chan heldRead, heldMax), features: features, background: background}
	mountFuse(t, m.dir, m.handle)
	m.learn(t)
	return m
}

// learn has the kernel learn that poll is no call of this file system. Else Go's runtime would ask it, by an epoll_ctl
// of which its scheduler is not told, and where there is one processor nobody would be left to answer.
func (m *failingMount) learn(t *testing.T) {
	t.Helper()
	fd, err := unix.Open(filepath.Join(m.dir, "polled"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for err = unix.EINTR; err == unix.EINTR; { // by unix.Poll, since its answer is a goroutine's of this process
		_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The requests, see linux/fuse.h.
const (
	fuseLookup      = 1
	fuseForget      = 2
	fuseGetattr     = 3
	fuseSetattr     = 4
	fuseOpen        = 14
	fuseRead        = 15
	fuseWrite       = 16
	fuseStatfs      = 17
	fuseRelease     = 18
	fuseFsync       = 20
	fuseFlush       = 25
	fuseInit        = 26
	fuseInterrupt   = 36
	fuseBatchForget = 42

	fuseAsyncRead = 1 << 0 // FUSE_ASYNC_READ
	fuseDirectIO  = 1 << 0 // FOPEN_DIRECT_IO

	fuseInHeader  = 40
	fuseOutHeader = 16
)

// handle answers a request, or has the test do that.
func (m *failingMount) handle(d *fuseDevice, in []byte) {
	u32, u64 := binary.NativeEndian.Uint32, binary.NativeEndian.Uint64
	code, unique, node := u32(in[4:]), u64(in[8:]), u64(in[16:])
	switch code {
	case fuseForget, fuseBatchForget, fuseInterrupt:
	case fuseRead:
		m.held <- heldRead{d, unique, int(u32(in[fuseInHeader+16:]))}
	default:
		body, errno := m.answer(code, node, in[fuseInHeader:])
		d.write(answerTo(unique, body, errno)) // the one who asked may be gone
	}
}

// answerTo is the answer to a request.
func answerTo(unique uint64, body []byte, errno unix.Errno) []byte {
	if errno != 0 {
		body = nil
	}
	out := binary.NativeEndian.AppendUint32(nil, uint32(fuseOutHeader+len(body)))
	out = binary.NativeEndian.AppendUint32(out, uint32(-int32(errno)))
	out = binary.NativeEndian.AppendUint64(out, unique)
	return append(out, body...)
}

// answer is what a request gives.
func (m *failingMount) answer(code uint32, node uint64, p []byte) ([]byte, unix.Errno) {
	u32, u64 := binary.NativeEndian.AppendUint32, binary.NativeEndian.AppendUint64
	switch code {
	case fuseInit: // version 7.31
		out := u32(u32(u32(u32(nil, 7), 31), 0), m.features)
		return append(u32(u32(out, m.background<<16|m.background), lateAfter), make([]byte, 64-24)...), 0
	case fuseLookup:
		m.names = append(m.names, strings.TrimRight(string(p), "\x00"))
		node := uint64(len(m.names) + 1)
		return append(u64(u64(u64(u64(u64(nil, node), 0), 0), 0), 0), attributes(node)...), 0
	case fuseStatfs:
		return make([]byte, 80), 0
	case fuseGetattr, fuseSetattr:
		return append(u64(u64(nil, 0), 0), attributes(node)...), 0
	case fuseOpen:
		flags := uint32(0)
		if m.called(node, straight) {
			flags = fuseDirectIO
		}
		return u32(u32(u64(nil, 0), flags), 0), 0
	case fuseRelease:
		return nil, 0
	case fuseWrite:
		off, size := binary.NativeEndian.Uint64(p[8:]), binary.NativeEndian.Uint32(p[16:])
		if errno := m.failsIn(node, failWrite); errno != 0 {
			return nil, errno
		}
		if errno := m.failsIn(node, failLate); errno != 0 && off >= lateAfter {
			return nil, errno
		}
		return u32(u32(nil, size), 0), 0
	case fuseFsync:
		return nil, m.failsIn(node, failSync)
	case fuseFlush:
		return nil, m.failsIn(node, failClose)
	}
	return nil, unix.ENOSYS
}

// failsIn is with what a node fails in a call; 0 if it doesn't.
func (m *failingMount) failsIn(node uint64, what string) unix.Errno {
	if !m.called(node, what) {
		return 0
	}
	_, errno, _ := strings.Cut(m.names[node-2], "-")
	return failingErrnos[errno]
}

// called reports whether a node's name begins so.
func (m *failingMount) called(node uint64, what string) bool {
	if node < 2 {
		return false
	}
	first, _, _ := strings.Cut(m.names[node-2], "-")
	return first == what
}

// attributes are a node's: 1 is the root.
func attributes(node uint64) []byte {
	const size = 1 << 20
	mode := uint32(unix.S_IFREG | 0o600)
	if node == 1 {
		mode = unix.S_IFDIR | 0o700
	}
	var out []byte
	for _, v := range []uint64{node, size, size / 512, 0, 0, 0} { // inode, size, blocks, times
		out = binary.NativeEndian.AppendUint64(out, v)
	}
	for _, v := range []uint32{0, 0, 0, mode, 1, uint32(os.Getuid()), uint32(os.Getgid()), 0, 4096, 0} {
		out = binary.NativeEndian.AppendUint32(out, v)
	}
	return out
}

// failingFiles are a mount's files, each with what it fails in and with.
func failingFiles(dir string, f func(name, call string, errno unix.Errno)) {
	for _, call := range []string{failWrite, failLate, failSync, failClose} {
		for text, errno := range failingErrnos {
			f(filepath.Join(dir, call+"-"+text), call, errno)
		}
	}
}

// readOnlyDisk gives a file of n bytes on an ext4 whose disk takes no write any more: a
// loop device over memory that was sealed.
func readOnlyDisk(t *testing.T, n int) (name string) {
	t.Helper()
	memory, err := unix.MemfdCreate("disk", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Skipf("no memory that can be sealed: memfd_create: %v", err)
	}
	t.Cleanup(func() { unix.Close(memory) })
	if err := unix.Ftruncate(memory, 32<<20); err != nil {
		t.Fatal(err)
	}
	loop := loopDevice(t, fmt.Sprintf("/proc/self/fd/%d", memory))
	if out, err := command("mkfs.ext4", "-q", "-O", "^has_journal", "-E", "lazy_itable_init=0,nodiscard",
		loop); err != nil {
		t.Skipf("mkfs.ext4: %v: %s", err, out)
	}
	at := tempDir(t)
	if err := unix.Mount(loop, at, "ext4", 0, "errors=continue"); err != nil {
		t.Skipf("mount of a loop device: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(at, unix.MNT_DETACH) })
	name = filepath.Join(at, "file")
	if err := writeFile(name, bytesOf(n), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syncAll(at); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(memory), unix.F_ADD_SEALS, unix.F_SEAL_WRITE); err != nil {
		t.Skipf("F_SEAL_WRITE: %v", err)
	}
	return name
}

// syncAll has all of a file system last.
func syncAll(at string) error {
	f, err := os.Open(at)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}

// A disk that takes no write any more. What went into memory was written, so that the Sync
// behind it fails, once for each open file; past the page cache the write itself does.
// What can be read still is.
func TestFailingWriteback(t *testing.T) {
	const size = 1 << 20
	name := readOnlyDisk(t, size)
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			w.take(t, filepath.Dir(name))
			eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
				f, err := file.OpenFile(name, os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				g, err := os.OpenFile(name, os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer g.Close()
				if n, err := f.WriteAt(bytesOf(size), 0); n != size || err != nil {
					t.Errorf("WriteAt = %d, %v", n, err)
				}
				if err := f.Sync(); !errors.Is(err, unix.EIO) {
					t.Errorf("Sync: %v, want EIO", err)
				}
				if err := g.Sync(); !errors.Is(err, unix.EIO) {
					t.Errorf("os's Sync of another open file: %v, want EIO", err)
				}
				direct := openDirect(t, name)
				defer direct.Close()
				p := buf.Aligned(1<<16, 4096)
				if n, err := direct.WriteAt(p, 0); n != 0 || !errors.Is(err, unix.EIO) {
					t.Errorf("WriteAt past the page cache = %d, %v, want EIO", n, err)
				}
				if n, err := direct.ReadAt(p, 0); n != len(p) || err != nil || !bytes.Equal(p, bytesOf(len(p))) {
					t.Errorf("ReadAt past the page cache = %d, %v", n, err)
				}
				if err := f.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		})
	}
}

// failing gives a folder on an ext4 whose disk ends in its middle, and a file there of
// which the second half can't be read.
func failing(t *testing.T) (name string, half int64) {
	t.Helper()
	const size = 32 << 20
	dir := tempDir(t)
	image := filepath.Join(dir, "image")
	if err := writeFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, size); err != nil {
		t.Fatal(err)
	}
	loop := loopDevice(t, image)
	if out, err := command("mkfs.ext4", "-q", "-O", "^has_journal", "-E", "lazy_itable_init=0", loop); err != nil {
		t.Skipf("mkfs.ext4: %v: %s", err, out)
	}
	at := filepath.Join(dir, "mnt")
	if err := makeDir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(loop, at, "ext4", 0, "errors=continue"); err != nil {
		t.Skipf("mount of a loop device: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(at, unix.MNT_DETACH) })
	name = filepath.Join(at, "file")
	if err := writeFile(name, bytesOf(24<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 16<<20); err != nil {
		t.Fatal(err)
	}
	return name, 12 << 20
}

// A disk that fails: EIO, by each path, cached and not, and what can be read still is.
func TestFailingDisk(t *testing.T) {
	name, half := failing(t)
	for _, flag := range []int{0, file.Direct} {
		for _, w := range ways {
			t.Run(fmt.Sprintf("%s, flag %#x", w.name, flag), func(t *testing.T) {
				w.take(t, filepath.Dir(name))
				eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
					f, err := file.OpenFile(name, os.O_RDONLY|flag, 0)
					if err != nil {
						t.Fatal(err)
					}
					defer f.Close()
					p := buf.Aligned(1<<16, 4096)
					if n, err := f.ReadAt(p, 0); n != len(p) || err != nil {
						t.Errorf("ReadAt of the good part = %d, %v", n, err)
					}
					bad := 0
					for off := half; off < 24<<20; off += 1 << 20 {
						if _, err := f.ReadAt(p, off); errors.Is(err, unix.EIO) {
							bad++
						} else if err != nil {
							t.Errorf("ReadAt of the bad part: %v, want EIO", err)
						}
					}
					if bad == 0 {
						t.Error("the whole file can be read")
					}
				})
			})
		}
	}
}

// smallDisk mounts a file system in memory that has not much room, or skips where that can't be done.
func smallDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = tempDir(t)
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("no small file system to fill: mount: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// On a full disk what was there stays, and nothing is left beside it.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, "256k")
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		if err := writeFile(dir+"/file", []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		large := make([]byte, 1<<20)
		if err := file.WriteFileAtomic(dir+"/file", large, 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("WriteFileAtomic: %v, want ENOSPC", err)
		}
		if got, _ := readFile(dir + "/file"); string(got) != "old" || names(t, dir) != "file" {
			t.Errorf("the file holds %q, and beside it are %s", got, names(t, dir))
		}
		src := tempDir(t) + "/large"
		if err := writeFile(src, bytes.Repeat([]byte("x"), 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := file.CopyFile(dir+"/copy", src); !errors.Is(err, syscall.ENOSPC) || n >= 1<<20 {
			t.Errorf("CopyFile = %d, %v, want ENOSPC", n, err)
		}
		if err := file.Remove(dir + "/copy"); err != nil {
			t.Error(err)
		}
	})
}

// Where a disk is full half-way through a write, several slices, or a copy, the count is of what is
// in the file, the position behind it, and the error says why no more is, with the words of package os.
func TestFullHalfway(t *testing.T) {
	dir := smallDisk(t, "64k")
	all := bytesOf(100_000)
	from := filled(t, tempDir(t), len(all))
	theirs := filepath.Join(dir, "theirs")
	g, err := os.Create(theirs)
	if err != nil {
		t.Fatal(err)
	}
	wantN, want := g.Write(all)
	if err := errors.Join(g.Close(), os.Remove(theirs)); err != nil {
		t.Fatal(err)
	}
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		for what, write := range map[string]func(f *file.File) (int, error){
			"WriteVAt": func(f *file.File) (int, error) {
				return f.WriteVAt([][]byte{all[:10], all[10:50_000], all[50_000:]}, 0)
			},
			"WriteAt": func(f *file.File) (int, error) { return f.WriteAt(all, 0) },
			"Write": func(f *file.File) (int, error) {
				n, err := f.Write(all)
				if at, seekErr := f.Seek(0, io.SeekCurrent); n != wantN || at != int64(n) || !sameError(err, want) {
					t.Errorf("Write = %d, %v, at %d, %v, want %d, %v", n, err, at, seekErr, wantN, want)
				}
				if err := f.Allocate(0, 0, 1<<20); !errors.Is(err, unix.ENOSPC) {
					t.Errorf("Allocate: %v, want ENOSPC", err)
				}
				return n, err
			},
			"Copy": func(f *file.File) (int, error) {
				src, err := file.Open(from)
				if err != nil {
					return 0, err
				}
				defer src.Close()
				n, err := file.Copy(f, src)
				return int(n), err
			},
		} {
			name := filepath.Join(dir, "ours")
			f, err := file.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			n, err := write(f)
			got, _ := readFile(name)
			if n == 0 || n != len(got) || !errors.Is(err, unix.ENOSPC) || !bytes.Equal(got, all[:n]) {
				t.Errorf("%s = %d, %v, and the file has %d bytes", what, n, err, len(got))
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			os.Remove(name)
		}
	})
}

// Past RLIMIT_FSIZE the error is EFBIG, and the count is of what is in the file.
func TestFileSizeLimit(t *testing.T) {
	const limit = 50_000
	over := make(chan os.Signal, 64)
	signal.Notify(over, unix.SIGXFSZ)
	defer signal.Stop(over)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	dir := tempDir(t)
	all := bytesOf(100_000)
	eachCaller(t, func(t *testing.T, _ *ringo.Loop) {
		name := filepath.Join(dir, "file")
		f, err := file.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: was.Max}); err != nil {
			t.Skipf("RLIMIT_FSIZE: %v", err)
		}
		n, err := f.Write(all)
		m, err2 := f.WriteAt(all, 0)
		err3 := f.Truncate(limit + 1)
		unix.Setrlimit(unix.RLIMIT_FSIZE, &was)
		if n != limit || !errors.Is(err, unix.EFBIG) {
			t.Errorf("Write = %d, %v, want %d, EFBIG", n, err, limit)
		}
		if m != limit || !errors.Is(err2, unix.EFBIG) {
			t.Errorf("WriteAt = %d, %v, want %d, EFBIG", m, err2, limit)
		}
		if !errors.Is(err3, unix.EFBIG) {
			t.Errorf("Truncate: %v, want EFBIG", err3)
		}
		if got, err := readFile(name); err != nil || !bytes.Equal(got, all[:limit]) {
			t.Errorf("the file has %d bytes, %v", len(got), err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
}
