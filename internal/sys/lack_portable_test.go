//go:build linux && portable

package sys

import (
	"os"
	"path/filepath"
	"testing"

	"ringo/internal/posix"
)

// Where sockets have no names but those of files, others are refused, and no file is made that is called so.
func TestNoNamesWithoutFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	namesWithoutFiles = false
	t.Cleanup(func() { namesWithoutFiles = true })
	var abstract, chosen Sockaddr
	abstract.SetUnix("@name")
	chosen.SetUnix("")
	want := posix.Lack(EOPNOTSUPP)
	for call, f := range map[string]func(fd int32) int32{
		"bind":    func(fd int32) int32 { return Bind(fd, &abstract) },
		"choose":  func(fd int32) int32 { return Bind(fd, &chosen) },
		"connect": func(fd int32) int32 { return Connect(fd, &abstract) },
		"send":    func(fd int32) int32 { return SendTo(fd, []byte("x"), 0, &abstract) },
	} {
		fd := Socket(AFUnix, SockDgram, 0)
		if res := f(fd); res != want {
			t.Errorf("%s: %d, want %d", call, res, want)
		}
		Close(fd)
	}
	if made, err := filepath.Glob("*"); len(made) > 0 || err != nil {
		t.Error(made, err)
	}
}

// A flag that bypasses the cache is the system's lack, and opens nothing.
func TestNoDirect(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	how := OpenHow{Flags: ODirect | OCreat, Mode: 0o600}
	if res := Openat2(AtFdcwd, []byte(name+"\x00"), &how); res != posix.Lack(EINVAL) {
		t.Errorf("%d, want %d", res, posix.Lack(EINVAL))
	}
	if _, err := os.Lstat(name); err == nil {
		t.Error("it was made")
	}
}

// Options that no table has are the system's lack, and not the socket's.
func TestLackedOptions(t *testing.T) {
	fd := Socket(AFInet, SockStream, 0)
	defer Close(fd)
	const userTimeout, info = 18, 11
	_, number := GetsockoptInt(fd, ProtoTCP, userTimeout)
	want := posix.Lack(ENOPROTOOPT)
	for what, res := range map[string]int32{
		"set":    SetsockoptInt(fd, ProtoTCP, userTimeout, 1),
		"get":    number,
		"bytes":  Getsockopt(fd, ProtoTCP, info, make([]byte, 224)),
		"set to": Setsockopt(fd, ProtoTCP, userTimeout, make([]byte, 4)),
		"filter": SetsockoptFilter(fd, SolSocket, 26, nil),
	} {
		if res != want {
			t.Errorf("%s: %d, want %d", what, res, want)
		}
	}
	if res := SetsockoptInt(fd, ProtoTCP, 2, -1); res != -EINVAL { // TCP_MAXSEG
		t.Errorf("a bad value: %d", res)
	}
}
