package socktls_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/selfsigned"
	"ringo/internal/test/socktest"
	"ringo/sock"
	"ringo/sock/socktls"
)

// peersEnv says whose peers this binary is in place of the tests: those of BenchmarkAttack.
const peersEnv = "RINGO_SOCKTLS_PEERS"

// bePeers is that process, which gives the exit status.
var bePeers func(what string) int

// certified is a certificate for 127.0.0.1, for servers and for clients, and the pool of who trusts it.
var certified = sync.OnceValues(func() (tls.Certificate, *x509.CertPool) {
	return selfsigned.Must(selfsigned.Loopback())
})

func serverConfig() *tls.Config {
	certificate, _ := certified()
	return &tls.Config{Certificates: []tls.Certificate{certificate}}
}

func clientConfig() *tls.Config {
	if os.Getenv(peersEnv) != "" {
		return &tls.Config{InsecureSkipVerify: true} // of another process's server
	}
	_, pool := certified()
	return &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
}

// only makes a configuration speak one version.
func only(version uint16, config *tls.Config) *tls.Config {
	config.MinVersion, config.MaxVersion = version, version
	return config
}

var versions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// eachVersion runs f for each version of TLS whose records differ.
func eachVersion(t *testing.T, f func(t *testing.T, version uint16)) {
	for _, version := range versions {
		t.Run(tls.VersionName(version), func(t *testing.T) { f(t, version) })
	}
}

// connect makes a connection to this loop, and its peer, of package net.
func connect(t testing.TB, l *ringo.Loop) (*sock.Conn, *net.TCPConn) {
	t.Helper()
	ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	peer, err := net.DialTimeout("tcp", ln.Addr().String(), patience.Max)
	if err != nil {
		t.Fatal(err)
	}
	peer.SetDeadline(patience.Deadline())
	c, err := ln.AcceptConn()
	if err != nil {
		t.Fatal(err)
	}
	c.SetWriteBuffer(1 << 14) // soon full
	return c, peer.(*net.TCPConn)
}

// A starter has somebody run a function, and gives a wait for its end, for the test's task.
type starter func(fn func()) (wait func())

// callers are kinds of those who call: the first for what is read, the second for what is written.
type callers struct {
	name    string
	in, out func(l *ringo.Loop) starter
}

func asTask(l *ringo.Loop) starter {
	return func(fn func()) func() {
		task := l.Go(fn)
		return func() { task.Wait() }
	}
}

func asGoroutine(l *ringo.Loop) starter {
	return func(fn func()) func() {
		done := make(chan struct{})
		go func() { defer close(done); fn() }()
		return func() { l.Offload(func(context.Context) error { <-done; return nil }) }
	}
}

// elsewhere is a task of another loop, of another Run.
func elsewhere(l *ringo.Loop) starter {
	return func(fn func()) func() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(*ringo.Loop) error { fn(); return nil })
		}()
		return func() { l.Offload(func(context.Context) error { <-done; return nil }) }
	}
}

var allCallers = []callers{
	{name: "tasks", in: asTask, out: asTask},
	{name: "goroutines", in: asGoroutine, out: asGoroutine},
	{name: "task reads and goroutine writes", in: asTask, out: asGoroutine},
	{name: "goroutine reads and task writes", in: asGoroutine, out: asTask},
	{name: "another loop reads", in: elsewhere, out: asTask},
}

// eachCallers runs f as a task, for each driver and kind of callers.
func eachCallers(t *testing.T, f func(t *testing.T, l *ringo.Loop, read, write starter)) {
	t.Helper()
	eachCallersFor(t, patience.Max, f)
}

// eachCallersFor is eachCallers for what may take longer.
func eachCallersFor(t *testing.T, limit time.Duration, f func(t *testing.T, l *ringo.Loop, read, write starter)) {
	t.Helper()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, who := range allCallers {
			t.Run(who.name, func(t *testing.T) {
				patience.Within(t.Name(), func() {
					err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
						f(t, l, who.in(l), who.out(l))
						socktest.Settle(t, l)
						return nil
					})
					if err != nil && !t.Failed() {
						t.Errorf("Run: %v", err)
					}
				})
			})
		}
	})
}

// pair makes a secured connection to this loop, before its handshake, and its peer.
func pair(t testing.TB, l *ringo.Loop, config *tls.Config) (*socktls.Conn, *net.TCPConn) {
	t.Helper()
	raw, peer := connect(t, l)
	return socktls.Server(raw, config), peer
}
