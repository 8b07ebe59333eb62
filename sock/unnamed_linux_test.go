//go:build linux

package sock_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"ringo"
	"ringo/internal/kernel"
	"ringo/internal/sys"
	"ringo/sock"
)

// unnamed is a kernel that can't say what sockets are bound to, while it is asked to be one.
type unnamed struct {
	kernel.Kernel
	on atomic.Bool
}

func (k *unnamed) Getsockname(fd int32, sa *sys.Sockaddr) int32 {
	if k.on.Load() {
		return -sys.ENOBUFS
	}
	return k.Kernel.Getsockname(fd, sa)
}

// Who can't be told where it listens is told so, and nothing is left open: without the port, siblings would be bound
// to another.
func TestListenWithoutName(t *testing.T) {
	dir := t.TempDir()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		k := &unnamed{Kernel: kernel.Process()}
		defer kernel.Through(k)()
		onLoop(t, cfg, func(l *ringo.Loop) {
			set, err := sock.Reserve("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			peer, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			at := peer.LocalAddr().String()
			k.on.Store(true)
			defer k.on.Store(false)
			for what, make := range map[string]func() (io.Closer, error){
				"Reserve":      func() (io.Closer, error) { return sock.Reserve("tcp", "127.0.0.1:0") },
				"Reserve unix": func() (io.Closer, error) { return sock.Reserve("unix", dir+"/r") },
				"Listen":       func() (io.Closer, error) { return sock.Listen(l, "tcp", "127.0.0.1:0") },
				"Listen unix":  func() (io.Closer, error) { return sock.Listen(l, "unix", dir+"/l") },
				"of a set":     func() (io.Closer, error) { return set.Listen(l) },
				"ListenPacket": func() (io.Closer, error) { return sock.ListenPacket(l, "udp", "127.0.0.1:0") },
				"a group":      func() (io.Closer, error) { return sock.ListenPacket(l, "udp4", "224.0.0.251:0") },
				"DialPacket":   func() (io.Closer, error) { return sock.DialPacket(l, "udp", at) },
			} {
				c, err := make()
				if !errors.Is(err, syscall.ENOBUFS) || !strings.Contains(err.Error(), "getsockname: ") {
					t.Errorf("%s: %v, want ENOBUFS of getsockname", what, err)
				}
				if err == nil {
					c.Close()
				}
			}
		})
	})
}
