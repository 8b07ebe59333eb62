//go:build linux

package serve

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/cmd/ringo/internal/server"
	"ringo/cmd/ringo/internal/tooltest"
	"ringo/file"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/sys"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
)

// serveHere serves a directory from this process, and gives the loop, which looks each time whether
// bytes are in memory, however long it took until they were asked for again.
func serveHere(t *testing.T, driver, dir string, change func(o *options)) (addr string, l *ringo.Loop) {
	t.Helper()
	t.Setenv("RINGO_DRIVER", "")
	o := &options{Options: server.Options{Listen: server.Addresses{{Network: "tcp", Name: "127.0.0.1:0"}},
		Driver: driver, Loops: 1, Grace: time.Minute},
		dir: dir, files: 10, fresh: time.Minute, log: logOff, header: patience.Max, idle: patience.Max}
	if change != nil {
		change(o)
	}
	root, err := file.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.Open(t.Context(), &o.Options, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	f := newFiles(s, o, root, nil)
	f.look, f.warm = 0, time.Hour
	ctx, cancel := context.WithCancel(context.Background())
	loops, ended := make(chan *ringo.Loop, 1), make(chan error, 1)
	go func() {
		ended <- ringo.Run(ctx, o.Config(), func(l *ringo.Loop) error {
			loops <- l
			return s.Serve(l)
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.Close()
		root.Close()
	})
	select {
	case l = <-loops:
	case err := <-ended:
		t.Fatal(err)
	}
	return s.Addr().String(), l
}

// coldFile makes a file that is on a disk and not in memory, or skips the test where there is no
// such thing. The pages that a socket has until its peer acknowledges them stay; cool gives their number.
func coldFile(t *testing.T, size int) (dir, content string, cool func() (stay int)) {
	content = tooltest.Numbered(size)
	dir = tooltest.Site(t, map[string]string{"f": content})
	f, err := os.OpenFile(filepath.Join(dir, "f"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	cool = func() (stay int) {
		t.Helper()
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
			t.Fatal(err)
		}
		stay = resident(f)
		switch res := sys.ReadAtNow(int32(f.Fd()), make([]byte, 1), int64(size)/2); {
		case res == -int32(syscall.EOPNOTSUPP):
			t.Skip("the file system can't tell what is in memory")
		case res != -int32(syscall.EAGAIN):
			t.Skipf("the file stays in memory: a read gives %d", res)
		}
		return stay
	}
	return dir, content, cool
}

// watched are the calls on files that the loop's thread makes.
type watched struct {
	thread        atomic.Int32 // the loop's
	sent, waiting atomic.Int64 // bytes that went by sendfile, and calls that would have waited
}

// watch looks at each sendfile and each read that is made in place. An earlier look by mincore would
// not do: it lies about files of others, but these are ours.
func watch(t *testing.T) *watched {
	w := new(watched)
	send, read := op.Table[op.Sendfile].Attempt, op.Table[op.ReadAt].Attempt
	op.Table[op.Sendfile].Attempt = func(o *op.Op) int32 {
		if cold(o.Other, o.Off, int64(o.Limit)) {
			w.waiting.Add(1)
		}
		res := send(o)
		w.sent.Add(int64(max(0, res)))
		return res
	}
	op.Table[op.ReadAt].Attempt = func(o *op.Op) int32 {
		if int32(unix.Gettid()) == w.thread.Load() {
			w.waiting.Add(1)
		}
		return read(o)
	}
	t.Cleanup(func() { op.Table[op.Sendfile].Attempt, op.Table[op.ReadAt].Attempt = send, read })
	return w
}

// cold reports whether some of the bytes that are there are not in memory.
func cold(fd int32, off, n int64) bool {
	const page = 4096
	p := make([]byte, 1)
	for at := off; at < off+n; at = (at/page + 1) * page {
		if sys.ReadAtNow(fd, p, at) == -int32(syscall.EAGAIN) {
			return true
		}
	}
	return false
}

// resident counts the pages of a file that are in memory, where the kernel can tell (since 6.5) without reading: a
// read that finds nothing begins to fetch the rest.
func resident(f *os.File) (pages int) {
	var stat unix.Cachestat_t
	if unix.Cachestat(uint(f.Fd()), &unix.CachestatRange{}, &stat, 0) != nil {
		return 0
	}
	return int(stat.Cache)
}

// TestServeCold: the loop never waits for the disk. What is not in memory is read on the ring or by the
// offload, also if it was in memory a moment ago; what is there goes by sendfile.
func TestServeCold(t *testing.T) {
	const size = 4 << 20
	for _, driver := range []string{"uring", "epoll"} {
		t.Run(driver, func(t *testing.T) {
			if driver == "uring" {
				tooltest.NeedUring(t)
			}
			dir, content, cool := coldFile(t, size)
			w := watch(t)
			addr, l := serveHere(t, driver, dir, nil)
			if err := runIn(l, func() { w.thread.Store(int32(unix.Gettid())) }); err != nil {
				t.Fatal(err)
			}
			settle := func() { // the loop is not in a call whose bytes have come already
				if err := runIn(l, func() {}); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 4 {
				for over := patience.Deadline(); cool() > 0 && time.Now().Before(over); {
					runtime.Gosched()
				}
				tooltest.WantFile(t, addr, "/f", content)
				settle()
				if n := w.sent.Swap(0); n > 0 {
					t.Errorf("round %d: %d bytes that were not in memory went by sendfile", i, n)
				}
				// The kernel may take a page of its own accord, after which this is cold again.
				what := fmt.Sprintf("round %d: all %d bytes, which are in memory, go by sendfile", i, size)
				patience.Until(t, what, func() bool {
					tooltest.WantFile(t, addr, "/f", content)
					settle()
					return w.sent.Swap(0) == size
				})
			}
			if n := w.waiting.Load(); n > 0 {
				t.Errorf("the loop may have waited for the disk %d times", n)
			}
		})
	}
}

func runIn(l *ringo.Loop, fn func()) error {
	done := make(chan bool)
	if err := l.Post(func() { fn(); close(done) }); err != nil {
		return err
	}
	<-done
	return nil
}

// TestServeSlowlyCold: pages that leave memory while a peer is not reading are not waited for when it
// goes on.
func TestServeSlowlyCold(t *testing.T) {
	const size = 32 << 20
	for _, driver := range []string{"uring", "epoll"} {
		t.Run(driver, func(t *testing.T) {
			if driver == "uring" {
				tooltest.NeedUring(t)
			}
			dir, content, cool := coldFile(t, size)
			w := watch(t)
			addr, l := serveHere(t, driver, dir, nil)
			tooltest.WantFile(t, addr, "/f", content)
			w.sent.Store(0)
			c := tooltest.Dial(t, addr)
			c.SetReadBuffer(65536)
			io.WriteString(c, "GET /f HTTP/1.1\r\nHost: h\r\n\r\n")
			r := bufio.NewReader(c)
			if _, err := r.Peek(1); err != nil {
				t.Fatal(err)
			}
			for sent := int64(-1); sent != w.sent.Load(); { // the peer takes no more, so the loop is in no call
				sent = w.sent.Load()
				if err := runIn(l, func() {}); err != nil {
					t.Fatal(err)
				}
			}
			cool()
			if _, body, err := tooltest.ReadAnswer(r, "GET"); err != nil || body != content {
				t.Errorf("%d bytes, %v, want %d", len(body), err, size)
			}
			if n := w.waiting.Load(); n > 0 {
				t.Errorf("the loop may have waited for the disk %d times", n)
			}
		})
	}
}

// TestServeOthersMeanwhile: requests for what is in memory are answered while cold files are read.
func TestServeOthersMeanwhile(t *testing.T) {
	dir, content, cool := coldFile(t, 16<<20)
	tooltest.Put(t, filepath.Join(dir, "small"), "small")
	addr, _ := serveHere(t, "epoll", dir, nil)
	tooltest.WantFile(t, addr, "/small", "small")
	cool()
	failed := make(chan error, 4)
	for range cap(failed) {
		c := tooltest.Dial(t, addr)
		go func() {
			io.WriteString(c, "GET /f HTTP/1.1\r\nHost: h\r\n\r\n")
			_, body, err := tooltest.ReadAnswer(bufio.NewReader(c), "GET")
			if err == nil && body != content {
				err = fmt.Errorf("%d bytes", len(body))
			}
			failed <- err
		}()
	}
	for range 100 {
		tooltest.WantFile(t, addr, "/small", "small")
	}
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

// TestServeAllocs: a request for a file that is open allocates nothing, be it sent from memory or by
// sendfile.
func TestServeAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	dir := tooltest.Site(t, map[string]string{"small": tooltest.Numbered(1024), "large": tooltest.Numbered(64 << 10)})
	for _, driver := range []string{"uring", "epoll"} {
		for _, path := range []string{"/small", "/large"} {
			t.Run(driver+path, func(t *testing.T) {
				if driver == "uring" {
					tooltest.NeedUring(t)
				}
				addr, _ := serveHere(t, driver, dir, nil)
				countServeAllocs(t, tooltest.Dial(t, addr), path)
			})
		}
	}
}

func countServeAllocs(t *testing.T, c net.Conn, path string) {
	text := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: h\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n", path)
	tooltest.Ask(t, c, "GET", string(text))
	c.Write(text)
	answer := make([]byte, 1<<17)
	n, err := c.Read(answer)
	for have := n; err == nil; {
		c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if n, err = c.Read(answer); n > 0 {
			have += n
		}
		if err != nil {
			answer = answer[:have]
		}
	}
	c.SetReadDeadline(time.Time{})
	exchange := func() {
		c.Write(text)
		if _, err := io.ReadFull(c, answer); err != nil {
			t.Fatal(err)
		}
	}
	const some = 0.01 // the runtime's own, and the watcher's, which looks for who holds the loop
	if least := alloctest.Least(1000, some, exchange); least > some {
		t.Errorf("%.3f allocations a request, want none", least)
	}
}

// TestServeTmpfs: where reads can't be told not to wait, cachestat tells what may go by sendfile, and what
// is small is read on the loop.
func TestServeTmpfs(t *testing.T) {
	var fs unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &fs); err != nil || fs.Type != unix.TMPFS_MAGIC {
		t.Skipf("no tmpfs at /dev/shm: type %#x, %v", fs.Type, err)
	}
	dir, err := os.MkdirTemp("/dev/shm", "ringo-test-")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	small, large := tooltest.Numbered(1000), tooltest.Numbered(1<<20)
	tooltest.Put(t, filepath.Join(dir, "small"), small)
	tooltest.Put(t, filepath.Join(dir, "large"), large)
	for _, driver := range []string{"uring", "epoll"} {
		t.Run(driver, func(t *testing.T) {
			if driver == "uring" {
				tooltest.NeedUring(t)
			}
			w := watch(t)
			addr, l := serveHere(t, driver, dir, nil)
			for range 3 {
				tooltest.WantFile(t, addr, "/small", small)
				tooltest.WantFile(t, addr, "/large", large)
			}
			if err := runIn(l, func() {}); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(filepath.Join(dir, "large"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			looks := sys.Resident(int32(f.Fd()), 0, 1) == 1
			if n := w.sent.Load(); looks && n != 2<<20 {
				t.Errorf("%d bytes went by sendfile, want the large file twice", n)
			}
		})
	}
}
