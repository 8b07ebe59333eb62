package main

import (
	"errors"
	"io"
	"net"
)

// newEcho answers what comes with the same, from a buffer for each connection.
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

// newProxy joins each connection with one to another server, by two goroutines that copy.
func newProxy(o *options) (*program, error) {
	if o.on != onNet || o.to == "" {
		return nil, errors.New("-program proxy needs -to and -on net: Ringo's proxy is ringo proxy")
	}
	return &program{conn: func(c net.Conn) { proxy(c, o.to) }}, nil
}

func proxy(c net.Conn, to string) {
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
	forward(up, c)
	<-back
}

// forward copies one direction to its end.
func forward(to, from net.Conn) {
	io.Copy(to, from)
	to.(*net.TCPConn).CloseWrite()
}
