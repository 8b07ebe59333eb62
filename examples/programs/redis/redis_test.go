package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"ringo/examples/programs/internal/rig"
)

var drivers = []string{"uring", "epoll"}

// serve runs the server on the rig's first loop, and gives its address.
func serve(r *rig.Rig) *net.TCPAddr {
	ln, l, s := r.Listen(), r.Loop(), store{}
	l.Post(func() {
		for {
			c, err := ln.AcceptConn()
			if err != nil {
				return
			}
			l.Post(func() {
				defer c.Close()
				s.serve(c)
			})
		}
	})
	return ln.Addr().(*net.TCPAddr)
}

// What main does.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	r, w := io.Pipe()
	go func() { ended <- run(ctx, "127.0.0.1:0", w) }()
	line, err := bufio.NewReader(r).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "ready on ")
	if err != nil || !ok {
		t.Fatalf("the first line is %q, %v", line, err)
	}
	client := redis.NewClient(&redis.Options{Addr: address, Protocol: 2, DisableIdentity: true, MaxRetries: -1})
	if err := client.Ping(ctx).Err(); err != nil {
		t.Error(err)
	}
	client.Close()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Clients of go-redis, dialled by the loop, one by one and in pipelines.
func TestClients(t *testing.T) {
	rig.EachDriver(t, drivers, func(t *testing.T, driver string) {
		r := rig.Loops(t, driver, 2)
		client := redis.NewClient(&redis.Options{
			Addr: serve(r).String(), Protocol: 2, DisableIdentity: true, Dialer: r.DialContext,
		})
		defer client.Close()
		ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
		defer cancel()
		var clients sync.WaitGroup
		for i := range 8 {
			clients.Go(func() { use(ctx, t, client, fmt.Sprint("key", i)) })
		}
		clients.Wait()
	})
}

func use(ctx context.Context, t *testing.T, c *redis.Client, key string) {
	if err := c.Get(ctx, key).Err(); err != redis.Nil {
		t.Errorf("Get of nothing: %v", err)
	}
	large := strings.Repeat(key, 100_000)
	for _, want := range []string{"", "small", large} {
		if err := c.Set(ctx, key, want, 0).Err(); err != nil {
			t.Error(err)
			return
		}
		if got, err := c.Get(ctx, key).Result(); got != want || err != nil {
			t.Errorf("Get: %d bytes of %d, %v", len(got), len(want), err)
		}
	}
	var answers []*redis.StringCmd
	_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range 100 {
			p.Set(ctx, key, i, 0)
			answers = append(answers, p.Get(ctx, key))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for i, a := range answers {
		if n, err := a.Int(); n != i || err != nil {
			t.Errorf("answer %d of the pipeline is %d, %v", i, n, err)
		}
	}
}

// redis-cli, with a command each time, and with several on one connection.
func TestCLI(t *testing.T) {
	rig.EachDriver(t, drivers, func(t *testing.T, driver string) {
		address := serve(rig.Loops(t, driver, 1))
		for _, c := range []struct{ input, command, want string }{
			{"", "PING", "PONG"},
			{"", "GET nothing", ""},
			{"", "SET key value", "OK"},
			{"", "GET key", "value"},
			{"", "INCR key", "ERR unknown command \"INCR\", or another number of arguments"},
			{"SET a 1\nGET a\nSET b 2\nGET b\n", "", "OK\n1\nOK\n2"},
		} {
			out := tool(t, address, c.input, "redis-cli", strings.Fields(c.command)...)
			if got := strings.TrimSpace(out); got != c.want {
				t.Errorf("redis-cli %s: got %q, want %q", c.command, got, c.want)
			}
		}
	})
}

// redis-benchmark, which ends well only if each command of each client was answered.
func TestBenchmark(t *testing.T) {
	rig.EachDriver(t, drivers, func(t *testing.T, driver string) {
		address := serve(rig.Loops(t, driver, 1))
		for pipelined, requests := range map[string]string{"1": "2000", "16": "20000"} { // each with 25 or more trips
			out := tool(t, address, "", "redis-benchmark", "-t", "ping_mbulk,set,get", "-n", requests, "-c", "50", "-r",
				"1000", "-P", pipelined, "--csv")
			lines := strings.Split(strings.TrimSpace(out), "\n")
			for i, test := range []string{"PING_MBULK", "SET", "GET"} {
				at := len(lines) - 3 + i // behind a head, and a warning that there is no CONFIG
				if at < 0 || !strings.HasPrefix(lines[at], `"`+test+`","`) {
					t.Fatalf("redis-benchmark says nothing of %s:\n%s", test, out)
				}
			}
			t.Logf("%s in a pipeline:\n%s", pipelined, out)
		}
	})
}

// tool runs a program that comes with redis against the server, for as long as the tests may take: how many requests a
// busy machine lets through in a time is nobody's promise.
func tool(t *testing.T, address *net.TCPAddr, input, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip(err) // .ci/programs installs it
	}
	ctx := context.Background()
	if end, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-rig.Patience))
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, path,
		append([]string{"-h", address.IP.String(), "-p", fmt.Sprint(address.Port)}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}

// A client that sends what is no command, or too much, is dropped, and the others are served on.
func TestNoCommands(t *testing.T) {
	rig.EachDriver(t, drivers, func(t *testing.T, driver string) {
		address := serve(rig.Loops(t, driver, 1)).String()
		for _, text := range []string{
			"GET / HTTP/1.1\r\n\r\n", "\n", "*0\r\n", "*-1\r\n", "*17\r\n", "*1\r\n$1048577\r\n",
			"*99999999999999999999\r\n", "*1\r\n$-1\r\n", "*1\r\n:1\r\n", "*" + strings.Repeat("1", 5000),
			"*2\r\n$3\r\nGET\r\n",
		} {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			c.SetDeadline(time.Now().Add(rig.Patience))
			c.Write([]byte("*1\r\n$4\r\nPING\r\n" + text))
			c.(*net.TCPConn).CloseWrite()
			got := make([]byte, 100)
			n, err := c.Read(got)
			if string(got[:n]) != "+PONG\r\n" || err != nil {
				t.Errorf("before %.20q: %q, %v", text, got[:n], err)
			}
			if n, err := c.Read(got); n > 0 || err == nil || isTimeout(err) {
				t.Errorf("after %.20q: %q, %v", text, got[:n], err)
			}
			c.Close()
		}
	})
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

// Peers that stall in a command, ask for more than they read, or break off: the tasks of the others go on, and who
// reads at last has all that it asked for.
func TestHostilePeers(t *testing.T) {
	rig.EachDriver(t, drivers, func(t *testing.T, driver string) {
		r := rig.Loops(t, driver, 1)
		address := serve(r).String()
		peer := func(text string) *net.TCPConn {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			c.SetDeadline(time.Now().Add(rig.Patience))
			if _, err := io.WriteString(c, text); err != nil {
				t.Fatal(err)
			}
			return c.(*net.TCPConn)
		}
		client := redis.NewClient(&redis.Options{Addr: address, Protocol: 2, DisableIdentity: true, MaxRetries: -1,
			ReadTimeout: rig.Patience, WriteTimeout: rig.Patience})
		defer client.Close()
		ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
		defer cancel()
		value := strings.Repeat("v", 1<<18)
		if err := client.Set(ctx, "large", value, 0).Err(); err != nil {
			t.Fatal(err)
		}
		const times = 64 // more than there is room for
		ask := strings.Repeat("*2\r\n$3\r\nGET\r\n$5\r\nlarge\r\n", times)
		greedy := peer(ask)
		for i, text := range []string{"", "*", "*2\r\n$3\r\nGE",
			"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$1000000\r\n" + value[:1000]} {
			peer(text)
			broken := peer(ask + text)
			broken.SetLinger(0)
			broken.Close()
			use(ctx, t, client, fmt.Sprint("key", i))
		}
		want := fmt.Sprintf("$%d\r\n%s\r\n", len(value), value)
		got := make([]byte, len(want))
		for i := range times {
			if _, err := io.ReadFull(greedy, got); err != nil || string(got) != want {
				t.Fatalf("answer %d of %d is another, or none: %v", i, times, err)
			}
		}
	})
}
