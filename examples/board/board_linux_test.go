//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// start serves until end is called.
func start(t *testing.T) (url string, end func()) {
	t.Helper()
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, set) }()
	return "http://" + set.Addr().String(), sync.OnceFunc(func() {
		cancel()
		if err := patience.Recv(t, "the server's end", ended); err != nil {
			t.Error("serve:", err)
		}
	})
}

// client is one whose connections are not kept behind the test.
func client(t *testing.T) *http.Client {
	tr := new(http.Transport)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func post(t *testing.T, c *http.Client, url, body string) int {
	t.Helper()
	res, err := c.Post(url+"/messages", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
	return res.StatusCode
}

// follow begins to read events.
func follow(t *testing.T, c *http.Client, url string) *bufio.Scanner {
	t.Helper()
	res, err := c.Get(url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != "text/event-stream" {
		t.Fatal(res.Status, got)
	}
	return bufio.NewScanner(res.Body)
}

// event is the next one; false at the end.
func event(s *bufio.Scanner) (m message, ok bool) {
	for s.Scan() {
		if data, is := strings.CutPrefix(s.Text(), "data: "); is {
			return m, json.Unmarshal([]byte(data), &m) == nil
		}
	}
	return m, false
}

// What is posted is listed, and all followers see it in order. At the end their streams end in order as well.
func TestBoard(t *testing.T) {
	url, end := start(t)
	defer end()
	c := client(t)
	began := time.Now()
	var followers []*bufio.Scanner
	for range 20 {
		followers = append(followers, follow(t, c, url))
	}
	for i := range 10 {
		body := fmt.Sprintf(`{"from":"test","text":"%d","at":"1999-01-01T00:00:00Z"}`, i)
		if code := post(t, c, url, body); code != http.StatusCreated {
			t.Fatal(code)
		}
	}
	for _, body := range []string{"{", `{"text":"x"} and more`, `{"text":"` + strings.Repeat("x", most) + `"}`} {
		if code := post(t, c, url, body); code != http.StatusBadRequest {
			t.Errorf("a message of %d bytes: %d", len(body), code)
		}
	}
	res, err := c.Get(url + "/messages")
	if err != nil {
		t.Fatal(err)
	}
	var all []message
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil || len(all) != 10 {
		t.Errorf("%d messages: %v", len(all), err)
	}
	res.Body.Close()
	for _, f := range followers {
		for i := range 10 {
			if m, ok := event(f); !ok || m.Text != fmt.Sprint(i) || m.From != "test" || m.At.Before(began) {
				t.Fatalf("event %d: %+v, %v", i, m, f.Err())
			}
		}
	}
	end()
	for _, f := range followers {
		if m, ok := event(f); ok || f.Err() != nil {
			t.Errorf("at the end: %+v, %v", m, f.Err())
		}
	}
}

// A follower that reads nothing is let go, and keeps nobody.
func TestSlowFollower(t *testing.T) {
	url, end := start(t)
	defer end()
	c := client(t)
	slow, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	slow.(*net.TCPConn).SetReadBuffer(4096)
	io.WriteString(slow, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
	first := bufio.NewReaderSize(slow, 16)
	if line, err := first.ReadString('\n'); line != "HTTP/1.1 200 OK\r\n" {
		t.Fatal(line, err)
	}
	quick := follow(t, c, url)
	text := strings.Repeat("x", most-200)
	for range 3000 { // more than sockets hold
		if code := post(t, c, url, `{"text":"`+text+`"}`); code != http.StatusCreated {
			t.Fatal(code)
		}
		if _, ok := event(quick); !ok {
			t.Fatal("the other follower: ", quick.Err())
		}
	}
	slow.SetReadDeadline(patience.Deadline())
	n, err := io.Copy(io.Discard, first)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
	if n >= 3000*int64(most-200) {
		t.Errorf("who has not read got all %d bytes", n)
	}
}

// Metrics are those of the loops.
func TestMetrics(t *testing.T) {
	url, end := start(t)
	defer end()
	res, err := client(t).Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if p, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(p), "ringo_") {
		t.Errorf("%.200s: %v", p, err)
	}
}
