//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/test/patience"
	"ringo/internal/test/seccomptest"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	testmain.Main(m)
}

// asProgram in the environment makes the test binary the example.
const asProgram = "RINGO_EXAMPLE_PROXY"

// start runs the proxy until the test ends, before a backend that handle is, and connects to it.
func start(t *testing.T, handle func(c *net.TCPConn)) *net.TCPConn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		defer ln.Close()
		c, err := ln.Accept()
		if err != nil {
			t.Error("backend:", err)
			return
		}
		defer c.Close()
		handle(c.(*net.TCPConn))
	}()
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, set, ln.Addr().String()) }()
	c, err := net.Dial("tcp", set.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(patience.Deadline())
	t.Cleanup(func() {
		c.Close()
		<-served
		cancel()
		if err := <-ended; err != nil {
			t.Error("serve:", err)
		}
	})
	return c.(*net.TCPConn)
}

// The backend answers when it has seen the end of what the client sent, so the half-close must get through.
func TestHalfClose(t *testing.T) {
	sent := bytes.Repeat([]byte("ringo "), 200_000)
	c := start(t, func(b *net.TCPConn) {
		all, err := io.ReadAll(b)
		if err != nil {
			t.Error("backend:", err)
		}
		b.Write(all)
	})
	go func() {
		c.Write(sent)
		c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("sent %d bytes, got %d back that are not the same", len(sent), len(got))
	}
}

// What is cut short by a reset must not look whole: the other side sees a reset, too.
func TestReset(t *testing.T) {
	c := start(t, func(b *net.TCPConn) {
		p := make([]byte, 1)
		b.Read(p)
		b.Write([]byte("half"))
		b.Read(p) // the client has that
		b.SetLinger(0)
	})
	c.Write([]byte("x"))
	if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	c.Write([]byte("x"))
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("behind half an answer: read %d, %v; want a reset", n, err)
	}

	half, sees := make(chan bool), make(chan error, 1)
	c = start(t, func(b *net.TCPConn) {
		b.SetDeadline(patience.Deadline())
		io.ReadFull(b, make([]byte, 4))
		close(half)
		_, err := b.Read(make([]byte, 1))
		sees <- err
	})
	c.Write([]byte("half"))
	patience.Done(t, "half an upload", half)
	c.SetLinger(0)
	c.Close()
	if err := patience.Recv(t, "its end", sees); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("behind half an upload: %v; want a reset", err)
	}
}

// If the end of what one side sent can't be passed on, the other side does not wait for it for ever.
func TestEndThatCannotBePassedOn(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	policy := seccomptest.Deny(seccomptest.Rule{Number: unix.SYS_SHUTDOWN, Errno: syscall.ENOMEM})
	cmd := seccomptest.Command(t, policy, self, "-listen", "127.0.0.1:0", "-backend", ln.Addr().String())
	cmd.Env = append(os.Environ(), asProgram+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	var addr, backend string
	if _, err := fmt.Fscanf(out, "proxy from %s to %s\n", &addr, &backend); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c.Write([]byte("all that I say"))
	c.(*net.TCPConn).CloseWrite()
	for _, c := range []net.Conn{b, c} {
		c.SetDeadline(patience.Deadline())
		if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the connection stays open")
		}
	}
}
