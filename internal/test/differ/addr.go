package differ

import (
	"net"
	"sync"
)

// Reserve takes what the process keeps for good, for those who look for leaks.
func Reserve() { nobodyListens() }

// nobodyListens is an address of TCP that is taken, and where nobody listens: a connection's own end.
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

// taken is what stays open for as long as the process lives.
var taken []net.Conn
