//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func serveHTTP(t *testing.T, answer http.HandlerFunc) (addr string) {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// keys is a server of as much of the redis protocol as load speaks. get is what it answers for a value.
func keys(t *testing.T, get func(value string) string) (addr string) {
	values := map[string]string{}
	requests := make(chan func()) // one after the other, all connections
	go func() {
		for f := range requests {
			f()
		}
	}()
	t.Cleanup(func() { close(requests) })
	return serve(t, func(c *net.TCPConn) {
		r := bufio.NewReader(c)
		for {
			words, err := readCommand(r)
			if err != nil {
				return
			}
			answered := make(chan string)
			requests <- func() {
				if words[0] == "SET" {
					values[words[1]] = words[2]
					answered <- setReply
				} else {
					answered <- get(values[words[1]])
				}
			}
			if _, err := io.WriteString(c, <-answered); err != nil {
				return
			}
		}
	})
}

func readCommand(r *bufio.Reader) (words []string, err error) {
	var n int
	if _, err := fmt.Fscanf(r, "*%d\r\n", &n); err != nil {
		return nil, err
	}
	for range n {
		var size int
		if _, err := fmt.Fscanf(r, "$%d\r\n", &size); err != nil {
			return nil, err
		}
		p := make([]byte, size+2)
		if _, err := io.ReadFull(r, p); err != nil {
			return nil, err
		}
		words = append(words, string(p[:size]))
	}
	return words, nil
}

func bulkString(value string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(value), value) }

func answerHello(size int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(strings.Repeat(hello, 1000)[:size])) }
}

func TestOtherProtocols(t *testing.T) {
	var dates atomic.Int64
	cases := []struct{ name, addr, args string }{
		{"http", serveHTTP(t, answerHello(13)), "-mode http -conns 5 -size 13"},
		{"http, pipelined", serveHTTP(t, answerHello(1000)), "-mode http -conns 2 -size 1000 -depth 7"},
		{"http, date in small letters", serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Date"], w.Header()["date"] = nil, []string{fmt.Sprintf("%012d", dates.Add(1))}
			io.WriteString(w, hello)
		}), "-mode http -conns 3 -size 13"},
		{"set", keys(t, bulkString), "-mode set -conns 5"},
		{"get", keys(t, bulkString), "-mode get -conns 5"},
		{"get, pipelined", keys(t, bulkString), "-mode get -conns 5 -depth 16"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, err := sampled(t, c.addr, strings.Fields(c.args)...)
			if err != nil {
				t.Fatal(err)
			}
			if s.Errors != 0 || s.Mismatches != 0 || s.Requests == 0 {
				t.Errorf("%d requests, %d errors, %d mismatches", s.Requests, s.Errors, s.Mismatches)
			}
		})
	}
}

func TestWrongAnswerIsShown(t *testing.T) {
	reply := strings.Repeat("x", 100_000)
	x := newScripts([]script{{reply: []byte(reply)}}, 1)
	err := x.check(7, 0, []byte(reply[:50_000]+"y"+reply[50_001:]))
	if err == nil || !strings.HasPrefix(err.Error(), `connection 7: byte 50000 on of a reply is "yxx`) ||
		len(err.Error()) > 500 {
		t.Errorf("%.1000v", err)
	}
}

func TestWrongAnswersAreNoticed(t *testing.T) {
	var answers atomic.Int32
	few := func(yes, no string) string {
		if answers.Add(1) > 20 {
			return no
		}
		return yes
	}
	cases := []struct{ name, addr, args string }{
		{"http", serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, few("Hello, World!", "Hello, world!"))
		}), "-mode http -size 13"},
		{"a shorter one", serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, few("Hello, World!", "Hello"))
		}), "-mode http -size 13"},
		{"get", keys(t, func(value string) string {
			return few(bulkString(value), bulkString(strings.ToUpper(value)))
		}), "-mode get -depth 3"},
		{"two replies", keys(t, func(value string) string {
			return few(bulkString(value), bulkString(value)+bulkString(value))
		}), "-mode get"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			answers.Store(0)
			e, cfg := engineFor(t, c.addr, c.args+" -conns 3")
			runMode(e, cfg)
			if e.mismatches == 0 {
				t.Error("no mismatch was counted")
			}
		})
	}
	t.Run("from the start", func(t *testing.T) {
		if _, err := sampled(t, serveHTTP(t, answerHello(12)), "-mode", "http", "-size", "13"); err == nil {
			t.Error("no error for a body of another size")
		}
		if _, err := sampled(t, serveHTTP(t, http.NotFound), "-mode", "http", "-size", "13"); err == nil {
			t.Error("no error for status 404")
		}
	})
}

// Whatever pieces the replies come in, the free part is free and all else is not.
func TestFreePartOfAScript(t *testing.T) {
	x := newScripts([]script{{request: []byte("ask"), reply: []byte("date: 12:30, yes"), freeFrom: 6, freeTo: 11}}, 2)
	stream := []byte("date: 12:30, yesdate: 00:59, yes")
	for n := 1; n <= len(stream); n++ {
		for at := 0; at < len(stream); at += n {
			if err := x.check(0, uint64(at), stream[at:min(at+n, len(stream))]); err != nil {
				t.Fatalf("in pieces of %d: %v", n, err)
			}
		}
	}
	for i := range stream {
		wrong := bytes.Clone(stream)
		wrong[i] ^= 1
		free := i%16 >= 6 && i%16 < 11
		if err := x.check(0, 0, wrong); (err == nil) != free {
			t.Errorf("byte %d wrong: %v", i, err)
		}
	}
	if w := x.window(0, 4, 100); string(w) != "skask" {
		t.Errorf("window %q", w)
	}
	if got := x.due(7); got != 32 {
		t.Errorf("%d bytes may come for 7 sent, want 32", got)
	}
}
