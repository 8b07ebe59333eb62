// TLS echoes lines by crypto/tls in tasks, one for each connection. That is safe because only one task uses each
// tls.Conn: nothing in it waits but the connection beneath, and that parks the task. A second task on the same
// connection could block in a mutex of crypto/tls, and with it the loop; package ringo/sock/socktls is for that. A peer
// that stalls in the handshake is cut off.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"ringo"
	"ringo/examples/programs/internal/selfsigned"
	"ringo/logs"
	"ringo/sock"
)

// patience is how long a handshake may take.
var patience = 10 * time.Second

func main() {
	if err := run(logs.NewWriter(os.Stdout, nil)); err != nil {
		log.Fatal(err)
	}
}

// run serves on a loop, and talks to itself twice: from a task and from a goroutine.
func run(out io.Writer) error {
	certificate, pool, err := selfsigned.Certificate()
	if err != nil {
		return err
	}
	return ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		server := &tls.Config{Certificates: []tls.Certificate{certificate}}
		l.Go(func() { accept(ln, func(c *sock.Conn) { echo(c, server) }) })
		defer ln.Close()
		client := func() error { return talk(l, ln.Addr().String(), pool, out) }
		if err := client(); err != nil { // in this task
			return err
		}
		return l.Offload(func(context.Context) error { return client() }) // on a goroutine
	})
}

// accept serves each connection in a task, until the listener is closed.
func accept(ln *sock.Listener, serve func(c *sock.Conn)) error {
	for {
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		c.Loop().Go(func() {
			defer c.Close()
			serve(c)
		})
	}
}

// echo is the server's side. It runs in the connection's task.
func echo(c *sock.Conn, config *tls.Config) error {
	secured := tls.Server(c, config)
	c.SetDeadline(time.Now().Add(patience))
	if err := secured.Handshake(); err != nil {
		return err
	}
	c.SetDeadline(time.Time{})
	if _, err := io.Copy(secured, secured); err != nil {
		return err
	}
	return secured.Close() // sends close_notify, so that the peer knows that nothing was cut off
}

// talk is the client's side. It sends a line and prints what comes back. A task and a goroutine call it alike.
func talk(l *ringo.Loop, address string, pool *x509.CertPool, out io.Writer) error {
	c, err := sock.Dial(l, "tcp", address)
	if err != nil {
		return err
	}
	secured := tls.Client(c, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})
	defer secured.Close()
	if _, err := io.WriteString(secured, "hello\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(secured).ReadString('\n')
	fmt.Fprintf(out, "%s: %s", tls.VersionName(secured.ConnectionState().Version), line)
	return err
}
