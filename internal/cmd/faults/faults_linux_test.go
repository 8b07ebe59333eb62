//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// TestTable: an entry has errors, all of them known, or says why it has none.
func TestTable(t *testing.T) {
	for name, r := range table {
		if (r.errnos == "") == (r.left == "") {
			t.Errorf("%s has errors %q, and none because %q", name, r.errnos, r.left)
		}
		for _, errno := range r.all() {
			if text := words(errno); text == "" || strings.HasPrefix(text, "errno") {
				t.Errorf("%s: %s is %q", name, errno, text)
			}
		}
	}
}

// TestTrace: calls are counted by thread, whole or in two lines, and those that were made to fail are kept.
func TestTrace(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	const injected = `12    <... accept4 resumed>) = -1 ENOMEM (Cannot allocate memory) (INJECTED)`
	fmt.Fprintln(w, `11 read(3, "x", 1) = 1`)
	fmt.Fprintln(w, `12    accept4(5, NULL, NULL, SOCK_CLOEXEC <unfinished ...>`)
	fmt.Fprintln(w, `11 read(3, "accept4(", 9) = 9`)
	fmt.Fprintln(w, injected)
	fmt.Fprintln(w, `12 read(3, "x", 1) = 1`)
	w.Close()
	saw := &traced{calls: map[string]map[string]int{}, over: make(chan struct{})}
	saw.read(r)
	if got := saw.most(); got["read"] != 2 || got["accept4"] != 1 || len(got) != 2 {
		t.Errorf("most calls by one thread: %v", got)
	}
	if got := saw.failed(); !slices.Equal(got, []string{injected}) {
		t.Errorf("failed: %q", got)
	}
}

// TestClearEnd: only exit code 1, with a step and its cause, is an end that helps.
func TestClearEnd(t *testing.T) {
	const cause = "no space left on device"
	for _, c := range []struct {
		script string
		ok     bool
	}{
		{"echo 'ringo echo: listen tcp :1: " + cause + "' >&2; exit 1", true},
		{"echo '2026/11/22 03:28:25 listen tcp :0: bind: " + cause + "' >&2; exit 1", true},
		{"echo 'ringo echo: " + cause + "' >&2; exit 1", false}, // of what?
		{"echo 'ringo echo: listen tcp :1: " + cause + "' >&2; exit 3", false},
		{"echo 'ringo echo: listen tcp :1: went wrong' >&2; exit 1", false},
		{"echo 'ringo echo: listen tcp :1: " + cause + "' >&2; echo 'panic: oh' >&2; exit 1", false},
		{"kill -9 $$", false},
	} {
		var err error
		one := &testCase{run: func(t *trial) error {
			p, failed := t.start(exec.Command("sh", "-c", c.script))
			if failed != nil {
				return failed
			}
			if failed := p.wait("its start"); failed != nil {
				return failed
			}
			err = p.clearEnd(cause)
			return nil
		}}
		if _, failed := one.try(&options{}); failed != nil {
			t.Fatal(failed)
		}
		if (err == nil) != c.ok {
			t.Errorf("%s: %v, want a clear end: %t", c.script, err, c.ok)
		}
	}
}

// talkTo has a peer ask a server that answers with what answer makes of the question.
func talkTo(t *testing.T, p protocol, seed uint64, answer func(c net.Conn)) error {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		if c, err := ln.Accept(); err == nil {
			answer(c)
			c.Close()
		}
	}()
	c, err := dialPeer(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := p.ask(c, seed); err != nil {
		return err
	}
	return p.end(c)
}

// TestProtocols: a peer takes right bytes, is told by an end, and finds a wrong byte, one too many, and an answer that
// is short and looks whole.
func TestProtocols(t *testing.T) {
	const seed = 1 // 1000 bytes of an echo, 100 of a file
	echo := func(spoil func(b []byte) []byte) func(c net.Conn) {
		return func(c net.Conn) {
			b := make([]byte, sizes[seed])
			io.ReadFull(c, b)
			c.Write(spoil(b))
		}
	}
	page := func(status int, body []byte, length int) func(c net.Conn) {
		return func(c net.Conn) {
			http.ReadRequest(bufio.NewReader(c))
			fmt.Fprintf(c, "HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%s", status, length, body)
		}
	}
	_, file := siteFile(seed)
	other := append(slices.Clone(file[:50]), make([]byte, 50)...)
	for _, c := range []struct {
		name   string
		p      protocol
		answer func(c net.Conn)
		want   string // "": right; "cut"; or what is wrong
	}{
		{"echo", echoes{}, echo(func(b []byte) []byte { return b }), ""},
		{"echo cut", echoes{}, echo(func(b []byte) []byte { return b[:500] }), "cut"},
		{"echo of another byte", echoes{}, echo(func(b []byte) []byte { b[400]++; return b }), "wrong bytes"},
		{"wrong before a cut", echoes{}, echo(func(b []byte) []byte { b[400]++; return b[:500] }), "wrong bytes"},
		{"a byte more", echoes{}, echo(func(b []byte) []byte { return append(b, 1) }), "nobody had sent"},
		{"page", pages{}, page(200, file, 100), ""},
		{"page cut", pages{}, page(200, file[:50], 100), "cut"},
		{"page refused", pages{}, page(503, nil, 0), "cut"},
		{"page of other bytes", pages{}, page(200, other, 100), "other bytes"},
		{"short page", pages{}, page(200, file[:50], 50), "as if it was whole"},
		{"no page", pages{}, page(404, nil, 0), "404"},
	} {
		err := talkTo(t, c.p, seed, c.answer)
		switch {
		case c.want == "" && err == nil, c.want == "cut" && isCut(err):
		case c.want == "" || c.want == "cut" || err == nil || isCut(err) || !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestCases: each is tried once, what can't be had is counted with its reason, and the sum says so.
func TestCases(t *testing.T) {
	var tries atomic.Int32
	cases := []*testCase{
		{"good", func(*trial) error { return nil }},
		{"bad", func(*trial) error {
			tries.Add(1)
			return errors.New("no")
		}},
		skipped("away", "there is no %s", "disk")[0],
	}
	sum := runCases(&options{}, cases, 2)
	if sum.passed != 1 || sum.failed != 1 || tries.Load() != 1 || sum.skips["there is no disk"] != 1 {
		t.Errorf("%v, skips %v, %d tries", &sum, sum.skips, tries.Load())
	}
	var out strings.Builder
	sum.tell(&out)
	for _, want := range []string{"failed: bad\n", "faults: 1 passed, 1 failed, 1 skipped\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, out.String())
		}
	}
}
