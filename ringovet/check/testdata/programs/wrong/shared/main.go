// Buffers that tasks share, across calls that park.
package main

import (
	"context"
	"encoding/binary"
	"io"
	"log"
	"net/http"
	"strconv"

	"ringo"
	"ringo/file"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// store has a file that all connections append to.
type store struct {
	f    *file.File
	end  int64
	buf  []byte
	head [8]byte
}

func (s *store) handle(c *sock.Conn) {
	var line [64]byte
	for {
		n, err := c.Read(line[:])
		if err != nil {
			return
		}
		s.put(line[:n])
	}
}

func (s *store) put(p []byte) error {
	s.buf = append(s.buf[:0], p...)
	if _, err := s.f.WriteAt(s.buf, s.end); err != nil { // want `s\.buf, which tasks share.*ringo\.Mutex.*sock\.ListenAndServe`
		return err
	}
	s.end += int64(len(p))
	return s.mark()
}

func (s *store) mark() error {
	binary.LittleEndian.PutUint64(s.head[:], uint64(s.end))
	_, err := s.f.WriteAt(s.head[:], 0) // want `s\.head, which tasks share`
	return err
}

var scratch [4096]byte

func echo(c *sock.Conn) {
	for {
		n, err := c.Read(scratch[:]) // want `scratch, which tasks share`
		if err != nil {
			return
		}
		if _, err := c.Write(scratch[:n]); err != nil { // want `scratch, which tasks share`
			return
		}
	}
}

// counter answers from one buffer.
type counter struct {
	n    int
	f    *file.File
	text []byte
}

func (h *counter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	h.n++
	h.text = strconv.AppendInt(h.text[:0], int64(h.n), 10)
	h.f.Write(h.text) // want `h\.text, which tasks share.*sockhttp\.Task`
	w.Write(h.text)
}

type proxy struct{ buf []byte }

func (p *proxy) relay(c *sock.Conn) {
	n, _ := io.ReadFull(c, p.buf) // a call that it does not know to park
	c.Write(p.buf[:n])            // want `p\.buf, which tasks share`
}

func main() {
	ctx := context.Background()
	go sock.ListenAndServe(ctx, nil, "tcp", ":1", echo)
	go sockhttp.ListenAndServe(ctx, nil, ":2", sockhttp.Task(&counter{}))
	go ringo.Run(ctx, nil, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", ":3")
		if err != nil {
			return err
		}
		p := &proxy{buf: make([]byte, 1024)}
		for {
			c, err := ln.AcceptConn()
			if err != nil {
				return err
			}
			l.Go(func() { p.relay(c) })
		}
	})
	s := &store{}
	log.Print(sock.ListenAndServe(ctx, nil, "tcp", ":4", s.handle))
}
