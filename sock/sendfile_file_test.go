package sock_test

import (
	"fmt"
	"io"
	"net"
	"testing"

	"ringo/file"
	"ringo/sock"
)

// A File of package file goes by sendfile from its position on, as one of package os
// does, and reads on behind what was sent.
func TestSendFilesFile(t *testing.T) {
	const size, at, limit = 3 << 20, 5, 2 << 20
	name, sent := patternFile(t, size), sendfiles(t)
	asAll(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn) {
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
