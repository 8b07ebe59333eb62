// Gonet-echo is a TCP echo server as the net package suggests it: a goroutine per connection that reads into a buffer
// of its own and writes it back. It is the yardstick for what a Go program gets without doing anything special.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:7000", "`address` to serve on")
	size := flag.Int("buf", 4096, "`bytes` of buffer per connection")
	flag.Parse()
	if flag.NArg() > 0 || *size < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ln, err := net.Listen("tcp", *listen)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gonet-echo:", err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "listening tcp://%v driver=gonet buf=%d\n", ln.Addr(), *size)
	for {
		c, err := ln.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "gonet-echo:", err)
			os.Exit(1)
		}
		go serve(c, *size)
	}
}

// serve echoes until the peer ends its side. TCP_NODELAY is on, as always in package net.
func serve(c net.Conn, size int) {
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
