// One task alone uses a tls.Conn, or several one of socktls.
package main

import (
	"context"
	"crypto/tls"
	"log"

	"ringo"
	"ringo/sock"
	"ringo/sock/socktls"
)

func main() {
	cfg := &tls.Config{}
	if err := sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		t := tls.Server(c, cfg)
		defer t.Close()
		c.Loop().AfterFunc(1, func() { t.Close() })
		t.Read(make([]byte, 10))
		t.Write([]byte("hello"))
	}); err != nil {
		log.Fatal(err)
	}
	log.Fatal(socktls.ListenAndServe(context.Background(), &ringo.Config{}, "tcp", ":7001", cfg, func(c *socktls.Conn) {
		ringo.NewChan[int](1).Send(1)
		go c.Read(make([]byte, 10))
		c.Write([]byte("x"))
	}))
}
