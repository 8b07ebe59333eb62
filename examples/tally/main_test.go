package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// The program as it is delivered: loops and goroutines of one process, a client of package net, what operators see, and
// the end that a signal begins.
func TestServes(t *testing.T) {
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	operators, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, set, operators) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error("serve:", err)
		}
	}()

	const clients, each = 4, 100
	sent := make(chan error)
	for range clients {
		go func() { sent <- adds(set.Addr().String(), each) }()
	}
	for range clients {
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
	c, err := net.Dial("tcp", set.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(patience.Deadline())
	fmt.Fprintln(c, "get apples")
	if got, err := bufio.NewReader(c).ReadString('\n'); got != fmt.Sprintln(clients*each) {
		t.Errorf("%q, %v; want %d", got, err, clients*each)
	}
	for path, want := range map[string]string{"/metrics": "ringo_loop_tasks", "/live": "", "/debug/ringo/": "<html"} {
		if page := get(t, "http://"+operators.Addr().String()+path); !strings.Contains(page, want) {
			t.Errorf("%s has no %q: %.200s", path, want, page)
		}
	}
	stop() // with a peer that says nothing: it has asked before, so it need not be waited for
	if n, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("at the end: read %d, %v; want EOF", n, err)
	}
}

// adds is a client that adds apples, in two writes for each five.
func adds(address string, n int) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(patience.Deadline())
	r := bufio.NewReader(c)
	for i := 0; i < n; i += 5 {
		io.WriteString(c, strings.Repeat("add apples\n", 4)+"add ap")
		io.WriteString(c, "ples\n")
		for range 5 {
			if line, err := r.ReadString('\n'); err != nil || strings.HasPrefix(line, "error") {
				return fmt.Errorf("add: %q, %w", line, err)
			}
		}
	}
	return nil
}

func get(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, answer.Status, err)
	}
	return string(page)
}
