package bench

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"

	"ringo"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// The request and the reply of HTTP. The reply is always the same but for the date, which is at dateAt.
var (
	httpRequest = []byte("GET /hello HTTP/1.1\r\nHost: bench\r\nUser-Agent: ringo-bench\r\nAccept: */*\r\n\r\n")
	httpReply   = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: " + http.TimeFormat +
		"\r\nContent-Length: 13\r\n\r\n" + helloBody)
	dateAt = bytes.Index(httpReply, []byte(http.TimeFormat))
)

const helloBody = "Hello, World!"

// hello is the handler of both HTTP servers.
func hello(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, helloBody)
}

const (
	anyPort     = "127.0.0.1:0"
	bufferBytes = 4096
	batchMax    = 32 // datagrams in one call
)

// serve is the child that is a server. It has a port for each kind of load, and runs until its stdin ends.
func (s *childConfig) serve(up *pipe) error {
	if s.On == rowNet {
		return serveNet(up)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	tcp, err := sock.Reserve("tcp", anyPort)
	if err != nil {
		return err
	}
	defer tcp.Close()
	web, err := sock.Reserve("tcp", anyPort)
	if err != nil {
		return err
	}
	defer web.Close()
	var here atomic.Int32
	said := childAddress{TCP: tcp.Addr().String(), HTTP: web.Addr().String()}
	return ringo.Run(ctx, s.config(), func(l *ringo.Loop) error {
		echoes, err := tcp.Listen(l)
		if err != nil {
			return err
		}
		pages, err := web.Listen(l)
		if err != nil {
			return err
		}
		g := ringo.NewGroup(l)
		if l.Index() == 0 {
			c, err := sock.ListenPacket(l, "udp", anyPort)
			if err != nil {
				return err
			}
			said.UDP, said.Driver = c.LocalAddr().String(), l.Info().Name
			defer context.AfterFunc(ctx, func() { c.Close() })()
			g.Go(func() error { return echoBatches(c) })
		}
		g.Go(func() error { return s.serveEcho(l, echoes) })
		g.Go(func() error { return s.serveHTTP(pages) })
		if here.Add(1) == int32(len(l.Loops())) {
			go func() { up.ready(said); up.untilEnd(); stop() }()
		}
		return g.Wait()
	})
}

func (s *childConfig) serveEcho(l *ringo.Loop, ln *sock.Listener) error {
	if s.Handler != "conn" {
		return sock.Serve(l, ln, &sock.Handler{Request: echoRequest})
	}
	for {
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		l.Go(func() { defer c.Close(); io.Copy(c, c) })
	}
}

// echoRequest writes what has arrived, straight from the receive buffers.
func echoRequest(c *sock.Conn) error {
	for c.Buffered() > 0 {
		b, err := c.Next()
		if err != nil {
			return err
		}
		_, err = c.Write(b.Bytes())
		b.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// serveHTTP serves HTTP by a handler of net/http: in a task or, with the handler conn, on a goroutine, as is usual.
func (s *childConfig) serveHTTP(ln *sock.Listener) error {
	var h http.Handler = http.HandlerFunc(hello)
	if s.Handler != "conn" {
		h = sockhttp.Task(h)
	}
	if err := (&sockhttp.Server{Handler: h}).Serve(ln); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// echoBatches echoes datagrams, as many per call as have arrived, up to batchMax.
func echoBatches(c *sock.PacketConn) error {
	messages := make([]sock.Message, batchMax)
	room := make([]byte, batchMax*bufferBytes)
	for {
		for i := range messages {
			messages[i].Buffers = append(messages[i].Buffers[:0], room[i*bufferBytes:][:bufferBytes])
		}
		n, err := c.ReadBatch(messages)
		if err != nil {
			return err
		}
		for i := range messages[:n] {
			messages[i].Buffers[0] = messages[i].Buffers[0][:messages[i].N]
		}
		for sent := 0; sent < n; {
			k, err := c.WriteBatch(messages[sent:n])
			if err != nil {
				return err
			}
			sent += k
		}
	}
}

// serveNet is the same server on package net, written as is usual there.
func serveNet(up *pipe) error {
	tcp, err := net.Listen("tcp", anyPort)
	if err != nil {
		return err
	}
	web, err := net.Listen("tcp", anyPort)
	if err != nil {
		return err
	}
	udp, err := net.ListenPacket("udp", anyPort)
	if err != nil {
		return err
	}
	failed := make(chan error, 3)
	go func() { failed <- acceptAll(tcp, echoConn) }()
	go func() { failed <- http.Serve(web, http.HandlerFunc(hello)) }()
	go func() { failed <- echoDatagrams(udp.(*net.UDPConn)) }()
	up.ready(childAddress{TCP: tcp.Addr().String(), HTTP: web.Addr().String(), UDP: udp.LocalAddr().String()})
	go func() { up.untilEnd(); failed <- nil }()
	return <-failed
}

func acceptAll(ln net.Listener, serve func(net.Conn)) error {
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() { defer c.Close(); serve(c) }()
	}
}

func echoConn(c net.Conn) {
	p := make([]byte, bufferBytes)
	for {
		n, err := c.Read(p)
		if n > 0 {
			if _, err := c.Write(p[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func echoDatagrams(c *net.UDPConn) error {
	p := make([]byte, bufferBytes)
	for {
		n, from, err := c.ReadFromUDPAddrPort(p)
		if err != nil {
			return err
		}
		if _, err := c.WriteToUDPAddrPort(p[:n], from); err != nil {
			return err
		}
	}
}
