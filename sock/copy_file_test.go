package sock_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"ringo/file"
	"ringo/sock"
)

// io.Copy of a File asks the File first, which leaves it to the connection: sendfile, also
// to one of package net.
func TestCopyOfFileToConn(t *testing.T) {
	const size = 3 << 20
	name, sent := patternFile(t, size), sendfiles(t)
	for what, copied := range map[string]func(c *sock.Conn, f *file.File) (int64, error){
		"io.Copy": func(c *sock.Conn, f *file.File) (int64, error) { return io.Copy(c, f) },
		"WriteTo": func(c *sock.Conn, f *file.File) (int64, error) { return f.WriteTo(c) },
		"limited": func(c *sock.Conn, f *file.File) (int64, error) { return io.CopyN(c, f, size) },
	} {
		t.Run(what, func(t *testing.T) {
			asAll(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn) {
				wait, before := waiter(c), sent.Load()
				f, err := file.Open(name)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				got := make(chan error, 1)
				go func() {
					p := make([]byte, size)
					_, err := io.ReadFull(peer, p)
					if bad := mismatch(p, 0); err == nil && bad >= 0 {
						err = fmt.Errorf("byte %d is wrong", bad)
					}
					got <- err
				}()
				if n, err := copied(c, f); n != size || err != nil {
					t.Errorf("%d, %v, want %d", n, err, size)
				}
				if err := wait(got); err != nil {
					t.Error(err)
				}
				if by := sent.Load() - before; by < size/2 {
					t.Errorf("%d bytes went by sendfile, of %d", by, size)
				}
			})
		})
	}
}

// What is no regular file is read, and io.Copy does not go round between the two.
func TestCopyOfPipeToConn(t *testing.T) {
	asAll(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn) {
		wait := waiter(c)
		r, w, err := file.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		w.WriteString("through a pipe")
		w.Close()
		if n, err := io.Copy(c, r); n != 14 || err != nil {
			t.Errorf("io.Copy = %d, %v", n, err)
		}
		r.Close()
		got := make(chan error, 1)
		go func() {
			p := make([]byte, 14)
			_, err := io.ReadFull(peer, p)
			if err == nil && string(p) != "through a pipe" {
				err = fmt.Errorf("the peer got %q", p)
			}
			got <- err
		}()
		if err := wait(got); err != nil {
			t.Error(err)
		}
	})
}

// io.Copy of a connection to a File writes what comes, until its end.
func TestCopyOfConnToFile(t *testing.T) {
	const size = 1 << 20
	want, err := os.ReadFile(patternFile(t, size))
	if err != nil {
		t.Fatal(err)
	}
	for what, flag := range map[string]int{"written": 0, "appended": os.O_APPEND} {
		t.Run(what, func(t *testing.T) {
			asAll(t, func(t *testing.T, c *sock.Conn, peer *net.TCPConn) {
				f, err := file.OpenFile(t.TempDir()+"/f", os.O_RDWR|os.O_CREATE|flag, 0o600)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				go func() {
					peer.Write(want)
					peer.CloseWrite()
				}()
				if n, err := io.Copy(f, c); n != size || err != nil {
					t.Errorf("io.Copy = %d, %v, want %d", n, err, size)
				}
				got, err := os.ReadFile(f.Name())
				if err != nil || string(got) != string(want) {
					t.Errorf("the file holds other %d bytes, %v", len(got), err)
				}
			})
		})
	}
}

// A connection of package net takes a File by sendfile as it takes one of package os.
func TestCopyOfFileToNetConn(t *testing.T) {
	const size = 1 << 20
	name := patternFile(t, size)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	peer, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	f, err := file.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	done := make(chan error, 1)
	go func() {
		n, err := io.Copy(c, f)
		if n != size && err == nil {
			err = fmt.Errorf("io.Copy = %d", n)
		}
		c.(*net.TCPConn).CloseWrite()
		done <- err
	}()
	got, err := io.ReadAll(peer)
	if len(got) != size || err != nil || mismatch(got, 0) >= 0 {
		t.Errorf("the peer got %d bytes, %v", len(got), err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
