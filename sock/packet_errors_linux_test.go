//go:build linux

package sock_test

import (
	"net"
	"testing"

	"ringo"
	"ringo/sock"
)

// An address of another type is what it is in package net.
func TestPacketWrongAddressAsNet(t *testing.T) {
	addrs := []net.Addr{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}, &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}, nil}
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	unixgram, err := net.ListenPacket("unixgram", abstractName())
	if err != nil {
		t.Fatal(err)
	}
	defer unixgram.Close()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			c := listenPacket(t, l, "udp", "127.0.0.1:0")
			defer c.Close()
			u, err := sock.ListenUnixgram(l, abstractName())
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			for _, addr := range addrs {
				_, want := udp.WriteTo([]byte("x"), addr)
				_, got := c.WriteTo([]byte("x"), addr)
				compare(t, "udp", got, want)
				_, want = unixgram.WriteTo([]byte("x"), addr)
				_, got = u.WriteTo([]byte("x"), addr)
				compare(t, "unixgram", got, want)
			}
		})
	})
}
