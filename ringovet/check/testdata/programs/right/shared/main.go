// Buffers that one task has, or that nobody writes to meanwhile.
package main

import (
	"context"
	"log"

	"ringo"
	"ringo/file"
	"ringo/sock"
)

var greeting = []byte("hello\n")

// session is a connection's own.
type session struct {
	c   *sock.Conn
	in  [512]byte
	out []byte
}

func (s *session) run() {
	for {
		n, err := s.c.Read(s.in[:])
		if err != nil {
			return
		}
		s.out = append(s.out[:0], s.in[:n]...)
		s.c.Write(s.out)
	}
}

type server struct {
	f     *file.File
	mu    ringo.Mutex
	buf   []byte
	made  []byte
	reply []byte
	all   map[int]*session
}

func (s *server) handle(c *sock.Conn) {
	c.Write(greeting)
	c.Write(s.reply)
	s.locked([]byte("x"))
	s.fresh(12)
	one := &session{c: c}
	s.all[len(s.all)] = one
	one.run()
}

func (s *server) locked(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = append(s.buf[:0], p...)
	s.f.Write(s.buf)
}

// fresh has memory of its own each time.
func (s *server) fresh(n int) {
	s.made = make([]byte, n)
	s.f.Write(s.made)
}

func main() {
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		s := &server{reply: []byte("bye"), all: map[int]*session{}}
		only := &session{}
		l.Go(only.run) // once
		ln, err := sock.Listen(l, "tcp", ":1")
		if err != nil {
			return err
		}
		for {
			c, err := ln.AcceptConn()
			if err != nil {
				return err
			}
			own := &session{c: c}
			l.Go(own.run)
			l.Go(func() { s.handle(c) })
		}
	}))
}
