package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo"
)

const patience = 20 * time.Second

// start runs a server until the end of the test.
func start(t *testing.T, o *options) (addr string) {
	t.Helper()
	p, err := programs[o.program](o)
	if err != nil {
		t.Fatal(err)
	}
	return startProgram(t, o, p)
}

func startProgram(t *testing.T, o *options, p *program) (addr string) {
	t.Helper()
	o.listen = "127.0.0.1:0"
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- p.run(ctx, o, func(addr net.Addr, on string) {
			if on != o.on {
				t.Errorf("it serves on %s, want %s", on, o.on)
			}
			ready <- addr.String()
		})
	}()
	select {
	case addr = <-ready:
	case err := <-ended:
		if setup := new(ringo.SetupError); errors.As(err, &setup) {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("the server does not end")
		}
	})
	return addr
}

// each runs f for a program on package net and on two drivers of Ringo, in the ways that it has.
func each(t *testing.T, program string, f func(t *testing.T, addr string)) {
	forRingo := slices.Contains([]string{"udpbatch", "udpserve", "bulkrecv", "bulksend"}, program)
	for _, c := range []struct{ on, handler string }{
		{onNet, perGoroutine}, {"uring", perGoroutine}, {"uring", perConn}, {"epoll", perGoroutine}, {"epoll", perConn},
	} {
		std, onLoop := strings.HasPrefix(program, "http"), strings.HasPrefix(program, "sockhttp")
		if std && c.handler == perConn || forRingo && c.handler == perGoroutine || onLoop && c.on == onNet {
			continue
		}
		t.Run(c.on+"/"+c.handler, func(t *testing.T) {
			f(t, start(t, &options{program: program, on: c.on, handler: c.handler, size: 1000}))
		})
	}
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

func wantEcho(t *testing.T, c net.Conn, size int) {
	t.Helper()
	sent := bytes.Repeat([]byte("there and back. "), size/16)
	go c.Write(sent)
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes did not come back as they went: %v", size, err)
	}
}

func TestEcho(t *testing.T) {
	each(t, "echo", func(t *testing.T, addr string) { wantEcho(t, dial(t, addr), 1<<20) })
}

// TestReadsBeside: an echo answers while a file is read beside it, by tasks and by goroutines.
func TestReadsBeside(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, on := range []string{onNet, "uring", "epoll"} {
		t.Run(on, func(t *testing.T) {
			r := &reads{path: name, second: 5000}
			p := &program{conn: func(c net.Conn) { echo(c, 1000) }, beside: r.begin}
			o := &options{on: on, handler: perConn}
			wantEcho(t, dial(t, startProgram(t, o, p)), 1<<16)
			for end := time.Now().Add(patience); r.done.Load() < 200; runtime.Gosched() {
				if time.Now().After(end) {
					t.Fatalf("%d reads in %v", r.done.Load(), patience)
				}
			}
		})
	}
}

func TestTLS(t *testing.T) {
	each(t, "tls", func(t *testing.T, addr string) {
		c := tls.Client(dial(t, addr), &tls.Config{InsecureSkipVerify: true})
		wantEcho(t, c, 1<<20)
		if s := c.ConnectionState(); s.Version != tls.VersionTLS13 || s.DidResume {
			t.Errorf("version %x, resumed %v", s.Version, s.DidResume)
		}
	})
}

func TestHTTP(t *testing.T) {
	for _, c := range []struct {
		program, scheme string
		speak           func(*http.Protocols, bool)
		version         int
	}{
		{"http", "http", (*http.Protocols).SetHTTP1, 1},
		{"http", "http", (*http.Protocols).SetUnencryptedHTTP2, 2},
		{"https", "https", (*http.Protocols).SetHTTP2, 2},
		{"fasthttp", "http", (*http.Protocols).SetHTTP1, 1},
		{"sockhttp", "http", (*http.Protocols).SetHTTP1, 1},
		{"sockhttp", "http", (*http.Protocols).SetUnencryptedHTTP2, 2},
		{"sockhttps", "https", (*http.Protocols).SetHTTP2, 2},
	} {
		t.Run(fmt.Sprint(c.program, "/", c.version), func(t *testing.T) {
			each(t, c.program, func(t *testing.T, addr string) {
				transport := &http.Transport{Protocols: new(http.Protocols),
					TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
				c.speak(transport.Protocols, true)
				defer transport.CloseIdleConnections()
				client := http.Client{Transport: transport, Timeout: patience}
				for range 3 {
					answer, err := client.Get(c.scheme + "://" + addr)
					if err != nil {
						t.Fatal(err)
					}
					p, err := io.ReadAll(answer.Body)
					answer.Body.Close()
					want := strings.Repeat("Hello, World!", 77)[:1000]
					if err != nil || string(p) != want || answer.ProtoMajor != c.version {
						t.Errorf("%s: %d bytes %.30q, %v", answer.Proto, len(p), p, err)
					}
				}
			})
		})
	}
}

func TestProxy(t *testing.T) {
	behind := start(t, &options{program: "echo", on: onNet, handler: perGoroutine, size: 4096})
	addr := start(t, &options{program: "proxy", on: onNet, handler: perGoroutine, to: behind, size: 1})
	c := dial(t, addr).(*net.TCPConn)
	wantEcho(t, c, 1<<20)
	c.CloseWrite()
	if n, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after the end: %d bytes, %v", n, err)
	}
	addr = start(t, &options{program: "proxy", on: onNet, handler: perGoroutine, to: behind, size: 1, tls: true})
	secret := tls.Client(dial(t, addr), &tls.Config{InsecureSkipVerify: true})
	wantEcho(t, secret, 1<<20)
	secret.CloseWrite()
	if n, err := secret.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after the end by TLS: %d bytes, %v", n, err)
	}
}

func TestReverse(t *testing.T) {
	behind := start(t, &options{program: "fasthttp", on: onNet, handler: perGoroutine, size: 1000})
	addr := start(t, &options{program: "reverse", on: onNet, handler: perGoroutine, to: behind, size: 1})
	for range 3 {
		answer, err := http.Get("http://" + addr)
		if err != nil {
			t.Fatal(err)
		}
		p, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || string(p) != strings.Repeat("Hello, World!", 77)[:1000] {
			t.Errorf("%d bytes %.30q, %v", len(p), p, err)
		}
	}
	if _, err := newReverse(&options{on: onNet}); err == nil {
		t.Error("it goes nowhere")
	}
}

func dialUDP(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

func TestUDP(t *testing.T) {
	echoes := func(t *testing.T, addr string) {
		c := dialUDP(t, addr)
		for _, size := range []int{1, 0, 1200} {
			sent := bytes.Repeat([]byte{byte(size)}, size)
			c.Write(sent)
			got := make([]byte, datagramMax)
			if n, err := c.Read(got); err != nil || !bytes.Equal(got[:n], sent) {
				t.Errorf("a datagram of %d bytes came back with %d, %v", size, n, err)
			}
		}
	}
	for _, program := range []string{"udp", "udpbatch", "udpserve"} {
		t.Run(program, func(t *testing.T) { each(t, program, echoes) })
	}
}

func TestBulkReceiverCounts(t *testing.T) {
	each(t, "bulkrecv", func(t *testing.T, addr string) {
		c := dialUDP(t, addr)
		for i := range 10 {
			c.Write(make([]byte, 100+i/9)) // the last one is longer
		}
		c.Write([]byte{7})
		got := make([]byte, 100)
		n, err := c.Read(got)
		want := binary.NativeEndian.AppendUint64(nil, 10)
		want = append(binary.NativeEndian.AppendUint64(want, 1001), 7)
		if err != nil || !bytes.Equal(got[:n], want) {
			t.Errorf("the answer is %v, %v, want %v", got[:n], err, want)
		}
	})
}

func TestBulkSenderNumbers(t *testing.T) {
	each(t, "bulksend", func(t *testing.T, addr string) {
		c := dialUDP(t, addr)
		c.Write([]byte{0})
		got := make([]byte, 2000)
		for last := uint64(0); last < 1000; {
			n, err := c.Read(got)
			if err != nil || n != 1000 {
				t.Fatalf("%d bytes, %v", n, err)
			}
			switch sent := binary.NativeEndian.Uint64(got); {
			case sent == 0: // not the first of its piece
			case sent <= last || sent%60 != 0:
				t.Fatalf("%d datagrams sent after %d, in pieces of 60", sent, last)
			default:
				last = sent
			}
		}
		c.Write([]byte{0})
	})
}

func TestRedis(t *testing.T) {
	large := strings.Repeat("x", 200_000)
	each(t, "redis", func(t *testing.T, addr string) {
		c := dial(t, addr)
		r := bufio.NewReader(c)
		for _, x := range []struct{ command, want string }{
			{"*1\r\n$4\r\nPING\r\n", "+PONG\r\n"},
			{"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", "$-1\r\n"},
			{"*3\r\n$3\r\nset\r\n$1\r\na\r\n$0\r\n\r\n", "+OK\r\n"},
			{"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", "$0\r\n\r\n"},
			{fmt.Sprintf("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$%d\r\n%s\r\n", len(large), large), "+OK\r\n"},
			{"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*1\r\n$4\r\nPING\r\n",
				fmt.Sprintf("$%d\r\n%s\r\n+PONG\r\n", len(large), large)},
			{"*1\r\n$3\r\nGET\r\n", "-ERR unknown command \"GET\", or another number of arguments\r\n"},
		} {
			go io.WriteString(c, x.command)
			got := make([]byte, len(x.want))
			if _, err := io.ReadFull(r, got); err != nil || string(got) != x.want {
				t.Fatalf("%.40q was answered %.40q, %v", x.command, got, err)
			}
		}
	})
}

// Commands that came together are answered in their order, on whatever loops their keys are.
func TestShards(t *testing.T) {
	for _, loops := range []int{1, 3} {
		addr := start(t, &options{program: "shards", on: "epoll", handler: perConn, loops: loops})
		c := dial(t, addr)
		var asked, want strings.Builder
		for round := range 3 {
			for i := range 100 {
				key, value := fmt.Sprintf("key:%03d", i), fmt.Sprintf("value:%03d:%d", i, round)
				fmt.Fprintf(&asked, "*3\r\n$3\r\nSET\r\n$7\r\n%s\r\n$11\r\n%s\r\n", key, value)
				fmt.Fprintf(&asked, "*2\r\n$3\r\nGET\r\n$7\r\n%s\r\n*1\r\n$4\r\nPING\r\n", key)
				fmt.Fprintf(&want, "+OK\r\n$11\r\n%s\r\n+PONG\r\n", value)
			}
		}
		fmt.Fprint(&asked, "*2\r\n$3\r\nGET\r\n$1\r\nx\r\n*1\r\n$1\r\nx\r\n")
		fmt.Fprint(&want, "$-1\r\n-ERR unknown command, or another number of arguments\r\n")
		go io.WriteString(c, asked.String())
		got := make([]byte, want.Len())
		if n, err := io.ReadFull(c, got); err != nil || string(got) != want.String() {
			t.Errorf("%d loops: %d bytes of %d were right, %v", loops, n, want.Len(), err)
		}
	}
}

func TestRedisEndsWhatIsNoCommand(t *testing.T) {
	addr := start(t, &options{program: "redis", on: onNet, handler: perGoroutine})
	for _, text := range []string{"PING\r\n", "*0\r\n", "*17\r\n", "*1\r\n$-1\r\n", "*1\r\n$99999999\r\n",
		"*1\r\n$4\r\nPINGxx", "*\r\n", "\n", "*1\n"} {
		c := dial(t, addr)
		io.WriteString(c, text)
		if n, err := c.Read(make([]byte, 1)); n != 0 || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%q: %d bytes, %v", text, n, err)
		}
	}
}

func TestUsageErrorsAreReportedTogether(t *testing.T) {
	_, err := parse([]string{"-program", "gopher", "-handler", "fork", "-size", "0", "extra"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"-program", "-handler", "-size", "extra"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %s", err, want)
		}
	}
}
