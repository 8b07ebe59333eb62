package main

import (
	"crypto/tls"
	"net"

	"ringo/internal/test/selfsigned"
)

// tlsBuffer is the most bytes that a TLS record holds.
const tlsBuffer = 16 << 10

// newTLS is an echo server over TLS.
func newTLS(*options) (*program, error) {
	cfg := secret()
	return &program{conn: func(c net.Conn) { echo(tls.Server(c, cfg), tlsBuffer) }}, nil
}

// secret returns a configuration for TLS 1.3, without tickets, so that each handshake is a full one.
func secret() *tls.Config {
	cert, _ := selfsigned.Must(selfsigned.Loopback())
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13,
		SessionTicketsDisabled: true}
}
