//go:build linux && !portable

package sys

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Incore knows what is in the page cache, up to the first page that is not.
func TestIncore(t *testing.T) {
	page := int(pageSize)
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int32(f.Fd())
	if m, res := NewIncore(fd, 0); m != nil || res != -ENODATA {
		t.Errorf("NewIncore of nothing = %v, %d, want -ENODATA", m, res)
	}
	grow := func(pages int) {
		t.Helper()
		if _, err := f.Write(make([]byte, pages*page)); err != nil {
			t.Fatal(err)
		}
	}
	grow(4)
	m, res := NewIncore(fd, 0)
	if res == -int32(unix.ENOMEM) {
		t.Skip("mincore(2) tells nothing here of memory that nobody may read, as under qemu-user")
	}
	if m == nil {
		t.Fatalf("NewIncore = %d", res)
	}
	defer m.Close()
	grow(2)
	for _, c := range []struct {
		name   string
		off    int64
		n      int
		prefix int
	}{
		{"the first byte", 0, 1, 1},
		{"the middle", 5, 2 * page, 2 * page},
		{"all of it", 0, 6 * page, 6 * page},
		{"over the end", int64(5*page + 7), 4 * page, page - 7},
		{"behind the end", int64(6 * page), 10, 0},
		{"far behind the end", 1 << 40, 10, 0},
		{"before the start", -1, 10, 0},
		{"nothing", 0, 0, 0},
	} {
		if got := m.Prefix(c.off, c.n); got != c.prefix {
			t.Errorf("%s: %d of %d bytes, want %d", c.name, got, c.n, c.prefix)
		}
	}
	if m.Covers(1 << 40) {
		t.Error("it covers what was never mapped")
	}

	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fadvise(int(fd), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
	switch n := m.Prefix(0, 6*page); n {
	case 0:
	case 6 * page:
		t.Skip("this file system keeps what it is told to drop")
	default:
		t.Errorf("%d bytes of what was dropped", n)
	}
	if _, err := f.ReadAt(make([]byte, page), int64(page)); err != nil {
		t.Fatal(err)
	}
	if n := m.Prefix(int64(page), page); n != page {
		t.Errorf("%d bytes of a page that was read, want all", n)
	}
}

// Who may not know what is in memory gets no Incore, and one that somebody has who gives
// the right away soon says that there is nothing.
func TestIncoreForbidden(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, make([]byte, pageSize), 0o444); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int32(f.Fd())
	before, res := NewIncore(fd, 0)
	if res == -int32(unix.ENOMEM) {
		t.Skip("mincore(2) tells nothing here of memory that nobody may read, as under qemu-user")
	}
	if before == nil {
		t.Fatalf("NewIncore for root = %d", res)
	}
	defer before.Close()
	another := true
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		unix.SetfsuidRetUid(1)
		if now, _ := unix.SetfsuidRetUid(-1); now != 1 {
			another = false
			return
		}
		if m, res := NewIncore(fd, 0); m != nil || res != -int32(unix.EPERM) {
			t.Errorf("NewIncore for somebody else = %v, %d, want -EPERM", m, res)
		}
		told := 0
		for range incoreProbe {
			if before.Prefix(0, 1) == 0 {
				told++
			}
		}
		if told == 0 {
			t.Errorf("it says after %d calls that what it knows is true", incoreProbe)
		}
	}()
	<-done
	if !another {
		t.Skip("this user namespace has no user 1")
	}
}
