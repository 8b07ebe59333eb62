package sockhttp_test

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sock/sockhttp"
)

// lines are those of a log.
type lines chan string

func (c lines) Write(p []byte) (int, error) {
	c <- string(p)
	return len(p), nil
}

// A callback that panics ends its connection, with a line in the log, and no other.
func TestPanicsOfCallbacks(t *testing.T) {
	config, trusts := certified(t)
	for name, set := range map[string]func(s *sockhttp.Server, faulty func()){
		"GetCertificate": func(s *sockhttp.Server, faulty func()) {
			own := config.Certificates[0]
			s.TLSConfig.Certificates = nil
			s.TLSConfig.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				faulty()
				return &own, nil
			}
		},
		"VerifyConnection": func(s *sockhttp.Server, faulty func()) {
			s.TLSConfig.VerifyConnection = func(tls.ConnectionState) error { faulty(); return nil }
		},
		"ConnState": func(s *sockhttp.Server, faulty func()) {
			s.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateActive {
					faulty()
				}
			}
		},
		"ConnState at rest": func(s *sockhttp.Server, faulty func()) {
			s.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateIdle {
					faulty()
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			socktestEach(t, func(t *testing.T, cfg ringo.Config) {
				for _, way := range append([]string{"tls"}, ways...) {
					if way == "tls" || strings.HasPrefix(name, "ConnState") {
						t.Run(way, func(t *testing.T) { panicsOnce(t, cfg, way, config.Clone(), trusts, set) })
					}
				}
			})
		})
	}
}

// panicsOnce asks a server, one of whose callbacks panics at its first call, until it answers.
func panicsOnce(t *testing.T, cfg ringo.Config, way string, config *tls.Config, trusts *http.Client,
	set func(s *sockhttp.Server, faulty func())) {
	var calls atomic.Int32
	said := make(lines, 10)
	s := &sockhttp.Server{TLSConfig: config, ErrorLog: slog.New(slog.NewTextHandler(said, nil))}
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") })
	if s.Handler = h; way == "task" {
		s.Handler = sockhttp.Task(h)
	}
	set(s, func() {
		if calls.Add(1) == 1 {
			panic(errors.New("a callback's"))
		}
	})
	addr := serve(t, cfg, way, s)
	client, scheme := &http.Client{Transport: new(http.Transport)}, "http://"
	if way == "tls" {
		client, scheme = trusts, "https://"
	}
	defer client.CloseIdleConnections()
	if answer, err := client.Get(scheme + addr); err == nil { // behind it the connection was to rest
		answer.Body.Close()
	}
	client.CloseIdleConnections()
	answer, err := client.Get(scheme + addr)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if b, err := io.ReadAll(answer.Body); err != nil || string(b) != "here" {
		t.Errorf("%q, %v", b, err)
	}
	line := patience.Recv(t, "a line in the log", said)
	if !strings.Contains(line, "panic serving 127.0.0.1:") || !strings.Contains(line, "a callback's") {
		t.Errorf("the log: %s", line)
	}
}
