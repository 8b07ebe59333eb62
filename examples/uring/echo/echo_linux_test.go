//go:build linux

package main

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"

	"ringo/internal/test/testmain"
	"ringo/uring"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// TestEcho: many connections at once send more than there are buffers, and get it back; then the server ends.
func TestEcho(t *testing.T) {
	r, err := uring.ProbeFor(nil, uring.CheckAcceptMultishot, uring.CheckRecvMultishot)
	if err == nil {
		err = r.Require(uring.CheckAcceptMultishot, uring.CheckRecvMultishot)
	}
	if err != nil {
		t.Skip(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	quit, stop, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer quit.Close()
	ended := make(chan error)
	go func() { ended <- serve(int(f.Fd()), int(quit.Fd())) }()

	var peers sync.WaitGroup
	for range 8 {
		peers.Go(func() {
			for range 3 { // places are used again
				if err := exchange(l.Addr().String(), buffers*size/4); err != nil {
					t.Error(err)
				}
			}
		})
	}
	peers.Wait()
	idle, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	stop.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// exchange sends n bytes and its end, and reads them back.
func exchange(address string, n int) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	want := make([]byte, n)
	for i := range want {
		want[i] = byte(rand.Uint32())
	}
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(want)
		sent <- errors.Join(err, c.(*net.TCPConn).CloseWrite())
	}()
	got, err := io.ReadAll(c)
	if err := errors.Join(err, <-sent); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return errors.New("other bytes came back")
	}
	return nil
}
