// HTTP3 runs a server of quic-go on a UDP socket of Ringo, and a client on another. Both stay on goroutines; the
// loop's task waits for them in Offload.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"ringo"
	"ringo/examples/programs/internal/selfsigned"
	"ringo/examples/programs/xnet"
	"ringo/sock"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run makes one request. Offload runs quic-go on goroutines, while the task parks.
func run(out io.Writer) error {
	certificate, pool, err := selfsigned.Certificate()
	if err != nil {
		return err
	}
	return ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		near, err := sock.ListenPacket(l, "udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer near.Close()
		far, err := sock.ListenPacket(l, "udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer far.Close()
		return l.Offload(func(context.Context) error {
			server := newServer(certificate)
			server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, "hello by ", r.Proto)
			})
			// xnet has batches; without them quic-go would read from the descriptor itself
			go server.Serve(xnet.PacketConn{PacketConn: near})
			defer server.Close()
			client, hangUp := newClient(xnet.PacketConn{PacketConn: far}, pool)
			defer hangUp()
			answer, err := client.Get("https://" + near.LocalAddr().String())
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			fmt.Fprintf(out, "%s, %s\n", answer.Status, body)
			return err
		})
	})
}

func newServer(certificate tls.Certificate) *http3.Server {
	return &http3.Server{TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{certificate}})}
}

// newClient returns a client whose connections share a socket, and a function that closes them.
func newClient(c net.PacketConn, pool *x509.CertPool) (client *http.Client, hangUp func()) {
	socket := &quic.Transport{Conn: c}
	h := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool},
		Dial: func(ctx context.Context, address string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
			to, err := net.ResolveUDPAddr("udp", address)
			if err != nil {
				return nil, err
			}
			return socket.DialEarly(ctx, to, t, q)
		},
	}
	return &http.Client{Transport: h}, func() { h.Close(); socket.Close() }
}
