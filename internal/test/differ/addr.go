package differ

import (
	"net"
	"sync"
)

// Reserve opens what the process keeps until its end, so that checks for leaks count it from the start.
func Reserve() { nobodyListens() }

// nobodyListens returns a TCP address that is in use, but not by a listener: it is a connection's own end.
var nobodyListens = sync.OnceValue(func() string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		panic(err)
	}
	peer, err := ln.Accept()
	if err != nil {
		panic(err)
	}
	taken = append(taken, c, peer)
	return c.LocalAddr().String()
})

// taken stays open until the process ends.
var taken []net.Conn
