// A connection of package net is made elsewhere and given to a task.
package main

import (
	"context"
	"log"
	"net"

	"ringo"
)

func main() {
	addr, err := net.ResolveUDPAddr("udp", "127.0.0.1:8125")
	if err != nil {
		log.Fatal(err)
	}
	statsd, err := net.DialUDP("udp", nil, addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		l.AfterFunc(1, func() {
			statsd.Write([]byte("up:1|c")) // want `\(\*net.conn\).Write .*Loop\).AfterFunc`
		})
		return nil
	}))
}
