//go:build linux

package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"ringo/internal/testmain"
	"ringo/sock"
)

func TestMain(m *testing.M) { testmain.Main(m) }

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
	c.SetDeadline(time.Now().Add(10 * time.Second))
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

// A backend that resets ends the client's connection, too.
func TestReset(t *testing.T) {
	c := start(t, func(b *net.TCPConn) {
		b.Read(make([]byte, 1))
		b.SetLinger(0)
	})
	c.Write([]byte("x"))
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes that nobody sent", n)
	}
}
