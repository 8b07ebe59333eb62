package socktls_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"time"

	"ringo"
	"ringo/sock"
	"ringo/sock/socktls"
)

// selfMade makes a certificate for 127.0.0.1 and signs it itself, and what a client needs to trust it. A program has
// one by tls.LoadX509KeyPair, and its clients trust the system's roots.
func selfMade() (server, client *tls.Config) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	signed, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		log.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(signed)
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	server = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{signed}, PrivateKey: key}}}
	return server, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
}

// A connection of which one task reads and another writes.
func Example() {
	serverConfig, clientConfig := selfMade()
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := socktls.Listen(l, "tcp", "127.0.0.1:0", serverConfig)
		if err != nil {
			return err
		}
		l.Go(func() {
			defer ln.Close()
			if c, err := ln.AcceptConn(); err == nil {
				defer c.Close()
				io.Copy(c, c)
			}
		})
		c, err := socktls.Dial(l, "tcp", ln.Addr().String(), clientConfig)
		if err != nil {
			return err
		}
		defer c.Close()
		l.Go(func() {
			io.WriteString(c, "hello")
			c.CloseWrite()
		})
		p, err := io.ReadAll(c)
		fmt.Printf("%s\n", p)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: hello
}

// A server on all loops, each connection a task. Its client is one of crypto/tls, on a goroutine.
func ExampleServeSets() {
	serverConfig, clientConfig := selfMade()
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background()) // signal.NotifyContext in a program
	go func() {
		defer stop()
		c, err := tls.Dial("tcp", set.Addr().String(), clientConfig)
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close()
		greeting, err := io.ReadAll(c)
		fmt.Printf("%s, %v\n", greeting, err)
	}()
	greet := func(c *socktls.Conn) {
		if _, err := io.WriteString(c, "hello"); err != nil {
			log.Print(err)
		}
	}
	if err := socktls.ServeSets(ctx, nil, []*sock.ListenerSet{set}, serverConfig, greet); err != nil {
		log.Fatal(err)
	}
	<-ctx.Done() // the client has printed
	// Output: hello, <nil>
}

// Both ends begin in the clear and go on with TLS, as after a STARTTLS.
func ExampleClient() {
	serverConfig, clientConfig := selfMade()
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		client, server, err := sock.Pipe(l)
		if err != nil {
			return err
		}
		l.Go(func() {
			fmt.Fprintln(server, "go ahead")
			c := socktls.Server(server, serverConfig)
			defer c.Close()
			fmt.Fprintln(c, "hello")
		})
		line := make([]byte, len("go ahead\n")) // and nothing beyond it, which is TLS
		if _, err := io.ReadFull(client, line); err != nil {
			return err
		}
		c := socktls.Client(client, clientConfig)
		defer c.Close()
		greeting, err := bufio.NewReader(c).ReadString('\n')
		fmt.Print(greeting)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: hello
}
