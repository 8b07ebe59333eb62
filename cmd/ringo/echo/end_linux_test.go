//go:build linux

package echo

import (
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/cmd/ringo/internal/server"
	"ringo/cmd/ringo/internal/tooltest"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// TestListenerBreaks: a server that can accept nobody any more ends with the error, with each handler, although peers
// are connected.
func TestListenerBreaks(t *testing.T) {
	for _, handler := range []string{perRequest, perConn, perGoroutine, perEvent} {
		t.Run(handler, func(t *testing.T) {
			o := &options{server.Options{Listen: server.Addresses{{Network: "tcp", Name: "127.0.0.1:0"}}, Loops: 1,
				Grace: time.Second}, handler}
			s, err := server.Open(t.Context(), &o.Options, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			newEchoer(s, o.handler)
			ended := make(chan error, 1)
			go func() { ended <- ringo.Run(t.Context(), o.Config(), s.Serve) }()
			c := tooltest.Dial(t, s.Addr().String())
			defer c.Close()
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			for _, ln := range sock.Listeners() {
				raw, err := ln.SyscallConn()
				if err != nil {
					t.Fatal(err)
				}
				raw.Control(func(fd uintptr) { err = syscall.Shutdown(int(fd), syscall.SHUT_RD) })
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := patience.Recv(t, "the end of Run", ended); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("Run: %v, want EINVAL", err)
			}
		})
	}
}
