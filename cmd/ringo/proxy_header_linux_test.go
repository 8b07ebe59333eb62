//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
)

// v2 is a header of version 2: a command, a family, and what follows.
func v2(command, family byte, rest string) string {
	return "\r\n\r\n\x00\r\nQUIT\n" + string([]byte{command, family, byte(len(rest) >> 8), byte(len(rest))}) + rest
}

// TestProxyHeader: what a peer says of its connection, or what the proxy knows of it, reaches the upstream, and then
// all that the client sends.
func TestProxyHeader(t *testing.T) {
	const (
		v1Text = "PROXY TCP4 192.0.2.1 192.0.2.2 1024 80\r\n"
		addrs  = "\xc0\x00\x02\x01\xc0\x00\x02\x02\x04\x00\x00\x50"
	)
	v2Text := v2('!', 0x11, addrs)
	for _, c := range []struct{ name, args, sent, want string }{ // want: SELF is the connection, in version 1
		{"v1", "-send-proxy v1", "", "SELF"},
		{"v1 to v1", "-accept-proxy -send-proxy v1", v1Text, v1Text},
		{"v2 to v1", "-accept-proxy -send-proxy v1", v2Text, v1Text},
		{"v1 to v2", "-accept-proxy -send-proxy v2", v1Text, v2Text},
		{"v2 with TLVs", "-accept-proxy -send-proxy v2", v2('!', 0x11, addrs+"\x04\x00\x03abc"), v2Text},
		{"v1 to nothing", "-accept-proxy", v1Text, ""},
		{"LOCAL", "-accept-proxy -send-proxy v1", v2(' ', 0x11, addrs), "SELF"},
		{"UNKNOWN", "-accept-proxy -send-proxy v1", "PROXY UNKNOWN\r\n", "SELF"},
		{"beside ahead", "-accept-proxy -send-proxy v1 -ahead 1 -loops 1", v1Text, v1Text},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, driver string) {
				got := make(chan []byte)
				p, addr := startProxy(t, func(conn *net.TCPConn) {
					all, err := io.ReadAll(conn)
					if err != nil {
						t.Error(err)
					}
					if len(all) > 0 {
						got <- all
					}
				}, append(strings.Fields(c.args), "-driver", driver, "-grace", "0s")...)
				body := noise(1 << 20)
				for range 2 {
					conn := dial(t, addr)
					here, there := conn.LocalAddr().(*net.TCPAddr), conn.RemoteAddr().(*net.TCPAddr)
					self := fmt.Sprintf("PROXY TCP4 %v %v %d %d\r\n", here.IP, there.IP, here.Port, there.Port)
					want := strings.ReplaceAll(c.want, "SELF", self)
					for i := range c.sent { // which may come together
						conn.Write([]byte{c.sent[i]})
					}
					conn.Write(body)
					conn.CloseWrite()
					if all := patience.Recv(t, "what was sent", got); !bytes.Equal(all, append([]byte(want), body...)) {
						t.Errorf("%d bytes came, the first %.70q; want %q and %d bytes", len(all), all, want, len(body))
					}
				}
				p.finish()
			})
		})
	}
}

// TestProxyHeaderWrong: what does not begin with a header is reset, and nothing of it reaches an upstream.
func TestProxyHeaderWrong(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr := startProxy(t, func(c *net.TCPConn) {
			t.Errorf("an upstream has a connection")
		}, "-accept-proxy", "-driver", driver)
		for _, c := range []struct{ sent, want string }{
			{"GET / HTTP/1.1\r\n\r\n", "not a header of the PROXY protocol"},
			{"PROXY UNKNOWN " + strings.Repeat("x", 200), "too long"},
			{v2('!', 0x11, strings.Repeat("x", 2000)), "too long"},
			{v2('!', 0x12, strings.Repeat("x", 12)), "family and kind 0x12"},
		} {
			conn := dial(t, addr)
			conn.Write([]byte(c.sent))
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%.20q: %v, want a reset", c.sent, err)
			}
			if _, ok := p.find(func(line string) bool {
				return strings.HasPrefix(line, fmt.Sprintf("connection of %v is reset: ", conn.LocalAddr())) &&
					strings.Contains(line, c.want)
			}); !ok {
				t.Errorf("%.20q: no line says %q", c.sent, c.want)
			}
		}
		p.finish()
	})
}

// wantsMore sends something and waits for an answer, or the end.
func wantsMore(addr, sent string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err // it was reset as quickly as that
	}
	defer c.Close()
	c.SetDeadline(patience.Deadline())
	if _, err = io.WriteString(c, sent); err == nil {
		_, err = c.Read(make([]byte, 1))
	}
	return err
}

// TestProxyHeaderLate: a peer that says nothing, or only begins to, is reset after -header; one that only looks is not
// worth a line.
func TestProxyHeaderLate(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr := startProxy(t, func(c *net.TCPConn) {
			t.Errorf("an upstream has a connection")
		}, "-accept-proxy", "-header", "20ms", "-driver", driver)
		for _, sent := range []string{"", "PROXY TCP4 "} {
			if err := wantsMore(addr, sent); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%q: %v, want a reset", sent, err)
			}
		}
		if c, err := net.Dial("tcp", addr); err == nil { // else its time was over
			c.Close()
		}
		late := 0
		p.find(func(line string) bool {
			if strings.HasPrefix(line, "connection of 127.0.0.1:") && strings.HasSuffix(line, "i/o timeout") {
				late++
			}
			return late >= 2
		})
		if log := p.finish(); strings.Contains(log, "EOF") {
			t.Errorf("stderr:\n%s", log)
		}
	})
}

// TestProxyHeaderHash: a client is who the header says.
func TestProxyHeaderHash(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr, _ := startNamed(t, 3, "-driver", driver, "-balance", "hash", "-accept-proxy", "-grace", "0s")
		number := func(client int) byte {
			c := dial(t, addr)
			defer c.Close()
			fmt.Fprintf(c, "PROXY TCP4 198.51.100.%d 192.0.2.1 1024 80\r\n", client)
			var b [1]byte
			if _, err := io.ReadFull(c, b[:]); err != nil {
				t.Fatal(err)
			}
			return b[0]
		}
		used := map[byte]bool{}
		for client := range 50 {
			n := number(client)
			if again := number(client); again != n {
				t.Errorf("client %d goes to %c, then to %c", client, n, again)
			}
			used[n] = true
		}
		if len(used) != 3 {
			t.Errorf("50 clients use %d upstreams, want 3", len(used))
		}
		p.finish()
	})
}

// TestProxyHeaderUnix: version 2 has names of Unix sockets, and version 1 nothing to say of them.
func TestProxyHeaderUnix(t *testing.T) {
	for _, version := range []string{"v1", "v2"} {
		t.Run(version, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, driver string) {
				got := make(chan string, 1)
				ln, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				backend(t, ln, func(c net.Conn) {
					all, _ := io.ReadAll(c)
					got <- string(all)
				})
				front := filepath.Join(t.TempDir(), "front")
				p := start(t, tool(t, "proxy", "-listen", "unix://"+front, "-to", ln.Addr().String(), "-driver", driver,
					"-send-proxy", version))
				p.line("listening")
				c, err := net.Dial("unix", front)
				if err != nil {
					t.Fatal(err)
				}
				c.Close()
				want := "PROXY UNKNOWN\r\n"
				if version == "v2" {
					want = v2('!', '1', strings.Repeat("\x00", 108)+front+strings.Repeat("\x00", 108-len(front)))
				}
				if text := patience.Recv(t, "the header", got); text != want {
					t.Errorf("%q came, want %q", text, want)
				}
				p.finish()
			})
		})
	}
}

// TestProxyHeaderCheck: checks say that they are of no client.
func TestProxyHeaderCheck(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		got := make(chan string, 100)
		p, _ := startProxy(t, func(c *net.TCPConn) {
			all, _ := io.ReadAll(c)
			select {
			case got <- string(all):
			default:
			}
		}, "-driver", driver, "-send-proxy", "v2", "-check", "1h")
		if text := patience.Recv(t, "a check", got); text != v2(' ', 0, "") {
			t.Errorf("%q came, want LOCAL", text)
		}
		p.finish()
	})
}

// TestProxyHeaderIdle: -header is the time of the header alone.
func TestProxyHeaderIdle(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr := startProxy(t, echoes, "-accept-proxy", "-header", "100ms", "-driver", driver)
		var c net.Conn
		socktest.Eventually(t, "a header that comes in time", func() bool {
			var err error
			if c, err = net.Dial("tcp", addr); err != nil {
				return false
			}
			t.Cleanup(func() { c.Close() })
			c.SetDeadline(patience.Deadline())
			b := []byte("PROXY UNKNOWN\r\nx")
			c.Write(b)
			_, err = io.ReadFull(c, b[:1])
			return err == nil
		})
		if err := wantsMore(addr, ""); !errors.Is(err, syscall.ECONNRESET) { // after the time of c
			t.Errorf("%v, want a reset", err)
		}
		pingPong(t, c)
		c.Close()
		p.finish()
	})
}
