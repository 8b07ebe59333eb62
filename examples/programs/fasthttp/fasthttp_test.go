// There is no leak gate here: fasthttp has cleaners that sleep for 10 s after all else is closed, and one for the date
// that never ends.

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/valyala/fasthttp"

	"ringo/examples/programs/internal/rig"
)

// handle answers with the body that it got, or with the path.
func handle(ctx *fasthttp.RequestCtx) {
	if ctx.IsPost() {
		ctx.Write(ctx.PostBody())
		return
	}
	ctx.WriteString(string(ctx.Path()))
}

// What main does.
func TestRun(t *testing.T) {
	rig.Prints(t, run, "200, hello from a task\n200, hello from a goroutine\n")
}

// The clients of fasthttp and of net/http, at once and on connections that stay,
// with small answers and large bodies.
func TestClients(t *testing.T) {
	rig.EachDriver(t, []string{"uring", "epoll"}, func(t *testing.T, driver string) {
		for _, way := range ways {
			t.Run(way.name, func(t *testing.T) {
				r := rig.Loops(t, driver, 2)
				ln := r.Listen()
				s := &fasthttp.Server{Handler: handle, MaxRequestBodySize: 8 << 20}
				l := r.Loop()
				serving := l.Go(func() { way.serve(l, s, ln) })
				addr := ln.Addr().String()
				fast := &fasthttp.HostClient{Addr: addr, MaxResponseBodySize: 8 << 20,
					Dial: func(addr string) (net.Conn, error) {
						return r.DialContext(context.Background(), "tcp", addr)
					}}
				std := &http.Client{Transport: &http.Transport{DialContext: r.DialContext}, Timeout: rig.Patience}
				var clients sync.WaitGroup
				for i := range 8 {
					clients.Go(func() { useFast(t, fast, addr, i) })
					clients.Go(func() { useStd(t, std, addr, i) })
				}
				clients.Wait()
				fast.CloseIdleConnections()
				std.CloseIdleConnections()
				ln.Close()
				serving.Wait()
			})
		}
	})
}

func useFast(t *testing.T, client *fasthttp.HostClient, addr string, i int) {
	for j := range 20 {
		path := fmt.Sprintf("/%d/%d", i, j)
		if status, p, err := client.Get(nil, "http://"+addr+path); status != 200 || string(p) != path || err != nil {
			t.Errorf("%s: %d, %q, %v", path, status, p, err)
			return
		}
	}
	request, answer := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(answer)
	want := bytes.Repeat([]byte{byte(i)}, 1<<20+i)
	request.SetRequestURI("http://" + addr)
	request.Header.SetMethod("POST")
	request.SetBody(want)
	if err := client.Do(request, answer); err != nil || !bytes.Equal(answer.Body(), want) {
		t.Errorf("a body of %d came back with %d, %v", len(want), len(answer.Body()), err)
	}
}

func useStd(t *testing.T, client *http.Client, addr string, i int) {
	want := bytes.Repeat([]byte{byte(i)}, 1<<20+i)
	for range 5 {
		answer, err := client.Post("http://"+addr, "application/octet-stream", bytes.NewReader(want))
		if err != nil {
			t.Error(err)
			return
		}
		p, err := io.ReadAll(answer.Body)
		if err = errors.Join(err, answer.Body.Close()); err != nil || !bytes.Equal(p, want) {
			t.Errorf("a body of %d came back with %d, %v", len(want), len(p), err)
		}
	}
}
