package main

import (
	"crypto/tls"
	"net"

	"ringo/bench/internal/selfsigned"
)

// tlsBuffer is the most that a record holds.
const tlsBuffer = 16 << 10

// newTLS is an echo server behind TLS.
func newTLS(*options) (*program, error) {
	cfg, err := secret()
	return &program{conn: func(c net.Conn) { echo(tls.Server(c, cfg), tlsBuffer) }}, err
}

// secret is TLS 1.3, without tickets, so that each handshake is a whole one.
func secret() (*tls.Config, error) {
	cert, err := selfsigned.Certificate()
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13,
		SessionTicketsDisabled: true}, err
}
