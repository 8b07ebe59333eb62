//go:build linux

package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// What a peer sends it gets back, also one that reads late; the server ends with its context, and closes who is at
// rest.
func TestEcho(t *testing.T) {
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, set) }()
	c, err := net.Dial("tcp", set.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(patience.Deadline())
	want := bytes.Repeat([]byte("what comes goes back\n"), 500_000)
	go c.Write(want)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v, or other bytes", err)
	}
	cancel()
	if n, err := c.Read(got); n != 0 || err != io.EOF {
		t.Errorf("at rest in the drain: %d bytes, %v", n, err)
	}
	if err := <-ended; err != nil {
		t.Error("serve:", err)
	}
}

// In a drain a peer that answers wait for gets them.
func TestDrainSendsAnswers(t *testing.T) {
	const size = 64 << 20 // more than sockets hold
	drained := make(chan bool)
	if err := event.Run(t.Context(), &ringo.Config{Loops: 1}, func(l *event.Loop) error {
		e := &echo{open: map[*event.Conn]bool{}}
		ln, err := l.Listen("tcp", "127.0.0.1:0", e)
		if err != nil {
			return err
		}
		l.Ringo().Go(func() {
			waits := func() (waits bool) {
				for c := range e.open {
					waits = c.Unsent() > 0
				}
				return waits
			}
			for !waits() {
				l.Ringo().Sleep(time.Millisecond)
			}
			e.drain()
			ln.Close()
			close(drained)
		})
		addr := ln.Addr().String()
		l.Ringo().Go(func() {
			l.Ringo().Offload(func(context.Context) error {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					t.Error(err)
					return err
				}
				defer c.Close()
				c.SetDeadline(patience.Deadline())
				go c.Write(make([]byte, size))
				<-drained
				if n, err := io.CopyN(io.Discard, c, size); err != nil {
					t.Errorf("%d bytes, %v", n, err)
				}
				return nil
			})
		})
		return nil
	}); err != nil {
		t.Error(err)
	}
}
