package main

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
)

// newEcho sends back what it receives, from a buffer for each connection.
func newEcho(o *options) (*program, error) {
	p := &program{conn: func(c net.Conn) { echo(c, o.size) }}
	if o.reads > 0 {
		p.beside = (&reads{path: o.file, second: o.reads}).begin
	}
	return p, nil
}

func echo(c net.Conn, size int) {
	defer c.Close()
	b := make([]byte, size)
	for {
		n, err := c.Read(b)
		if n > 0 {
			if _, err := c.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// newProxy connects each connection to another server, with two goroutines that copy.
func newProxy(o *options) (*program, error) {
	if o.on != onNet || o.to == "" {
		return nil, errors.New("-program proxy needs -to and -on net: Ringo's proxy is ringo proxy")
	}
	p := &program{conn: func(c net.Conn) { proxy(c.(*net.TCPConn), o.to) }}
	if !o.tls {
		return p, nil
	}
	cfg := secret()
	p.conn = func(c net.Conn) { proxy(tls.Server(c, cfg), o.to) }
	return p, nil
}

// halfConn is a connection whose write side can be closed.
type halfConn interface {
	net.Conn
	CloseWrite() error
}

func proxy(c halfConn, to string) {
	defer c.Close()
	up, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer up.Close()
	back := make(chan bool)
	go func() {
		forward(c, up)
		close(back)
	}()
	forward(up.(*net.TCPConn), c)
	<-back
}

// forward copies one direction to its end.
func forward(to halfConn, from net.Conn) {
	io.Copy(to, from)
	to.CloseWrite()
}
