// The functions of a tls.Config run in the tasks that do the handshakes.
package main

import (
	"context"
	"crypto/tls"
	"log"
	"os"

	"ringo/sock/socktls"
)

func main() {
	cfg := &tls.Config{GetCertificate: certificate}
	cfg.VerifyConnection = func(tls.ConnectionState) error {
		_, err := os.Stat("revoked") // want `os.Stat waits for the disk; use package file`
		return err
	}
	log.Fatal(socktls.ListenAndServe(context.Background(), nil, "tcp", ":7000", cfg, func(c *socktls.Conn) {
		c.Write([]byte("x"))
	}))
}

func certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair("cert.pem", "key.pem") // want `tls.LoadX509KeyPair reads files`
	return &c, err
}
