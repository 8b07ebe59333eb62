//go:build linux

package sockhttp_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/invariant"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/sys"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// serveHere serves a directory, and gives the loop. It looks each time whether bytes are in memory.
func serveHere(t *testing.T, driver, dir string) (addr string, l *ringo.Loop) {
	t.Helper()
	f := &sockhttp.Files{Root: openRoot(t, dir), Keep: 10, Fresh: time.Minute}
	f.LookEachTime()
	t.Cleanup(f.Close)
	loops := make(chan *ringo.Loop, 1)
	s := &sockhttp.Server{Handler: sockhttp.Task(f), BaseContext: func(ln net.Listener) context.Context {
		loops <- ln.(*sock.Listener).Loop()
		return context.Background()
	}}
	addr = serve(t, ringo.Config{Driver: driver, Grace: time.Minute}, "task", s)
	return addr, <-loops
}

// coldFile makes a file that is on a disk and not in memory, or skips the test where there is no
// such thing. The pages that a socket has until its peer acknowledges them stay; cool gives their number.
func coldFile(t *testing.T, size int) (dir, content string, cool func() (stay int)) {
	content = numbered(size)
	dir = site(t, map[string]string{"f": content})
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

// TestFilesCold: the loop never waits for the disk. What is not in memory is read on the ring or by the
// offload, also if it was in memory a moment ago; what is there goes by sendfile.
func TestFilesCold(t *testing.T) {
	const size = 4 << 20
	for _, driver := range []string{"uring", "epoll"} {
		t.Run(driver, func(t *testing.T) {
			if err := socktest.Available(driver); err != nil {
				t.Skip(err)
			}
			dir, content, cool := coldFile(t, size)
			w := watch(t)
			addr, l := serveHere(t, driver, dir)
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
				wantFile(t, addr, "/f", content)
				settle()
				if n := w.sent.Swap(0); n > 0 {
					t.Errorf("round %d: %d bytes that were not in memory went by sendfile", i, n)
				}
				// The kernel may take a page of its own accord, after which this is cold again.
				what := fmt.Sprintf("round %d: all %d bytes, which are in memory, go by sendfile", i, size)
				patience.Until(t, what, func() bool {
					wantFile(t, addr, "/f", content)
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

// TestFilesSlowlyCold: pages that leave memory while a peer is not reading are not waited for when it
// goes on.
func TestFilesSlowlyCold(t *testing.T) {
	const size = 32 << 20
	for _, driver := range []string{"uring", "epoll"} {
		t.Run(driver, func(t *testing.T) {
			if err := socktest.Available(driver); err != nil {
				t.Skip(err)
			}
			dir, content, cool := coldFile(t, size)
			w := watch(t)
			addr, l := serveHere(t, driver, dir)
			wantFile(t, addr, "/f", content)
			w.sent.Store(0)
			c := dial(t, addr)
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
			if _, body, err := readAnswer(r, "GET"); err != nil || body != content {
				t.Errorf("%d bytes, %v, want %d", len(body), err, size)
			}
			if n := w.waiting.Load(); n > 0 {
				t.Errorf("the loop may have waited for the disk %d times", n)
			}
		})
	}
}

// TestFilesOthersMeanwhile: requests for what is in memory are answered while cold files are read.
func TestFilesOthersMeanwhile(t *testing.T) {
	dir, content, cool := coldFile(t, 16<<20)
	put(t, filepath.Join(dir, "small"), "small")
	addr, _ := serveHere(t, "epoll", dir)
	wantFile(t, addr, "/small", "small")
	cool()
	failed := make(chan error, 4)
	for range cap(failed) {
		c := dial(t, addr)
		go func() {
			io.WriteString(c, "GET /f HTTP/1.1\r\nHost: h\r\n\r\n")
			_, body, err := readAnswer(bufio.NewReader(c), "GET")
			if err == nil && body != content {
				err = fmt.Errorf("%d bytes", len(body))
			}
			failed <- err
		}()
	}
	for range 100 {
		wantFile(t, addr, "/small", "small")
	}
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

// TestFilesAllocs: an answer with a file that is open allocates nothing, be it sent from memory or by sendfile, as one
// of TaskReusing with no bytes does.
func TestFilesAllocs(t *testing.T) {
	if race.Enabled || invariant.Enabled {
		t.Skip("the race detector allocates, and nothing is reused with invariants")
	}
	dir := site(t, map[string]string{"small": numbered(1024), "large": numbered(64 << 10)})
	nothing := func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }
	for _, driver := range []string{"uring", "epoll"} {
		t.Run(driver, func(t *testing.T) {
			if err := socktest.Available(driver); err != nil {
				t.Skip(err)
			}
			const some = 0.02 // the runtime's own, and the watcher's, which looks for who holds the loop
			none := serve(t, ringo.Config{Driver: driver}, "task",
				&sockhttp.Server{Handler: sockhttp.TaskReusing(http.HandlerFunc(nothing))})
			if n := countAllocs(t, dial(t, none), "/", "\r\n\r\n"); n > some {
				t.Errorf("%.3f allocations a request without a body, want none", n)
			}
			addr, _ := serveHere(t, driver, dir)
			for _, path := range []string{"/small", "/large"} {
				if n := countAllocs(t, dial(t, addr), path, numbered(16)); n > some {
					t.Errorf("%s: %.3f allocations a request, want none", path, n)
				}
			}
		})
	}
}

// countAllocs counts those of a request with these lines, whose answer has the text in it.
func countAllocs(t *testing.T, c net.Conn, path, text string, lines ...string) float64 {
	t.Helper()
	asked := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: h\r\nUser-Agent: test\r\nAccept: */*\r\n%s\r\n", path,
		strings.Join(lines, ""))
	if _, err := c.Write(asked); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 1<<17)
	n := 0
	for n == 0 || !answered(answer[:n]) {
		k, err := c.Read(answer[n:])
		if n += k; err != nil {
			t.Fatal(err)
		}
	}
	if answer = answer[:n]; !bytes.Contains(answer, []byte(text)) {
		t.Fatalf("%.300q", answer)
	}
	return alloctest.Least(1000, 0.01, func() {
		c.Write(asked)
		if _, err := io.ReadFull(c, answer); err != nil {
			t.Fatal(err)
		}
	})
}

// answered reports whether an answer is here whole.
func answered(p []byte) bool {
	a, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(p)), nil)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, a.Body)
	return err == nil
}

// TestFilesTmpfs: where reads can't be told not to wait, cachestat tells what may go by sendfile, and what
// is small is read on the loop.
func TestFilesTmpfs(t *testing.T) {
	var fs unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &fs); err != nil || fs.Type != unix.TMPFS_MAGIC {
		t.Skipf("no tmpfs at /dev/shm: type %#x, %v", fs.Type, err)
	}
	dir, err := os.MkdirTemp("/dev/shm", "ringo-test-")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	small, large := numbered(1000), numbered(1<<20)
	put(t, filepath.Join(dir, "small"), small)
	put(t, filepath.Join(dir, "large"), large)
	for _, driver := range []string{"uring", "epoll"} {
		t.Run(driver, func(t *testing.T) {
			if err := socktest.Available(driver); err != nil {
				t.Skip(err)
			}
			w := watch(t)
			addr, l := serveHere(t, driver, dir)
			for range 3 {
				wantFile(t, addr, "/small", small)
				wantFile(t, addr, "/large", large)
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
