package main

import (
	"fmt"
	"slices"
	"testing"
)

func TestScan(t *testing.T) {
	const src = `package p

import (
	"net"
	files "os"
	other "example.com/net"
)

var global = any(nil).(*net.UDPConn)

func asks(c net.Conn) {
	if _, ok := c.(*net.TCPConn); ok {
	}
	switch c.(type) {
	case *net.UnixConn, *net.IPConn:
	case interface{ File() }:
	}
	_ = c.(*other.TCPConn)
	_, _ = any(c).(*files.File)
	_ = c.(net.Conn)
	switch _ = c; {
	}
}

func makes() *net.TCPConn { return new(net.TCPConn) }
`
	found, err := scan("dir/p.go", src)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, at := range found {
		got = append(got, fmt.Sprint(at.file, ":", at.line, " ", at.in, " ", at.typ))
	}
	want := []string{"p.go:9  *net.UDPConn", "p.go:12 asks *net.TCPConn", "p.go:15 asks *net.UnixConn",
		"p.go:15 asks *net.IPConn", "p.go:19 asks *os.File"}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}
