package sock_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"ringo"
	"ringo/internal/race"
	"ringo/sock"
)

// sendAll sends n bytes of a file behind a head, in as many calls as it takes.
func sendAll(c *sock.Conn, head []byte, f *os.File, off, n int64) (calls int, err error) {
	for n > 0 {
		m, err := c.SendFile(head, f.Fd(), off, n)
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
	file := patternFile(t, size)
	onPairs(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn) {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
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
		if at, _ := f.Seek(0, io.SeekCurrent); at != 0 {
			t.Errorf("the file's position is %d", at)
		}
	})
}

// A small head and a small file come in one piece.
func TestSendFileOneSegment(t *testing.T) {
	file := patternFile(t, 100)
	onPairs(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn) {
		f, err := os.Open(file)
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
	file := patternFile(t, 1<<20)
	onPairs(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn) {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, bad := range []struct{ off, n int64 }{{0, 0}, {0, -1}, {-1, 5}} {
			if n, err := c.SendFile(nil, f.Fd(), bad.off, bad.n); n != 0 || err == nil {
				t.Errorf("%d bytes from %d on: %d, %v", bad.n, bad.off, n, err)
			}
		}
		if n, err := c.SendFile(nil, f.Fd(), 1<<20, 1); n != 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("past the end: %d, %v", n, err)
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		if n, err := c.SendFile(nil, r.Fd(), 0, 1); n != 0 || err == nil {
			t.Errorf("of a pipe: %d, %v", n, err)
		}
		c.SetWriteDeadline(longAgo)
		_, err = c.SendFile(nil, f.Fd(), 0, 1)
		wantTimeout(t, "SendFile", err)
		c.SetWriteBuffer(65536)
		peer.SetReadBuffer(65536)
		c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		for err = nil; err == nil; { // the peer does not read
			_, err = c.SendFile(nil, f.Fd(), 0, 1<<20)
		}
		wantTimeout(t, "SendFile to a peer that does not read", err)
		c.SetWriteDeadline(never)
		c.Close()
		if n, err := c.SendFile(nil, f.Fd(), 0, 1); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %d, %v", n, err)
		}
	})
}

// Who is no task of the loop is told so.
func TestSendFileElsewhere(t *testing.T) {
	file := patternFile(t, 100)
	onPairs(t, func(t *testing.T, c *sock.Conn, _ *net.TCPConn) {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		failed := make(chan error, 1)
		go func() {
			_, err := c.SendFile(nil, f.Fd(), 0, 100)
			failed <- err
		}()
		if err := waiter(c)(failed); err == nil {
			t.Error("a goroutine may call it")
		}
	})
}

// SendFile allocates nothing.
func TestSendFileAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	file := patternFile(t, 100)
	onPairs(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn) {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		number, head, failed := f.Fd(), []byte("head"), error(nil)
		if n := testing.AllocsPerRun(100, func() {
			if _, err := c.SendFile(head, number, 0, 100); err != nil {
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
