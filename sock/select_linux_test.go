//go:build linux

package sock_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"ringo"
	"ringo/sock"
)

// select watches low descriptors only. Whoever needs a higher one is told so, and
// what to do; who has a low one is served.
func TestBeyondSelect(t *testing.T) {
	if forced := os.Getenv("RINGO_DRIVER"); forced != "" && forced != "select" {
		t.Skipf("this is about select, and RINGO_DRIVER is %s", forced)
	}
	const bound = 1024
	needFiles(t, bound+100)
	cfg := ringo.Config{Driver: "select", Loops: 1}
	pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
		defer occupy(t, bound)()
		refused := func(what string, err error) {
			if !errors.Is(err, syscall.EMFILE) || !strings.Contains(err.Error(), "FD_SETSIZE") {
				t.Errorf("%s: %v; want EMFILE, and the bound named", what, err)
			}
		}
		_, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		refused("Listen", err)
		_, err = sock.Dial(l, "tcp", c.LocalAddr().String())
		refused("Dial", err)
		set, err := sock.Reserve("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		_, err = set.Listen(l)
		refused("ListenerSet.Listen", err)

		if _, err := peer.Write([]byte("served")); err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 6)
		if _, err := io.ReadFull(c, p); err != nil || string(p) != "served" {
			t.Errorf("Read of a low descriptor = %q, %v", p, err)
		}
	})
}

// occupy takes all descriptors below a bound, until it is told to give them back.
func occupy(t *testing.T, bound int) (free func()) {
	t.Helper()
	var taken []int
	for {
		n, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if n >= bound {
			syscall.Close(n)
			break
		}
		taken = append(taken, n)
	}
	return func() {
		for _, n := range taken {
			syscall.Close(n)
		}
	}
}
