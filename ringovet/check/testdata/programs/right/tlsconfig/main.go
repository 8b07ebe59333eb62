// A server of net/http does its handshakes on goroutines, and what tasks call of a tls.Config need not wait.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"net/http"
	"os"

	"ringo"
	"ringo/sock"
)

func main() {
	cfg := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		_, err := os.Stat("revoked")
		return nil, err
	}}
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", ":7000")
		if err != nil {
			return err
		}
		return l.Offload(func(context.Context) error {
			server := &http.Server{TLSConfig: cfg}
			return errors.Join(server.ServeTLS(ln, "", ""), server.Close())
		})
	}))
}
