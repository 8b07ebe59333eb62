package sock_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/posix"
	"ringo/internal/race"
	"ringo/sock"
)

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
	asAll(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn) {
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

func sendRanges(t *testing.T, c *sock.Conn, peer *net.TCPConn, f syscall.Conn, size int64) {
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
	asAll(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn) {
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
	asAll(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn) {
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
	onPairs(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn) {
		f, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		head, failed := []byte("head"), error(nil)
		if n := testing.AllocsPerRun(100, func() {
			if _, err := c.SendFile(head, f, 0, 100); err != nil {
				failed = err
			}
		}); n != 0 || failed != nil {
			t.Errorf("%v allocations, %v", n, failed)
		}
	})
}

// onPairs runs body in a task with a connection, for each driver.
func onPairs(t *testing.T, body func(t *testing.T, c *sock.Conn, peer *net.TCPConn)) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(_ *ringo.Loop, c *sock.Conn, peer *net.TCPConn) { body(t, c, peer) })
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
