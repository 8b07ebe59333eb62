package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"ringo/examples/programs/internal/rig"
	"ringo/examples/programs/xnet"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// What main does.
func TestRun(t *testing.T) { rig.Prints(t, run, "200 OK, hello by HTTP/3.0\n") }

var drivers = []string{"uring", "epoll"}

// A site is a server on the first of two loops, and what clients of the second need.
type site struct {
	t    *testing.T
	rig  *rig.Rig
	wrap func(*sock.PacketConn) net.PacketConn
	url  string
	new  func() *http.Client
}

// ways are how quic-go reads from a socket: by the batches of the adapter, or from the descriptor that SyscallConn
// gives.
var ways = []struct {
	name string
	wrap func(c *sock.PacketConn) net.PacketConn
}{
	{"batches", func(c *sock.PacketConn) net.PacketConn { return xnet.PacketConn{PacketConn: c} }},
	{"descriptor", func(c *sock.PacketConn) net.PacketConn { return c }},
}

// each runs f on the drivers, in both ways.
func each(t *testing.T, f func(t *testing.T, open func(h http.HandlerFunc) *site)) {
	rig.EachDriver(t, drivers, func(t *testing.T, driver string) {
		for _, way := range ways {
			t.Run(way.name, func(t *testing.T) {
				f(t, func(h http.HandlerFunc) *site { return open(t, driver, way.wrap, h) })
			})
		}
	})
}

func open(t *testing.T, driver string, wrap func(*sock.PacketConn) net.PacketConn, h http.HandlerFunc) *site {
	t.Helper()
	s := &site{t: t, rig: rig.Loops(t, driver, 2), wrap: wrap}
	certificate, pool := rig.Certificate(t)
	near := s.socket(0)
	server := newServer(certificate)
	server.Handler = h
	served := make(chan error, 1)
	go func() { served <- server.Serve(near) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-served; err != http.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
	})
	s.url = "https://" + near.LocalAddr().String()
	s.new = func() *http.Client {
		client, hangUp := newClient(s.socket(1), pool)
		t.Cleanup(hangUp)
		client.Timeout = rig.Patience
		return client
	}
	return s
}

// socket makes one of a loop, which is closed with the test.
func (s *site) socket(loop int) net.PacketConn {
	s.t.Helper()
	c, err := sock.ListenPacket(s.rig.Loops[loop], "udp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return s.wrap(c)
}

// Several clients, each with requests at once on one connection, get what is their own.
func TestClients(t *testing.T) {
	each(t, func(t *testing.T, open func(http.HandlerFunc) *site) {
		s := open(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })
		var all sync.WaitGroup
		for i := range 4 {
			client := s.new()
			for j := range 8 {
				all.Go(func() {
					for k := range 10 {
						path := fmt.Sprintf("/%d/%d/%d", i, j, k)
						answer, err := client.Get(s.url + path)
						if err != nil {
							t.Error(err)
							return
						}
						p, err := io.ReadAll(answer.Body)
						answer.Body.Close()
						if string(p) != path || err != nil || answer.ProtoMajor != 3 {
							t.Errorf("asked for %s, got %q by %s, %v", path, p, answer.Proto, err)
						}
					}
				})
			}
		}
		rig.Within(t, all.Wait)
	})
}

// Large bodies go both ways, at once.
func TestBodies(t *testing.T) {
	each(t, func(t *testing.T, open func(http.HandlerFunc) *site) {
		s := open(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
		const size = 4 << 20
		sent, got := sha256.New(), sha256.New()
		source := io.LimitReader(rand.NewChaCha8([32]byte{1}), size)
		answer, err := s.new().Post(s.url, "application/octet-stream", io.TeeReader(source, sent))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		n, err := io.Copy(got, answer.Body)
		if n != size || err != nil || !bytes.Equal(got.Sum(nil), sent.Sum(nil)) {
			t.Errorf("%d of %d bytes came back, %v; or others than were sent", n, size, err)
		}
	})
}

// A client that gives up is heard of, and its connection goes on with other requests.
func TestGiveUp(t *testing.T) {
	each(t, func(t *testing.T, open func(http.HandlerFunc) *site) {
		told := make(chan bool, 1)
		s := open(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "begun")
			w.(http.Flusher).Flush()
			if strings.HasPrefix(r.URL.Path, "/long") {
				<-r.Context().Done()
				told <- true
			}
		})
		client := s.new()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		request, _ := http.NewRequestWithContext(ctx, "GET", s.url+"/long", nil)
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		io.ReadFull(answer.Body, make([]byte, 5))
		cancel()
		rig.Within(t, func() { <-told })
		again, err := client.Get(s.url)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Body.Close()
		if p, err := io.ReadAll(again.Body); string(p) != "begun" || err != nil {
			t.Errorf("after that: %q, %v", p, err)
		}
	})
}
