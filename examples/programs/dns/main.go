// Dns answers for the names of a zone, by UDP and TCP, on all loops. Try it: dig @127.0.0.1 -p 5300 www.example.org
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/miekg/dns"

	"ringo"
	"ringo/codec"
	"ringo/sock"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:5300", "the address to listen on")
	file := flag.String("zone", "", "the zone's file; without it an example is served")
	flag.Parse()
	text, err := []byte(example), error(nil)
	if *file != "" {
		text, err = os.ReadFile(*file)
	}
	if err == nil {
		err = run(context.Background(), *listen, string(text), os.Stdout)
	}
	log.Fatal(err)
}

func run(ctx context.Context, address, text string, out io.Writer) error {
	z, err := parse(text)
	if err != nil {
		return err
	}
	udp, err := sock.ReservePackets("udp", address)
	if err != nil {
		return err
	}
	defer udp.Close()
	tcp, err := sock.Reserve("tcp", udp.Addr().String()) // the same port
	if err != nil {
		return err
	}
	defer tcp.Close()
	fmt.Fprintln(out, "ready on", udp.Addr())
	return ringo.Run(ctx, nil, func(l *ringo.Loop) error {
		ln, err := tcp.Listen(l)
		if err != nil {
			return err
		}
		c, err := udp.Listen(l)
		if err != nil {
			return err
		}
		l.Go(func() { sock.Serve(l, ln, &sock.Handler{Request: z.stream}) })
		return sock.ServePackets(l, c, &sock.PacketHandler{Packet: z.datagram})
	})
}

func (z zone) datagram(p *sock.Packet) { // in a task; one system call sends all answers of a turn
	m, size := z.answer(p.Bytes)
	if m != nil { // nil: it is not a question
		m.Truncate(size) // the client asks again by TCP for the rest
		if b, err := m.Pack(); err == nil {
			p.Reply(b)
		}
	}
}

var framed = &codec.Prefixed{Size: 2} // messages over TCP have a length before them

func (z zone) stream(c *sock.Conn) error { // called again when more has arrived, or a minute is over
	s := codec.Scanner{Codec: framed}
	for q, err := range s.Buffered(c) {
		if m, _ := z.answer(q); err == nil && m != nil {
			err = send(c, m)
		}
		if err != nil {
			return err
		}
	}
	c.SetReadDeadline(c.Loop().Now().Add(time.Minute))
	return nil
}

func send(c *sock.Conn, m *dns.Msg) error {
	b, err := m.Pack()
	if err != nil {
		return err
	}
	frame, err := framed.AppendLength(nil, len(b))
	if err == nil {
		_, err = c.Write(append(frame, b...))
	}
	return err
}
