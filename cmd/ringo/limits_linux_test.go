//go:build linux

package main

import (
	"io"
	"testing"

	"ringo/internal/test/patience"
)

// TestEchoLimits: with -conns a connection waits until another has ended.
func TestEchoLimits(t *testing.T) {
	t.Parallel()
	p := start(t, tool(t, "echo", "-listen", anyPort, "-conns", "1", "-loops", "2"))
	addr := p.addr()
	answered := make(chan int, 2)
	conns := []io.ReadWriteCloser{dial(t, addr), dial(t, addr)}
	for i, c := range conns {
		go func() {
			c.Write([]byte("x"))
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Errorf("connection %d: %v", i, err)
			}
			answered <- i
		}()
	}
	first := patience.Recv(t, "an answer", answered)
	select {
	case <-answered:
		t.Error("both are served")
	default:
	}
	conns[first].Close()
	patience.Recv(t, "the other answer", answered)
	conns[1-first].Close()
	p.finish()
}
