//go:build linux

package sock_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"ringo"
	"ringo/sock"
)

// A UDP server in the words of package net: a task that reads and answers.
func ExampleListenPacket() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		c, err := sock.ListenPacket(l, "udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer c.Close()
		l.Go(func() {
			p := make([]byte, 1500)
			for {
				n, from, err := c.ReadFromUDPAddrPort(p)
				if err != nil {
					return // net.ErrClosed
				}
				c.WriteToUDPAddrPort(p[:n], from)
			}
		})
		peer, err := sock.DialPacket(l, "udp", c.LocalAddr().String())
		if err != nil {
			return err
		}
		defer peer.Close()
		fmt.Fprint(peer, "hello")
		p := make([]byte, 1500)
		n, err := peer.Read(p)
		fmt.Printf("%q\n", p[:n])
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: "hello"
}

// Many datagrams by one call of the kernel each way.
func ExamplePacketConn_ReadBatch() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		c, err := sock.ListenPacket(l, "udp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer c.Close()
		to := c.LocalAddr().(*net.UDPAddr).AddrPort()
		if _, err := c.WriteBatch([]sock.Message{
			{Buffers: [][]byte{[]byte("in "), []byte("pieces")}, Addr: to},
			{Buffers: [][]byte{[]byte("whole")}, Addr: to},
		}); err != nil {
			return err
		}
		ms := make([]sock.Message, 8)
		for i := range ms {
			ms[i].Buffers = [][]byte{make([]byte, 1500)}
		}
		n, err := c.ReadBatch(ms)
		for _, m := range ms[:n] {
			fmt.Printf("%q\n", m.Buffers[0][:m.N])
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// "in pieces"
	// "whole"
}

// Control messages say what came beside the bytes, and what goes beside them.
func ExampleControl() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		c, err := sock.ListenPacket(l, "udp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.SetControl(sock.ControlTOS|sock.ControlLocal, true); err != nil {
			return err
		}
		to := c.LocalAddr().(*net.UDPAddr).AddrPort()
		ect := sock.Control{TOS: 2, HasTOS: true}
		if _, _, err := c.WriteMsgUDPAddrPort([]byte("x"), ect.Append(nil, to.Addr()), to); err != nil {
			return err
		}
		p, oob := make([]byte, 1500), make([]byte, sock.ControlMax)
		_, oobn, _, _, err := c.ReadMsgUDPAddrPort(p, oob)
		came := sock.ParseControl(oob[:oobn])
		fmt.Println("to", came.Local, "ECN", came.TOS&3)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: to 127.0.0.1 ECN 2
}
