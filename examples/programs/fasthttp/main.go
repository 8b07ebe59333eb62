// Fasthttp serves requests by github.com/valyala/fasthttp in two ways: in tasks, by package adapters/fasthttp, which
// is faster, and on goroutines, as on any listener. A handler in a task may wait only through Ringo.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/valyala/fasthttp"

	"ringo"
	ringofasthttp "ringo/adapters/fasthttp"
	"ringo/logs"
	"ringo/sock"
)

func main() {
	if err := run(logs.NewWriter(os.Stdout, nil)); err != nil {
		log.Fatal(err)
	}
}

// run serves a request in each way, and prints the answers.
func run(out io.Writer) error {
	return ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		for _, way := range ways {
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			server := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) { ctx.WriteString("hello " + way.name) }}
			serving := l.Go(func() { way.serve(l, server, ln) })
			status, body, err := ask(l, ln.Addr().String())
			ln.Close()
			serving.Wait()
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%d, %s\n", status, body)
		}
		return nil
	})
}

// ways are the two ways to serve. Both run until the listener is closed.
var ways = []struct {
	name  string
	serve func(l *ringo.Loop, s *fasthttp.Server, ln *sock.Listener) error
}{
	{"from a task", func(l *ringo.Loop, s *fasthttp.Server, ln *sock.Listener) error {
		return ringofasthttp.Serve(l, ln, s)
	}},
	{"from a goroutine", func(l *ringo.Loop, s *fasthttp.Server, ln *sock.Listener) error {
		return l.Offload(func(context.Context) error { return s.Serve(ln) }) // Serve is on a goroutine; the task parks
	}},
}

// ask sends a request by fasthttp's client, which stays on a goroutine.
func ask(l *ringo.Loop, address string) (status int, body []byte, err error) {
	client := &fasthttp.HostClient{Addr: address, DialTimeout: ringofasthttp.Dial(l)}
	defer client.CloseIdleConnections() //ringo:offloaded its connections are Dial's
	err = l.Offload(func(context.Context) error {
		status, body, err = client.Get(nil, "http://"+address)
		return err
	})
	return status, body, err
}
