//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"testing"

	"ringo/internal/test/patience"
)

var listening = regexp.MustCompile(`^listening (tcp[46]?)://(\S+) driver=(\S+) loops=(\d+)$`)

// startEcho starts ringo echo and waits until it listens; args must give one
// address or none. It returns the address to dial.
func startEcho(t *testing.T, args ...string) (p *process, addr string) {
	t.Helper()
	p = start(t, tool(t, append([]string{"echo"}, args...)...))
	return p, p.addr()
}

// addr waits for the first ready line and returns its address.
func (p *process) addr() string {
	p.t.Helper()
	line := p.line("listening")
	m := listening.FindStringSubmatch(line)
	if m == nil {
		p.t.Fatalf("ready line %q, want %v", line, listening)
	}
	return m[2]
}

// noise is n bytes of which no two stretches are alike.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

// exchange sends size bytes, while it reads what comes back, ends its side and wants
// the same bytes and the end of the stream.
func exchange(addr string, size int) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(patience.Deadline())
	sent, failed := noise(size), make(chan error, 1)
	go func() {
		_, err := c.Write(sent)
		if err == nil {
			err = c.(*net.TCPConn).CloseWrite()
		}
		failed <- err
	}()
	got, err := io.ReadAll(c)
	if werr := <-failed; err == nil {
		err = werr
	}
	if err == nil && !bytes.Equal(got, sent) {
		err = fmt.Errorf("%d bytes came back wrong, of %d", len(got), size)
	}
	return err
}

// exchangeAll runs exchanges of all sizes at once.
func exchangeAll(t *testing.T, addr string, sizes ...int) {
	t.Helper()
	errs := make(chan error)
	for _, size := range sizes {
		go func() {
			err := exchange(addr, size)
			if err != nil {
				err = fmt.Errorf("echo of %d bytes: %w", size, err)
			}
			errs <- err
		}()
	}
	for range sizes {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// TestEcho: the ready line, and what is served as soon as it is there, on each
// driver with each handler.
func TestEcho(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		for _, handler := range []string{"request", "conn", "goroutine"} {
			t.Run(handler, func(t *testing.T) {
				t.Parallel()
				p, addr := startEcho(t, "-listen", anyPort, "-driver", driver, "-handler", handler, "-loops", "2")
				sizes := []int{0, 1, 2, 3, 16383, 16384, 16385, 100_003, 3<<20 + 7}
				for range 50 {
					sizes = append(sizes, 64)
				}
				exchangeAll(t, addr, sizes...)
				stderr := p.finish()
				want := fmt.Sprintf("listening tcp://%s driver=%s loops=2\n", addr, driver)
				if driver != "uring" {
					want += "driver " + driver + ": -driver asks for it\n"
				}
				want += "terminated: draining for up to 5s; another signal exits at once\n"
				if stderr != want {
					t.Errorf("stderr:\n%swant:\n%s", stderr, want)
				}
			})
		}
	})
}

// TestListenRepeated: each address has its line, in order, and is served.
func TestListenRepeated(t *testing.T) {
	t.Parallel()
	args := []string{"-listen", anyPort, "-listen", "tcp4://localhost:0"}
	want := `^listening tcp://127\.0\.0\.1:\d+ .*\nlistening tcp4://127\.0\.0\.1:\d+ .*\n`
	if ln, err := net.Listen("tcp", "[::1]:0"); err == nil {
		ln.Close()
		args = append(args, "-listen", "tcp6://[::1]:0")
		want += `listening tcp6://\[::1\]:\d+ .*\n`
	}
	p, _ := startEcho(t, args...)
	text := p.log.text()
	if !regexp.MustCompile(want).MatchString(text) {
		t.Fatalf("stderr:\n%swant %s", text, want)
	}
	for line := range strings.Lines(text) {
		if m := listening.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			exchangeAll(t, m[2], 1, 64, 5000)
		}
	}
	p.finish()
}

// TestStats: a line per period, with what there is and what has been done.
func TestStats(t *testing.T) {
	t.Parallel()
	for _, handler := range []string{"request", "conn", "goroutine"} {
		t.Run(handler, func(t *testing.T) {
			t.Parallel()
			p, addr := startEcho(t, "-listen", anyPort, "-stats", "20ms", "-handler", handler, "-grace", "0")
			dial(t, addr)
			c := dial(t, addr)
			p.line("stats conns=2 ")
			c.Close()
			p.line("stats conns=1 ")
			line := p.line("stats")
			if !regexp.MustCompile(`^stats( [a-z]+=\d+){19}$`).MatchString(line) {
				t.Errorf("line %q", line)
			}
			help, _, _ := runTool(t, tool(t, "echo", "-h"))
			for _, word := range strings.Fields(line)[1:] {
				name, _, _ := strings.Cut(word, "=")
				if !regexp.MustCompile(`(?m)^  ` + name + ` +[a-z]`).MatchString(help) {
					t.Errorf("-h does not explain %s", name)
				}
			}
			p.finish()
		})
	}
}
