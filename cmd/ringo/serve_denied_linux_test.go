//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/test/patience"
	"ringo/internal/test/seccomptest"
	"ringo/internal/test/socktest"
)

// TestServeDenied: what a filter or an older kernel does not have is done in other ways, with the
// same answers, and nothing leads out of the directory then either.
func TestServeDenied(t *testing.T) {
	t.Parallel()
	content := map[string]string{"small": "small", "large": numbered(2<<20 + 5), "d/index.html": "page"}
	for _, c := range []struct {
		name   string
		policy seccomptest.Policy
	}{
		{"cachestat", seccomptest.Deny(seccomptest.Rule{Number: unix.SYS_CACHESTAT, Errno: syscall.ENOSYS})},
		{"cachestat, not allowed",
			seccomptest.Deny(seccomptest.Rule{Number: unix.SYS_CACHESTAT, Errno: syscall.EPERM})},
		{"reads that don't wait", seccomptest.Deny(seccomptest.Rule{Number: unix.SYS_PREADV2, Errno: syscall.ENOSYS})},
		{"both", seccomptest.Deny(seccomptest.Rule{Number: unix.SYS_CACHESTAT, Errno: syscall.ENOSYS},
			seccomptest.Rule{Number: unix.SYS_PREADV2, Errno: syscall.ENOSYS})},
		{"sendfile", seccomptest.Deny(seccomptest.Rule{Number: unix.SYS_SENDFILE, Errno: syscall.ENOSYS})},
		{"openat2", seccomptest.Deny(seccomptest.Rule{Number: unix.SYS_OPENAT2, Errno: syscall.ENOSYS})},
		{"io_uring", seccomptest.DenyUring()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := site(t, content)
			for name, to := range map[string]string{"out": "/etc", "up": "../..", "in": "small"} {
				if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			p := start(t, denied(t, c.policy, "serve", "-listen", anyPort, "-loops", "1", dir))
			addr := p.addr()
			for range 3 {
				for path, name := range map[string]string{"/small": "small", "/large": "large",
					"/d/": "d/index.html", "/in": "small"} {
					wantFile(t, addr, path, content[name])
				}
			}
			for path, status := range map[string]int{"/out/passwd": 403, "/up": 403, "/nothing": 404} {
				wantStatus(t, addr, path, status)
			}
			p.finish()
		})
	}
}

// TestServeNoise: whatever peers send, and however they leave, the server goes on and keeps nothing of
// them.
func TestServeNoise(t *testing.T) {
	dir := site(t, map[string]string{"f": "file", "large": numbered(1 << 20)})
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr := startServe(t, dir, "-driver", driver, "-loops", "2", "-header", "300ms", "-idle", "300ms")
		wantServed(t, addr)
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 2))
		ended := make(chan error, 16)
		for worker := range cap(ended) {
			r := rand.New(rand.NewPCG(random.Uint64(), uint64(worker)))
			go func() {
				var err error
				for range 60 {
					if err = bother(addr, r); err != nil {
						break
					}
				}
				ended <- err
			}()
		}
		for range cap(ended) {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		wantServed(t, addr)
		patience.Until(t, "connections are closed", func() bool { return p.holds("socket:") <= 2 }) // each loop listens
		p.finish()
	})
}

// wantServed waits until a request for /f gets the file, whose client may be late for -header.
func wantServed(t *testing.T, addr string) {
	t.Helper()
	socktest.Eventually(t, "/f is served", func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		defer c.Close()
		c.SetDeadline(patience.Deadline())
		io.WriteString(c, "GET /f HTTP/1.1\r\nHost: h\r\n\r\n")
		_, body, err := readAnswer(bufio.NewReader(c), "GET")
		return err == nil && body == "file"
	})
}

// bother sends some requests with mistakes in them, reads some of what comes, and leaves. An error says
// that the server is gone.
func bother(addr string, r *rand.Rand) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(patience.Deadline())
	for range 1 + r.IntN(4) {
		text := fmt.Appendf(nil, "GET /%s HTTP/1.%d\r\nHost: h\r\nRange: bytes=%d-%d\r\nIf-None-Match: "+
			"\"x\"\r\nContent-Length: %d\r\n\r\nbody",
			[]string{"f", "large", "nothing", "../f", "%2e%2e"}[r.IntN(5)], r.IntN(3), r.IntN(100),
			r.IntN(2000), 4*r.IntN(2))
		for range r.IntN(4) {
			switch at := r.IntN(len(text)); r.IntN(3) {
			case 0:
				text[at] = byte(r.Uint32())
			case 1:
				text = text[:at+1]
			case 2:
				text = append(text, text[at:]...)
			}
		}
		if _, err := c.Write(text); err != nil {
			return endOfConn(err)
		}
	}
	switch r.IntN(3) {
	case 0:
		c.(*net.TCPConn).SetLinger(0)
	case 1:
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
	case 2:
		io.ReadFull(c, make([]byte, r.IntN(3000)))
	}
	return nil
}
