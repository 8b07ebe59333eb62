package main

import "net/netip"

const (
	datagramMax = 2048    // more than any datagram of the comparison
	udpBuffer   = 1 << 20 // must hold all that the load has in flight, so that nothing is lost
)

// udpConn has the methods that are used of UDP sockets of package net and of Ringo.
type udpConn interface {
	SetReadBuffer(bytes int) error
	ReadFromUDPAddrPort(b []byte) (n int, addr netip.AddrPort, err error)
	WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
}

func newUDP(*options) (*program, error) { return &program{datagrams: echoDatagrams}, nil }

// echoDatagrams receives one datagram and sends it back.
func echoDatagrams(c udpConn) error {
	if err := c.SetReadBuffer(udpBuffer); err != nil {
		return err
	}
	b := make([]byte, datagramMax)
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			return err
		}
		if _, err := c.WriteToUDPAddrPort(b[:n], from); err != nil {
			return err
		}
	}
}
