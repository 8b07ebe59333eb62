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

// connect gives a client whose connections belong to the loop.
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

// listener gives lean connections.
type listener struct{ *sock.Listener }

func (ln listener) Accept() (net.Conn, error) {
	c, err := ln.AcceptConn()
	if err != nil {
		return nil, err
	}
	return lean{c}, nil
}

// lean is a connection that gRPC reads, from v1.81 on, without a buffer that waits with it: of package net's types
// alone it finds out by itself that it may.
type lean struct{ *sock.Conn }

// ReadOnReady waits until there is something to read, and takes a buffer then.
func (c lean) ReadOnReady(size int, pool mem.BufferPool) (*[]byte, int, error) {
	c.Peek(1) // of its error Read tells
	b := pool.Get(size)
	n, err := c.Read(*b)
	if n == 0 {
		pool.Put(b)
		b = nil
	}
	return b, n, err
}
