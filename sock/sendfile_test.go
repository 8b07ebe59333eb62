package sock_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"ringo"
	"ringo/internal/op"
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
	asAll(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn) {
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
	asAll(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn) {
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
