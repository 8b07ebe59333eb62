package main

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"

	"ringo"
	"ringo/sock"
)

// connect returns a client whose connections belong to the loop.
func connect(l *ringo.Loop, address string) (*grpc.ClientConn, error) {
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		c, err := new(sock.Dialer).DialContext(ctx, l, "tcp", address)
		if err != nil {
			return nil, err
		}
		return lean{c}, nil
	}
	return grpc.NewClient("passthrough:///"+address, grpc.WithContextDialer(dial),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// listener accepts lean connections.
type listener struct{ *sock.Listener }

func (ln listener) Accept() (net.Conn, error) {
	c, err := ln.AcceptConn()
	if err != nil {
		return nil, err
	}
	return lean{c}, nil
}

// lean is a connection from which gRPC, since v1.81, reads without holding a buffer while it waits. gRPC does so by
// itself only for package net's own types; for others it looks for ReadOnReady.
type lean struct{ *sock.Conn }

// ReadOnReady waits until there is something to read, and only then takes a buffer from the pool.
func (c lean) ReadOnReady(size int, pool mem.BufferPool) (*[]byte, int, error) {
	c.Peek(1) // Read returns its error again
	b := pool.Get(size)
	n, err := c.Read(*b)
	if n == 0 {
		pool.Put(b)
		b = nil
	}
	return b, n, err
}
