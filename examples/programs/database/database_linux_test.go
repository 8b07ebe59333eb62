package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"

	"ringo"
	"ringo/examples/programs/internal/cluster"
	"ringo/examples/programs/internal/rig"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// servers are those of all tests.
var (
	servers   *cluster.Databases
	noServers error
)

func TestMain(m *testing.M) {
	rig.Play(map[string]rig.Role{"freeze": freeze})
	servers, noServers = cluster.StartAll()
	code := testmain.Run(m)
	if servers != nil {
		if err := servers.Remove(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

var drivers = []string{"uring", "epoll"}

// A served is the program's service, on two loops.
type served struct {
	*service
	t    *testing.T
	addr string
	http *http.Client
}

// each serves by each driver. The end must be orderly.
func each(t *testing.T, f func(s *served)) {
	cluster.Need(t, noServers)
	rig.EachDriver(t, drivers, func(t *testing.T, driver string) {
		own, err := newService(servers.Postgres.URL("TCP"), servers.MariaDB.DSN("TCP"), servers.Redis.URL("TCP"))
		if err != nil {
			t.Fatal(err)
		}
		set, err := sock.Reserve("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		server := &sockhttp.Server{Handler: own.routes()}
		cfg := &ringo.Config{Driver: driver, Loops: 2, OnStall: stalls(t)}
		go func() { ended <- ringo.Run(ctx, cfg, func(l *ringo.Loop) error { return serve(l, set, server) }) }()
		tr := &http.Transport{MaxIdleConnsPerHost: 100}
		defer func() {
			tr.CloseIdleConnections()
			cancel()
			if err := patience.Recv(t, "the service's end", ended); err != nil {
				t.Error("Run:", err)
			}
			if err := own.close(); err != nil {
				t.Error(err)
			}
		}()
		f(&served{own, t, set.Addr().String(), &http.Client{Transport: tr}})
	})
}

func serve(l *ringo.Loop, set *sock.ListenerSet, server *sockhttp.Server) error {
	ln, err := set.Listen(l)
	if err != nil {
		return err
	}
	if err := server.Serve(ln); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// get asks the service.
func (s *served) get(path string) (status int, body string) {
	s.t.Helper()
	res, err := s.http.Get("http://" + s.addr + path)
	if err != nil {
		s.t.Error(err)
		return 0, ""
	}
	defer res.Body.Close()
	p, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Error(err)
	}
	return res.StatusCode, string(p)
}

// Many clients at once, each with an answer of its own, by no more sessions than there may be.
func TestService(t *testing.T) {
	each(t, func(s *served) {
		var clients sync.WaitGroup
		for i := range 40 {
			servers.Redis.Set(t, fmt.Sprint("user:", i), fmt.Sprint("user ", i))
			for _, kind := range []string{"postgres", "mysql", "redis"} {
				clients.Go(func() {
					for range 10 {
						status, body := s.get(fmt.Sprint("/", kind, "/", i))
						if want := fmt.Sprint("user ", i, "\n"); status != http.StatusOK || body != want {
							s.t.Errorf("%s: %d %q, want %q", kind, status, body, want)
							return
						}
					}
				})
			}
		}
		clients.Wait()
		if status, body := s.get("/redis/nobody"); status != http.StatusBadGateway || body != "redis: nil\n" {
			t.Errorf("%d %q", status, body)
		}
	})
}
