//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringo/internal/race"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
)

// TestServeIdleMany: thousands of connections that are kept are each served, again and again,
// and cost no task and no buffer while they are idle; a drain ends them all.
func TestServeIdleMany(t *testing.T) {
	many := 5000 // on each driver, at once
	if !testmain.Long() || race.Enabled {
		many = 1000
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if room := max(1, int(min(limit.Cur, 1<<20))/2-500); room < many {
		t.Logf("RLIMIT_NOFILE is %d: %d connections, not %d", limit.Cur, room, many)
		many = room
	}
	eachDriver(t, func(t *testing.T, driver string) {
		text := numbered(1000)
		p, addr := startServe(t, site(t, map[string]string{"f": text}), "-driver", driver, "-loops",
			"2", "-stats", "100ms", "-header", "1h", "-idle", "1h")
		conns := make([]net.Conn, many)
		begin := time.Now()
		each(t, conns, func(i int) error {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				return err
			}
			conns[i] = c
			return nil
		})
		t.Cleanup(func() {
			for _, c := range conns {
				if c != nil {
					c.Close()
				}
			}
		})
		if t.Failed() {
			return
		}
		dialed := time.Since(begin)
		for range 2 {
			each(t, conns, func(i int) error {
				conns[i].SetDeadline(patience.Deadline())
				if _, err := io.WriteString(conns[i], "GET /f HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
					return err
				}
				a, body, err := readAnswer(bufio.NewReader(conns[i]), "GET")
				if err == nil && (a.StatusCode != 200 || a.Close || body != text) {
					err = fmt.Errorf("%s, close %v, %d bytes", a.Status, a.Close, len(body))
				}
				return err
			})
		}
		line, _ := p.find(func(line string) bool {
			return statOf(line, "conns") == many && statOf(line, "tasks") < 20 && statOf(line, "buffers") < 20
		})
		t.Logf("%d connections, dialed in %v, served twice within %v: %s", many, dialed, time.Since(begin), line)
		p.signal(syscall.SIGTERM)
		each(t, conns, func(i int) error {
			if n, err := conns[i].Read(make([]byte, 1)); n != 0 || err != io.EOF {
				return fmt.Errorf("%d bytes, %v; want the end of the stream", n, err)
			}
			return nil
		})
		if code, stderr := p.wait(); code != 0 {
			t.Errorf("exit code %d after SIGTERM, want 0; stderr:\n%s", code, stderr)
		}
	})
}

// each does something with each connection, some at once, and tells the first error.
func each(t *testing.T, conns []net.Conn, do func(i int) error) {
	t.Helper()
	const atOnce = 64
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	for w := range atOnce {
		wg.Go(func() {
			for i := w; i < len(conns); i += atOnce {
				if err := do(i); err != nil {
					mu.Lock()
					if first == nil {
						first = fmt.Errorf("connection %d of %d: %w", i, len(conns), err)
					}
					mu.Unlock()
					return
				}
			}
		})
	}
	wg.Wait()
	if first != nil {
		t.Error(first)
	}
}

// statOf is a word's number in a line of -stats; -1 if it has none.
func statOf(line, word string) int {
	for field := range strings.FieldsSeq(line) {
		if text, ok := strings.CutPrefix(field, word+"="); ok && strings.HasPrefix(line, "stats ") {
			if n, err := strconv.Atoi(text); err == nil {
				return n
			}
		}
	}
	return -1
}
