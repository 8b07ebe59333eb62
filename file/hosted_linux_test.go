//go:build linux

package file_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/hosted"
	"ringo/internal/mask"
	"ringo/internal/test/socktest"
	"ringo/internal/test/uringtest"
)

// onRing has each transfer of a goroutine that can go by the ring do so, on files of dir's mount.
func onRing(t testing.TB, dir string, known uint32, m *mask.Mask) *hosted.Rings {
	t.Helper()
	r, err := hosted.Open(hosted.Config{Few: -1, Mask: m})
	if uringtest.Refused(err) {
		t.Skip("no io_uring here:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	know(t, dir, known, r)
	return r
}

// TestHostedVectors runs what is about transfers where the ring has vectored entries alone.
func TestHostedVectors(t *testing.T) {
	t.Setenv("RINGO_DRIVER", "epoll") // what tasks do is not changed by that, so one driver is enough
	m, err := mask.Parse("op:read")
	if err != nil {
		t.Fatal(err)
	}
	r := onRing(t, tempDir(t), file.Cold, m)
	t.Run("like os", TestLikeOS)
	t.Run("direct", TestDirect)
	if s := r.Info().Stats; s.Submitted == 0 {
		t.Errorf("nothing went by the ring: %+v", s)
	}
}

// TestHostedReads: what is not in memory is read by the ring, and what is there is not.
func TestHostedReads(t *testing.T) {
	const size = 1 << 20
	r := onRing(t, tempDir(t), 0, nil)
	f, err := file.Open(filled(t, tempDir(t), size))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = unix.Fadvise(int(fd), 0, 0, unix.FADV_DONTNEED) }); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 4096)
	if n, err := f.ReadAt(p, 8192); n != len(p) || err != nil {
		t.Fatalf("ReadAt = %d, %v", n, err)
	}
	cold := r.Info().Stats.Submitted
	if n, err := f.ReadAt(p, 8192); n != len(p) || err != nil {
		t.Fatalf("ReadAt = %d, %v", n, err)
	}
	if warm := r.Info().Stats.Submitted - cold; warm != 0 {
		t.Errorf("%d reads of what is in memory went by the ring", warm)
	}
	if cold == 0 {
		t.Skip("the pages did not leave memory")
	}
}

// TestHostedNotInTasks: a task's reads are its loop's.
func TestHostedNotInTasks(t *testing.T) {
	r := onRing(t, tempDir(t), 0, nil)
	name := filled(t, tempDir(t), 1<<16)
	err := socktest.RunLoops(t, context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		f := openDirect(t, name)
		defer f.Close()
		_, err := f.ReadAt(buf.Aligned(4096, 4096), 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := r.Info().Stats; s.Submitted != 0 {
		t.Errorf("a task used the hosted ring: %+v", s)
	}
}

// TestHostedClose closes a file while many read it by the ring.
func TestHostedClose(t *testing.T) {
	onRing(t, tempDir(t), 0, nil)
	name := filled(t, tempDir(t), 1<<20)
	for range 20 {
		f := openDirect(t, name)
		var wg sync.WaitGroup
		begun := make(chan struct{}, 20)
		for range 20 {
			wg.Go(func() {
				p := buf.Aligned(4096, 4096)
				for n := int64(0); ; n++ {
					if _, err := f.ReadAt(p, n%256*4096); err != nil {
						if !errors.Is(err, os.ErrClosed) {
							t.Error(err)
						}
						return
					}
					if n == 0 {
						begun <- struct{}{}
					}
				}
			})
		}
		<-begun
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	}
}
