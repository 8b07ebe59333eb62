//go:build linux

package main

import (
	"testing"
	"time"
)

// TestServeBusyIsNotIdle: a connection that asks again and again is not idle, however short
// the time for that is.
func TestServeBusyIsNotIdle(t *testing.T) {
	dir := site(t, map[string]string{"f": "file"})
	p, addr := startServe(t, dir, "-idle", "900ms")
	c, last := dial(t, addr), time.Now()
	for end := time.Now().Add(2500 * time.Millisecond); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if time.Since(last) > 300*time.Millisecond { // the test itself was held up
			c.Close()
			c = dial(t, addr)
		}
		last = time.Now()
		if a, body := ask(t, c, "GET", "GET /f HTTP/1.1\r\nHost: h\r\n\r\n"); a.StatusCode != 200 || body != "file" {
			t.Fatalf("%s %q", a.Status, body)
		}
	}
	c.Close()
	p.finish()
}
