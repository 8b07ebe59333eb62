//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringo/internal/test/patience"
)

// TestOnePort: one loop serves TCP and UDP on one port, as the classic servers of
// select, poll and epoll do, and Unix sockets of each kind beside them.
func TestOnePort(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		for _, handler := range []string{"request", "conn", "goroutine", "event"} {
			t.Run(handler, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				unix := []string{"unix://" + filepath.Join(dir, "stream"), "unixpacket://" +
					filepath.Join(dir, "packet"), "unixgram://" + filepath.Join(dir, "gram")}
				p, port := startOnPort(t, append([]string{"-driver", driver, "-handler", handler, "-loops", "1"},
					listens(unix...)...)...)
				want := ""
				for _, a := range append([]string{"tcp://" + port, "udp://" + port}, unix...) {
					want += fmt.Sprintf("listening %s driver=%s loops=1\n", a, driver)
				}
				if text := p.log.text(); !strings.HasPrefix(text, want) {
					t.Errorf("stderr:\n%swant first:\n%s", text, want)
				}
				exchangeAll(t, port, 0, 1, 64, 100_003)
				for _, size := range []int{0, 1, 64, 1472, 65507} {
					exchangeDatagram(t, "udp", port, "", size)
				}
				exchangeUnix(t, unix[0], 100_003)
				for _, size := range []int{1, 64, 10_000} {
					exchangeUnix(t, unix[1], size)
					exchangeDatagram(t, "unixgram", strings.TrimPrefix(unix[2], "unixgram://"),
						filepath.Join(dir, "mine"), size)
				}
				p.finish()
				if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
					t.Errorf("files of sockets are left: %v", left)
				}
			})
		}
	})
}

// TestDatagramLoops: every loop has a socket of the address, and each peer is served.
func TestDatagramLoops(t *testing.T) {
	t.Parallel()
	p := start(t, tool(t, "echo", "-listen", "udp://127.0.0.1:0", "-loops", "3"))
	addr := strings.TrimPrefix(strings.Fields(p.line("listening"))[1], "udp://")
	for range 30 { // each from a port of its own, which the kernel spreads over the sockets
		exchangeDatagram(t, "udp", addr, "", 64)
	}
	p.finish()
}

func listens(addresses ...string) (args []string) {
	for _, a := range addresses {
		args = append(args, "-listen", a)
	}
	return args
}

// startOnPort starts ringo echo on a port of TCP that is free for UDP, too.
func startOnPort(t *testing.T, args ...string) (p *process, addr string) {
	t.Helper()
	for range 10 {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr = c.LocalAddr().String()
		c.Close()
		p = start(t, tool(t, append([]string{"echo", "-listen", "tcp://" + addr, "-listen", "udp://" + addr},
			args...)...))
		if _, ok := p.find(func(line string) bool { return strings.HasPrefix(line, "listening") }); ok {
			return p, addr
		}
		if _, stderr := p.wait(); !strings.Contains(stderr, "address already in use") {
			t.Fatalf("no ready line, stderr:\n%s", stderr)
		}
	}
	t.Fatal("ten ports in a row were taken by others")
	return nil, ""
}

// exchangeDatagram sends one datagram and wants it back.
func exchangeDatagram(t *testing.T, network, addr, mine string, size int) {
	t.Helper()
	var c net.Conn
	var err error
	if network == "unixgram" {
		c, err = net.DialUnix(network, &net.UnixAddr{Name: mine, Net: network}, &net.UnixAddr{Name: addr, Net: network})
	} else {
		c, err = net.Dial(network, addr)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if u, ok := c.(*net.UnixConn); ok {
		defer os.Remove(mine)
		u.SetWriteBuffer(1 << 20)
	}
	exchangeOne(t, c, network, size)
}

// exchangeUnix sends bytes, or a record, to a Unix socket of connections and wants them back.
func exchangeUnix(t *testing.T, address string, size int) {
	t.Helper()
	network, name, _ := strings.Cut(address, "://")
	c, err := net.Dial(network, name)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	exchangeOne(t, c, network, size)
}

func exchangeOne(t *testing.T, c net.Conn, network string, size int) {
	t.Helper()
	c.SetDeadline(patience.Deadline())
	sent, got := noise(size), make([]byte, 1<<17)
	go c.Write(sent)
	n := 0
	for {
		k, err := c.Read(got[n:])
		if err != nil {
			t.Fatalf("%s: echo of %d bytes: after %d of them: %v", network, size, n, err)
		}
		if n += k; n >= size || network != "unix" {
			break
		}
	}
	if !bytes.Equal(got[:n], sent) {
		t.Errorf("%s: %d bytes came back, or wrong ones, of %d", network, n, size)
	}
}
