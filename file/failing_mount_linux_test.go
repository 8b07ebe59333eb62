//go:build linux

package file_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

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
	if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0); err != nil {
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
