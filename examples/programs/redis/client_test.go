package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"ringo"
	"ringo/examples/programs/internal/rig"
	"ringo/internal/test/testmain"
	"ringo/sock"
	"ringo/sock/sockclient"
)

func TestMain(m *testing.M) {
	rig.Play(map[string]rig.Role{"server": beServer, "pipeline": bePipeline, "pool": bePool, "goroutines": beGoroutines,
		"go-redis": beGoRedis, "rueidis": beRueidis})
	testmain.Main(m)
}

// reply reads what answers GET and SET.
func reply(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if err != nil || len(line) < 3 {
		return "", errors.Join(err, errors.New("not a reply"))
	}
	text := line[1 : len(line)-2]
	if line[0] != '$' {
		return string(text), nil
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 0 {
		return "", err
	}
	p := make([]byte, n+2)
	_, err = io.ReadFull(r, p)
	return string(p[:n]), err
}

func request(words ...string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b
}

// A client of a few lines on a Pipeline, for tasks and goroutines, with values of any size.
func TestPipeline(t *testing.T) {
	rig.EachDriver(t, drivers, func(t *testing.T, driver string) {
		r := rig.Loops(t, driver, 2)
		c, err := sock.Dial(r.Loop(), "tcp", serve(r).String())
		if err != nil {
			t.Fatal(err)
		}
		p := sockclient.NewPipeline(r.Loop(), c, sockclient.Protocol[string]{Read: reply}, nil)
		defer p.Close()
		var all ringo.WaitGroup
		for i := range 30 {
			all.Add(1)
			use := func() {
				defer all.Done()
				key := fmt.Sprint("key", i)
				for _, want := range []string{"", "small", strings.Repeat(key, 1<<i%17)} {
					if got, err := p.Call(nil, request("SET", key, want)); got != "OK" || err != nil {
						t.Errorf("SET: %.20q, %v", got, err)
					}
					if got, err := p.Call(nil, request("GET", key)); got != want || err != nil {
						t.Errorf("GET: %.20q, %v, want %.20q", got, err, want)
					}
				}
			}
			if i%3 == 0 {
				go use()
			} else {
				r.Loops[i%3-1].Go(use)
			}
		}
		all.Wait()
	})
}

// BenchmarkClients is what a GET costs the client, with 64 callers at once: by a Pipeline for tasks, and for
// goroutines; by a Pool's connection for each caller; by go-redis and rueidis. The server and the client are bound to a
// processor each.
func BenchmarkClients(b *testing.B) {
	tie, err := exec.LookPath("taskset")
	if err != nil {
		b.Skip(err)
	}
	server := rig.StartChild(b, "server", "", tie, "-c", "1", "env", "GOMAXPROCS=1")
	defer server.End()
	address := server.Line()
	for _, role := range []string{"pipeline", "goroutines", "rueidis", "pool", "go-redis"} {
		b.Run("client="+role, func(b *testing.B) {
			client := rig.StartChild(b, role, address, tie, "-c", "0", "env", "GOMAXPROCS=1")
			defer client.End()
			client.Ask("2000")
			b.ResetTimer()
			ns, err := strconv.Atoi(client.Ask(fmt.Sprint(b.N)))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(ns)/float64(b.N), "client-ns/op")
		})
	}
}

const callers = 64

func beServer(string, *bufio.Scanner) error {
	r, w := io.Pipe()
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { ended <- run(ctx, "127.0.0.1:0", w) }()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		return <-ended
	}
	fmt.Println(strings.TrimPrefix(strings.TrimSpace(line), "ready on "))
	io.Copy(io.Discard, os.Stdin)
	cancel()
	return <-ended
}

// answer has so many GETs made as each line says, by as many callers as there are, and says what they have used of
// processors.
func answer(asked *bufio.Scanner, start func(f func()), get func() (string, error)) error {
	for asked.Scan() {
		n, err := strconv.Atoi(asked.Text())
		if err != nil {
			return err
		}
		before := processors()
		var all sync.WaitGroup
		var failed error
		var once sync.Once
		for i := range callers {
			all.Add(1)
			start(func() {
				defer all.Done()
				for range (n + i) / callers {
					if v, err := get(); v != value || err != nil {
						once.Do(func() { failed = fmt.Errorf("GET: %q, %w", v, err) })
						return
					}
				}
			})
		}
		all.Wait()
		if failed != nil {
			return failed
		}
		fmt.Println(processors() - before)
	}
	return nil
}

const value = "a value of some length"

func processors() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// onLoop runs a client beside a loop.
func onLoop(f func(l *ringo.Loop) error) error {
	return ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		return l.Offload(func(context.Context) error { return f(l) })
	})
}

func pipelined(l *ringo.Loop, address string) (get func() (string, error), err error) {
	c, err := sock.Dial(l, "tcp", address)
	if err != nil {
		return nil, err
	}
	p := sockclient.NewPipeline(l, c, sockclient.Protocol[string]{Read: reply}, nil)
	if _, err := p.Call(nil, request("SET", "key", value)); err != nil {
		return nil, err
	}
	ask := request("GET", "key")
	return func() (string, error) { return p.Call(nil, ask) }, nil
}

func bePipeline(address string, asked *bufio.Scanner) error {
	return onLoop(func(l *ringo.Loop) error {
		get, err := pipelined(l, address)
		if err != nil {
			return err
		}
		return answer(asked, func(f func()) { l.Post(f) }, get)
	})
}

func beGoroutines(address string, asked *bufio.Scanner) error {
	return onLoop(func(l *ringo.Loop) error {
		get, err := pipelined(l, address)
		if err != nil {
			return err
		}
		return answer(asked, func(f func()) { go f() }, get)
	})
}

func bePool(address string, asked *bufio.Scanner) error {
	return onLoop(func(l *ringo.Loop) error {
		p := &sockclient.Pool{MaxIdle: callers, Dial: func(ctx context.Context, l *ringo.Loop) (net.Conn, error) {
			return sock.Dial(l, "tcp", address)
		}}
		set, ask := request("SET", "key", value), request("GET", "key")
		get := func(request []byte) (string, error) {
			c, err := p.Get(nil, l)
			if err != nil {
				return "", err
			}
			defer c.Release()
			if _, err := c.Write(request); err != nil {
				return "", err
			}
			var mem [64]byte
			n, err := c.Read(mem[:])
			if err != nil {
				return "", err
			}
			_, v, _ := strings.Cut(string(mem[:n]), "\r\n")
			return strings.TrimSuffix(v, "\r\n"), nil
		}
		if _, err := get(set); err != nil {
			return err
		}
		return answer(asked, func(f func()) { l.Post(f) }, func() (string, error) { return get(ask) })
	})
}

func beGoRedis(address string, asked *bufio.Scanner) error {
	ctx := context.Background()
	c := redis.NewClient(&redis.Options{Addr: address, Protocol: 2, DisableIdentity: true, PoolSize: callers})
	defer c.Close()
	if err := c.Set(ctx, "key", value, 0).Err(); err != nil {
		return err
	}
	return answer(asked, func(f func()) { go f() }, func() (string, error) { return c.Get(ctx, "key").Result() })
}

func beRueidis(address string, asked *bufio.Scanner) error {
	ctx := context.Background()
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{address}, AlwaysRESP2: true,
		DisableCache: true, ForceSingleClient: true})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Do(ctx, c.B().Set().Key("key").Value(value).Build()).Error(); err != nil {
		return err
	}
	return answer(asked, func(f func()) { go f() }, func() (string, error) {
		return c.Do(ctx, c.B().Get().Key("key").Build()).ToString()
	})
}
