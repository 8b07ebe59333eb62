//go:build linux

package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"

	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// What a peer sends it gets back, also one that reads late; and the server ends with its context.
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
	if err := <-ended; err != nil {
		t.Error("serve:", err)
	}
}
