//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// ownNetwork runs the test that calls it in a network of its own, in which fast open is on for both sides: it returns
// true there. It needs root.
func ownNetwork(t *testing.T) bool {
	t.Helper()
	const marker = "RINGO_SOCK_OWN_NETWORK"
	if os.Getenv(marker) != "" {
		if out, err := exec.CommandContext(t.Context(), "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			t.Skipf("ip: %v %s", err, out)
		}
		if err := os.WriteFile("/proc/sys/net/ipv4/tcp_fastopen", []byte("3"), 0); err != nil {
			t.Skip(err)
		}
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("a network of its own takes root")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), marker+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENOSYS):
		t.Skip(err)
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	default:
		t.Logf("%s", out)
	}
	return false
}

// What goes along with the handshake, or can't, arrives once, from tasks and goroutines, by every kind of write.
func TestFastOpenDials(t *testing.T) {
	if !ownNetwork(t) {
		return
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln, err := (&sock.ListenConfig{FastOpen: 100}).Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			l.Go(func() {
				for c, err := ln.AcceptConn(); err == nil; c, err = ln.AcceptConn() {
					l.Go(func() { defer c.Close(); io.Copy(c, c) })
				}
			})
			d := &sock.Dialer{FastOpen: true}
			first, err := d.Dial(l, "tcp", ln.Addr().String()) // it asks for the cookie
			if err != nil {
				t.Fatal(err)
			}
			defer first.Close()
			for name, write := range fastWrites(t) {
				for _, forgotten := range []bool{false, true} {
					what := name
					if forgotten {
						what += ", without a cookie any more"
					}
					exchange := func() { fastExchange(t, what, d, l, ln.Addr().String(), forgotten, write) }
					exchange()
					l.Offload(func(context.Context) error { exchange(); return nil })
				}
			}
			_, err = d.Dial(l, "unix", filepath.Join(t.TempDir(), "s"))
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("of a Unix socket: %v", err)
			}
		})
	})
}

// fastWrites are first writes: of 6 bytes, and of more than a segment.
func fastWrites(t *testing.T) map[string]func(c *sock.Conn) (int64, error) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, fastBytes(100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]func(c *sock.Conn) (int64, error){
		"little": func(c *sock.Conn) (int64, error) { n, err := c.Write(fastBytes(6)); return int64(n), err },
		"much":   func(c *sock.Conn) (int64, error) { n, err := c.Write(fastBytes(100_000)); return int64(n), err },
		"vector": func(c *sock.Conn) (int64, error) {
			p := fastBytes(100_000)
			n, err := c.WriteV([][]byte{p[:10], p[10:50_000], p[50_000:]})
			return n, err
		},
		"file": func(c *sock.Conn) (int64, error) {
			f, err := os.Open(file)
			if err != nil {
				return 0, err
			}
			defer f.Close()
			return c.ReadFrom(f)
		},
	}
}

// fastExchange dials, writes first, and wants everything back once.
func fastExchange(t *testing.T, what string, d *sock.Dialer, l *ringo.Loop, address string, forgotten bool,
	write func(c *sock.Conn) (int64, error)) {
	t.Helper()
	c, err := d.Dial(l, "tcp", address)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	defer c.Close()
	if state := tcpState(t, c); state != unix.BPF_TCP_SYN_SENT {
		t.Errorf("%s: the dial has not returned ahead: state %d", what, state)
	}
	if forgotten {
		forget := func(context.Context) error { return exec.Command("ip", "tcp_metrics", "flush", "all").Run() }
		if err := l.Offload(forget); errors.Is(err, ringo.ErrNotTask) {
			err = forget(t.Context())
		} else if err != nil {
			t.Errorf("ip: %v", err)
		}
	}
	c.SetDeadline(patience.Deadline())
	n, err := write(c)
	if err == nil {
		err = c.CloseWrite()
	}
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if got, err := io.ReadAll(c); !bytes.Equal(got, fastBytes(int(n))) || err != nil || n == 0 {
		t.Errorf("%s: %d of %d bytes came back, %v", what, len(got), n, err)
	}
	if again, err := d.Dial(l, "tcp", address); err == nil { // it has the cookie again
		again.Close()
	}
}

func fastBytes(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i>>8)
	}
	return p
}

func tcpState(t *testing.T, c *sock.Conn) (state uint8) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Error(err)
			return
		}
		state = info.State
	})
	return state
}
