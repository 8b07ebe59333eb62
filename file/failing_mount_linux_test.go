//go:build linux

package file_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// failingMount is a FUSE file system whose files fail: each in the call, and with the
// errno, that its name tells. A file takes what is written, and forgets it.
type failingMount struct {
	dev   int
	names []string // of node 2, 3 and so on
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
func mountFailing(t *testing.T) (dir string) {
	t.Helper()
	// Not by package os: epoll hears nothing of a device that was added before the mount.
	dev, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no file system of our own: open /dev/fuse: %v", err)
	}
	dir = t.TempDir()
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=%d", dev, os.Getuid(), os.Getgid())
	if err := unix.Mount("ringo", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		unix.Close(dev)
		t.Skipf("no file system of our own: mount of fuse: %v", err)
	}
	m, ended := &failingMount{dev: dev}, make(chan struct{})
	go func() {
		defer close(ended)
		m.serve()
	}()
	t.Cleanup(func() {
		unix.Unmount(dir, unix.MNT_DETACH)
		<-ended
		unix.Close(dev)
	})
	return dir
}

// The requests, see linux/fuse.h.
const (
	fuseLookup      = 1
	fuseForget      = 2
	fuseGetattr     = 3
	fuseSetattr     = 4
	fuseOpen        = 14
	fuseWrite       = 16
	fuseRelease     = 18
	fuseFsync       = 20
	fuseFlush       = 25
	fuseInit        = 26
	fuseInterrupt   = 36
	fuseBatchForget = 42

	fuseInHeader  = 40
	fuseOutHeader = 16
)

// serve answers until the file system is unmounted.
func (m *failingMount) serve() {
	in := make([]byte, 1<<20)
	for {
		n, err := unix.Read(m.dev, in)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT) { // ENOENT: the request is gone
			continue
		}
		if err != nil {
			return
		}
		u32, u64 := binary.NativeEndian.Uint32, binary.NativeEndian.Uint64
		code, unique, node := u32(in[4:]), u64(in[8:]), u64(in[16:])
		body, errno := m.answer(code, node, in[fuseInHeader:n])
		if code == fuseForget || code == fuseBatchForget || code == fuseInterrupt {
			continue
		}
		if errno != 0 {
			body = nil
		}
		out := binary.NativeEndian.AppendUint32(nil, uint32(fuseOutHeader+len(body)))
		out = binary.NativeEndian.AppendUint32(out, uint32(-int32(errno)))
		out = binary.NativeEndian.AppendUint64(out, unique)
		unix.Write(m.dev, append(out, body...)) // the one who asked may be gone
	}
}

// answer is what a request gives.
func (m *failingMount) answer(code uint32, node uint64, p []byte) ([]byte, unix.Errno) {
	u32, u64 := binary.NativeEndian.AppendUint32, binary.NativeEndian.AppendUint64
	switch code {
	case fuseInit: // version 7.31, and nothing that could be asked for
		out := u32(u32(u32(u32(nil, 7), 31), 0), 0)
		return append(u32(u32(out, 0), lateAfter), make([]byte, 64-24)...), 0
	case fuseLookup:
		m.names = append(m.names, strings.TrimRight(string(p), "\x00"))
		node := uint64(len(m.names) + 1)
		return append(u64(u64(u64(u64(u64(nil, node), 0), 0), 0), 0), attributes(node)...), 0
	case fuseGetattr, fuseSetattr:
		return append(u64(u64(nil, 0), 0), attributes(node)...), 0
	case fuseOpen:
		return u64(u64(nil, 0), 0), 0
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
	if node < 2 {
		return 0
	}
	call, errno, _ := strings.Cut(m.names[node-2], "-")
	if call != what {
		return 0
	}
	return failingErrnos[errno]
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
