// HTTP runs net/http's server on a listener of Ringo, and its client with connections that Ringo dials: HTTP/1.1 and
// HTTP/2, with and without TLS. Both are unchanged and stay on goroutines, for which the loop's task waits in Offload.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"ringo"
	"ringo/examples/programs/internal/selfsigned"
	"ringo/sock"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// protocols are the protocols to try, with the URL's scheme.
var protocols = []protocol{
	{"HTTP/1.1", "http", (*http.Protocols).SetHTTP1},
	{"HTTP/1.1 with TLS", "https", (*http.Protocols).SetHTTP1},
	{"HTTP/2 with TLS", "https", (*http.Protocols).SetHTTP2},
	{"h2c", "http", (*http.Protocols).SetUnencryptedHTTP2},
}

// run makes a request by each protocol. Offload runs net/http on a goroutine, while the task parks.
func run(out io.Writer) error {
	certificate, pool, err := selfsigned.Certificate()
	if err != nil {
		return err
	}
	return ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		for _, p := range protocols {
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			server, client := p.server(certificate), p.client(l, pool)
			server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, "hello by ", r.Proto)
			})
			err = l.Offload(func(context.Context) error {
				go p.serve(server, ln)
				defer server.Close()
				answer, err := client.Get(p.scheme + "://" + ln.Addr().String())
				if err != nil {
					return err
				}
				defer client.CloseIdleConnections()
				defer answer.Body.Close()
				body, err := io.ReadAll(answer.Body)
				fmt.Fprintf(out, "%s: %s, %s\n", p.name, answer.Status, body)
				return err
			})
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
		return nil
	})
}

type protocol struct {
	name, scheme string
	set          func(p *http.Protocols, on bool)
}

func (p *protocol) server(certificate tls.Certificate) *http.Server {
	identity := &tls.Config{Certificates: []tls.Certificate{certificate}}
	return &http.Server{Protocols: p.protocols(), TLSConfig: identity, ReadHeaderTimeout: 10 * time.Second}
}

// serve is all that a server needs: a *sock.Listener is a net.Listener.
func (p *protocol) serve(server *http.Server, ln *sock.Listener) error {
	if p.scheme == "https" {
		return server.ServeTLS(ln, "", "")
	}
	return server.Serve(ln)
}

// client returns a client whose connections belong to the loop.
func (p *protocol) client(l *ringo.Loop, pool *x509.CertPool) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: new(sock.Dialer).Func(l), Protocols: p.protocols(),
		TLSClientConfig: &tls.Config{RootCAs: pool}}}
}

func (p *protocol) protocols() *http.Protocols {
	all := new(http.Protocols)
	p.set(all, true)
	return all
}
