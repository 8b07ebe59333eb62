//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"ringo/internal/test/patience"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == "-serve" { // as a server of this program starts itself
		if err := serveAs(os.Args[2], os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// What servers do is counted as what it is.
func TestCounts(t *testing.T) {
	const (
		whole = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
		last  = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
	)
	for _, c := range []struct {
		name, answer   string
		closes, resets bool
		once, kept     bool // whether each request is lost
		closed         bool // whether connections are counted as closed at rest
		why            string
	}{
		{name: "keeps", answer: whole},
		{name: "says that it closes", answer: last, closes: true},
		{name: "closes at rest", answer: whole, closes: true, closed: true},
		{name: "does not answer", closes: true, once: true, kept: true, why: "unexpected EOF"},
		{name: "resets", resets: true, once: true, kept: true, why: "connection reset"},
		{name: "answers in part", answer: strings.Replace(whole, ": 0", ": 9", 1) + "body", closes: true,
			once: true, kept: true, why: "unexpected EOF"},
		{name: "refuses the request", answer: strings.Replace(last, "200 OK", "503 Not Now", 1), closes: true,
			once: true, kept: true, why: "503 Not Now"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go func() {
				for {
					k, err := ln.Accept()
					if err != nil {
						return
					}
					go func() {
						defer k.Close()
						for r := bufio.NewReader(k); ; {
							if _, err := http.ReadRequest(r); err != nil {
								return
							}
							fmt.Fprint(k, c.answer)
							if c.resets {
								k.(*net.TCPConn).SetLinger(0)
							}
							if c.resets || c.closes {
								return
							}
						}
					}()
				}
			}()
			began := begin(ln.Addr().String(), 100, 25)
			n := &began.counts
			patience.Until(t, "requests", func() bool {
				return n.once.asked.Load() > 20 && n.kept.asked.Load() >= 20 && (!c.closed || n.closed.Load() > 5)
			})
			if err := began.end(); err != nil {
				t.Fatal(err)
			}
			lost := func(of *asked) bool { return of.lost.Load() == of.asked.Load() }
			if !c.once && n.once.lost.Load() > 0 || !c.kept && n.kept.lost.Load() > 0 || c.once != lost(&n.once) ||
				c.kept != lost(&n.kept) || !c.closed && n.closed.Load() > 0 {
				t.Errorf("%+v", n)
			}
			if why := began.why(); c.why == "" && len(why) > 0 || c.why != "" && why[c.why] == 0 {
				t.Errorf("%v, want %q", why, c.why)
			}
		})
	}
}

// Ringo's servers lose nothing when they are replaced.
func TestPlay(t *testing.T) {
	for _, name := range []string{"ringo-uring", "ringo-epoll"} {
		s, err := start(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		defer s.stop()
		began := begin(s.addr, 100, 20)
		err = s.replaced(context.Background(), 3, 100*time.Millisecond)
		if end := began.end(); err != nil || end != nil {
			t.Fatal(err, end)
		}
		if n := &began.counts; n.once.lost.Load() > 0 || n.kept.lost.Load() > 0 {
			t.Errorf("%s: %v", name, began.why())
		}
	}
}

// A server that can't be started, or ends at once, is an error and leaves nothing behind.
func TestStartFails(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("PATH", os.Getenv("TMPDIR"))
	for _, name := range []string{"none", "nginx", "ringo-none"} { // not known, not installed, no such driver
		if s, err := start(t.Context(), name); err == nil {
			s.stop()
			t.Errorf("%s has started", name)
		}
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); len(left) > 0 || err != nil {
		t.Error(left, err)
	}
}
