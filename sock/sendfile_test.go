package sock_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
	"ringo/sock"
)

// sendfiles counts the bytes that go by sendfile, whoever calls it.
func sendfiles(t *testing.T) *atomic.Int64 {
	row := &op.Table[op.Sendfile].Attempt
	plain, bytes := *row, new(atomic.Int64)
	*row = func(o *op.Op) int32 {
		res := plain(o)
		bytes.Add(int64(max(0, res)))
		return res
	}
	t.Cleanup(func() { *row = plain })
	return bytes
}

// A file is sent from its position on, which moves on, as far as readers around it let
// through, which are told. Nothing else about it matters: that it is empty, or small, or
// that the peer is slow.
func TestSendFile(t *testing.T) {
	const size = 3 << 20
	file := patternFile(t, size)
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		wait := waiter(c)
		for _, part := range []struct{ at, limit, want int64 }{
			{0, -1, size}, {size - 5, -1, 5}, {size, -1, 0}, {size + 100, -1, 0},
			{0, 0, 0}, {10, 1, 1}, {4096, 16384, 16384}, {1, 16385, 16385}, {7, 2 << 20, 2 << 20},
			{size - 100_000, 1 << 40, 100_000},
		} {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			f.Seek(part.at, io.SeekStart)
			var r io.Reader = f
			inner := &io.LimitedReader{R: f, N: part.limit}
			outer := &io.LimitedReader{R: inner, N: part.limit + 7}
			if part.limit >= 0 {
				r = outer
			}
			got := make(chan error, 1)
			go func() {
				p := make([]byte, part.want)
				_, err := io.ReadFull(peer, p)
				if bad := mismatch(p, int(part.at)); err == nil && bad >= 0 {
					err = fmt.Errorf("byte %d is wrong", bad)
				}
				got <- err
			}()
			n, err := c.ReadFrom(r)
			if n != part.want || err != nil {
				t.Errorf("from %d, at most %d: %d, %v, want %d", part.at, part.limit, n, err, part.want)
			}
			if err := wait(got); err != nil {
				t.Errorf("from %d, at most %d: %v", part.at, part.limit, err)
			}
			if at, _ := f.Seek(0, io.SeekCurrent); at != part.at+part.want {
				t.Errorf("from %d, at most %d: the file is at %d", part.at, part.limit, at)
			}
			if part.limit >= 0 && (inner.N != part.limit-part.want || outer.N != inner.N+7) {
				t.Errorf("at most %d: %d and %d are left after %d", part.limit, inner.N, outer.N, part.want)
			}
			f.Close()
		}
	})
}

// What is wrong with a file is told as reading it tells; what is wrong with the connection
// is the connection's error.
func TestSendFileErrors(t *testing.T) {
	file := patternFile(t, 64<<20)
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		closed, _ := os.Open(file)
		closed.Close()
		if n, err := c.ReadFrom(closed); n != 0 || !errors.Is(err, os.ErrClosed) {
			t.Errorf("of a closed file: %d, %v", n, err)
		}
		unreadable, err := os.OpenFile(filepath.Join(t.TempDir(), "f"), os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer unreadable.Close()
		unreadable.Write([]byte("x"))
		unreadable.Seek(0, io.SeekStart)
		var path *os.PathError
		if n, err := c.ReadFrom(unreadable); n != 0 || !errors.As(err, &path) {
			t.Errorf("of a file that is not for reading: %d, %v", n, err)
		}
		if n, err := c.ReadFrom(dirOf(t)); n != 0 || !errors.As(err, &path) {
			t.Errorf("of a directory: %d, %v", n, err)
		}

		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		c.SetWriteDeadline(longAgo)
		n, err := c.ReadFrom(f)
		wantTimeout(t, "ReadFrom", err)
		if n != 0 {
			t.Errorf("%d bytes went out after the deadline", n)
		}
		c.SetWriteDeadline(never)
		peer.SetReadBuffer(65536)
		c.SetWriteBuffer(65536)
		ended := make(chan error, 1)
		go func() {
			io.ReadFull(peer, make([]byte, 100_000))
			ended <- c.SetWriteDeadline(longAgo)
		}()
		n, err = c.ReadFrom(f)
		wantTimeout(t, "ReadFrom of a slow peer", err)
		if n < 100_000 || n >= 64<<20 {
			t.Errorf("%d bytes went out", n)
		}
		if err := waiter(c)(ended); err != nil {
			t.Error(err)
		}
		c.SetWriteDeadline(never)
		go func() {
			peer.SetLinger(0)
			ended <- peer.Close()
		}()
		_, err = c.ReadFrom(f)
		var e *net.OpError
		if !errors.As(err, &e) || e.Op != "write" || !errors.Is(err, anyReset(err)) {
			t.Errorf("after a reset: %v", err)
		}
		waiter(c)(ended)
		c.Close()
		_, err = c.ReadFrom(f)
		wantClosed(t, "ReadFrom", err)
	})
}

func dirOf(t *testing.T) *os.File {
	f, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// net/http's file server sends by sendfile, also ranges, which it limits.
func TestFileServer(t *testing.T) {
	const size = 5 << 20
	file := patternFile(t, size)
	sent := sendfiles(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			server := &http.Server{Handler: http.FileServer(http.Dir(filepath.Dir(file)))}
			served := make(chan bool)
			go func() { server.Serve(ln); close(served) }()
			offloaded(t, l, func() error {
				defer func() { server.Close(); <-served }()
				for _, part := range []struct{ first, last int }{{0, size - 1}, {100, 2_000_000}} {
					r, _ := http.NewRequest("GET", "http://"+ln.Addr().String()+"/pattern", nil)
					r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", part.first, part.last))
					answer, err := http.DefaultClient.Do(r)
					if err != nil {
						return err
					}
					p, err := io.ReadAll(answer.Body)
					answer.Body.Close()
					if bad := mismatch(p, part.first); err != nil || bad >= 0 || len(p) != part.last-part.first+1 {
						t.Errorf("%d bytes, %v, wrong at %d", len(p), err, bad)
					}
				}
				http.DefaultClient.CloseIdleConnections()
				return nil
			})
			if by := sent.Swap(0); by < size+2_000_000-100-2*1024 { // all but what is looked at to guess the type
				t.Errorf("%d bytes went by sendfile", by)
			}
		})
	})
}

// sendAll sends n bytes of a file behind a head, in as many calls as it takes.
func sendAll(c *sock.Conn, head []byte, f syscall.Conn, off, n int64) (calls int, err error) {
	for n > 0 {
		m, err := c.SendFile(head, f, off, n)
		calls++
		if err != nil {
			return calls, err
		}
		head, off, n = nil, off+int64(m), n-int64(m)
	}
	return calls, nil
}

// SendFile sends what it is told to, from where it is told to, and its head first, whether
// the peer is slow or not.
func TestSendFileRange(t *testing.T) {
	const size = 3 << 20
	name := patternFile(t, size)
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		g, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		sendRanges(t, c, peer, f, size)
		sendRanges(t, c, peer, g, size)
		for _, f := range []io.Seeker{f, g} {
			if at, err := f.Seek(0, io.SeekCurrent); at != 0 || err != nil {
				t.Errorf("the file's position is %d, %v", at, err)
			}
		}
	})
}

func sendRanges(t *testing.T, c *sock.Conn, peer tcpPeer, f syscall.Conn, size int64) {
	t.Helper()
	for _, part := range []struct {
		head   string
		off, n int64
	}{{"", 0, size}, {"head", 0, 1}, {"head", size - 1, 1}, {"", 4095, 2}, {"head", 12345, 2 << 20}} {
		got := make(chan error, 1)
		go func() {
			p := make([]byte, len(part.head)+int(part.n))
			_, err := io.ReadFull(peer, p)
			if err == nil && !bytes.HasPrefix(p, []byte(part.head)) {
				err = fmt.Errorf("the head is %q", p[:len(part.head)])
			}
			if bad := mismatch(p[len(part.head):], int(part.off)); err == nil && bad >= 0 {
				err = fmt.Errorf("byte %d is wrong", bad)
			}
			got <- err
		}()
		if _, err := sendAll(c, []byte(part.head), f, part.off, part.n); err != nil {
			t.Errorf("%d bytes from %d on: %v", part.n, part.off, err)
		}
		if err := waiter(c)(got); err != nil {
			t.Errorf("%d bytes from %d on: %v", part.n, part.off, err)
		}
	}
}

// A small head and a small file come in one piece.
func TestSendFileOneSegment(t *testing.T) {
	name := patternFile(t, 100)
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		got := make(chan error, 1)
		go func() {
			n, err := peer.Read(make([]byte, 1000))
			if err == nil && n != 104 {
				err = fmt.Errorf("%d bytes came first, want 104", n)
			}
			got <- err
		}()
		if _, err := sendAll(c, []byte("head"), f, 0, 100); err != nil {
			t.Error(err)
		}
		if err := waiter(c)(got); err != nil {
			t.Error(err)
		}
	})
}

// What is wrong is told, with its cause.
func TestSendFileRangeErrors(t *testing.T) {
	name := patternFile(t, 1<<20)
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, bad := range []struct{ off, n int64 }{{0, 0}, {0, -1}, {-1, 5}} {
			if n, err := c.SendFile(nil, f, bad.off, bad.n); n != 0 || err == nil {
				t.Errorf("%d bytes from %d on: %d, %v", bad.n, bad.off, n, err)
			}
		}
		if n, err := c.SendFile(nil, f, 1<<20, 1); n != 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("past the end: %d, %v", n, err)
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		if n, err := c.SendFile(nil, r, 0, 1); n != 0 || err == nil {
			t.Errorf("of a pipe: %d, %v", n, err)
		}
		if n, err := c.SendFile(nil, nil, 0, 1); n != 0 || !errors.Is(err, posix.EINVAL) {
			t.Errorf("of no file: %d, %v", n, err)
		}
		gone, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		gone.Close()
		if n, err := c.SendFile([]byte("head"), gone, 0, 1); n != 0 || !errors.Is(err, fs.ErrClosed) {
			t.Errorf("of a closed file: %d, %v", n, err)
		}
		c.SetWriteDeadline(longAgo)
		_, err = c.SendFile(nil, f, 0, 1)
		wantTimeout(t, "SendFile", err)
		c.SetWriteBuffer(65536)
		peer.SetReadBuffer(65536)
		c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		for err = nil; err == nil; { // the peer does not read
			_, err = c.SendFile(nil, f, 0, 1<<20)
		}
		wantTimeout(t, "SendFile to a peer that does not read", err)
		c.SetWriteDeadline(never)
		c.Close()
		if n, err := c.SendFile(nil, f, 0, 1); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %d, %v", n, err)
		}
	})
}

// SendFile allocates nothing, of a File of package file.
func TestSendFileAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	name := patternFile(t, 100)
	onPairs(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		f, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		head, failed := []byte("head"), error(nil)
		if n := alloctest.Least(100, 0.1, func() {
			if _, err := c.SendFile(head, f, 0, 100); err != nil {
				failed = err
			}
		}); n > 0.1 || failed != nil {
			t.Errorf("%v allocations, %v", n, failed)
		}
	})
}

// onPairs runs body in a task with a connection, for each driver.
func onPairs(t *testing.T, body func(t *testing.T, c *sock.Conn, peer tcpPeer)) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(_ *ringo.Loop, c *sock.Conn, peer tcpPeer) { body(t, c, peer) })
	})
}

// So does a task of another loop, which parks and holds up neither.
func TestSendFileOfAnotherLoop(t *testing.T) {
	const size = 3 << 20
	name := patternFile(t, size)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		conns, done := make(chan *sock.Conn, 1), make(chan error, 1)
		s := serve(t, cfg, perConn(func(c *sock.Conn) {
			conns <- c
			if err := waiter(c)(done); err != nil {
				t.Error(err)
			}
		}))
		peer := s.dial()
		c := <-conns
		f, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		otherLoop(s, c.Loop()).Go(func() {
			_, err := sendAll(c, []byte("head"), f, 5, size-5)
			done <- err
		})
		got := make([]byte, 4+size-5)
		if _, err := io.ReadFull(peer, got); err != nil || string(got[:4]) != "head" || mismatch(got[4:], 5) >= 0 {
			t.Errorf("the head is %q, byte %d is wrong: %v", got[:4], mismatch(got[4:], 5), err)
		}
	})
}

// A File of package file goes by sendfile from its position on, as one of package os
// does, and reads on behind what was sent.
func TestSendFilesFile(t *testing.T) {
	const size, at, limit = 3 << 20, 5, 2 << 20
	name, sent := patternFile(t, size), sendfiles(t)
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		wait, before := waiter(c), sent.Load()
		f, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		got := make(chan error, 1)
		go func() {
			p := make([]byte, limit)
			_, err := io.ReadFull(peer, p)
			if bad := mismatch(p, at); err == nil && bad >= 0 {
				err = fmt.Errorf("byte %d is wrong", bad)
			}
			got <- err
		}()
		if n, err := io.Copy(c, io.LimitReader(f, limit)); n != limit || err != nil {
			t.Errorf("%d, %v, want %d", n, err, limit)
		}
		if err := wait(got); err != nil {
			t.Error(err)
		}
		if by := sent.Load() - before; by < limit/2 {
			t.Errorf("%d bytes went by sendfile, of %d", by, limit)
		}
		if pos, err := f.Seek(0, io.SeekCurrent); pos != at+limit || err != nil {
			t.Errorf("the file is at %d, %v, want %d", pos, err, at+limit)
		}
		p := make([]byte, 100)
		if _, err := io.ReadFull(f, p); err != nil || mismatch(p, at+limit) >= 0 {
			t.Errorf("what follows is wrong: %v", err)
		}
	})
}

// A task that sends a file to a slow peer is ended by a cancel and by a close, and a file of
// many pieces keeps nobody from the loop.
func TestSendFileEnds(t *testing.T) {
	file := patternFile(t, 64<<20)
	sent := sendfiles(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, by := range []string{"cancel", "close"} {
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
				f, err := os.Open(file)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				var n int64
				task := l.Go(func() { n, err = c.ReadFrom(f) })
				offloaded(t, l, func() error { _, err := io.ReadFull(peer, make([]byte, 2<<20)); return err })
				if by == "cancel" {
					task.Cancel()
				} else {
					c.Close()
				}
				task.Wait()
				if by == "cancel" {
					wantCanceled(t, "ReadFrom", err)
				} else {
					wantClosed(t, "ReadFrom", err)
				}
				if n < 2<<20 || n >= 64<<20 {
					t.Errorf("%d bytes went out", n)
				}
				if by := sent.Swap(0); by < n-16384 {
					t.Errorf("%d bytes went by sendfile, of %d", by, n)
				}
			})
		}
	})
}
