//go:build linux

package codec_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"ringo"
	"ringo/codec"
	"ringo/event"
	"ringo/sock"
)

// lines is how the examples' programs talk.
var lines = &codec.Delimited{Delim: "\r\n", Max: 4096}

// answer is what a server answers.
func answer(line []byte) []byte {
	return append([]byte("hello, "), line...)
}

// talk runs a server on a loop, and a client that says two names.
func talk(start func(l *ringo.Loop) (addr string, err error)) {
	ctx, stop := context.WithCancel(context.Background())
	err := ringo.Run(ctx, &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		defer stop()
		addr, err := start(l)
		if err != nil {
			return err
		}
		c, err := sock.Dial(l, "tcp", addr)
		if err != nil {
			return err
		}
		defer c.Close()
		s := codec.Scanner{Codec: lines}
		for _, name := range []string{"Ada", "Grace"} {
			question, err := lines.Append(nil, []byte(name))
			if err != nil {
				return err
			}
			if _, err := c.Write(question); err != nil {
				return err
			}
			greeting, err := s.Next(nil, c)
			if err != nil {
				return err
			}
			fmt.Printf("%s\n", greeting)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
}

// A task reads lines until its peer has no more.
func ExampleScanner_Tokens() {
	serve := func(c *sock.Conn) error {
		defer c.Close()
		s := codec.Scanner{Codec: lines}
		for line, err := range s.Tokens(c) {
			if err != nil {
				return err
			}
			out, err := lines.Append(nil, answer(line))
			if err != nil {
				return err
			}
			if _, err := c.Write(out); err != nil {
				return err
			}
		}
		return nil
	}
	talk(func(l *ringo.Loop) (string, error) {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		l.Go(func() {
			for {
				c, err := ln.AcceptConn()
				if err != nil {
					return
				}
				l.Go(func() { serve(c) })
			}
		})
		return ln.Addr().String(), nil
	})
	// Output:
	// hello, Ada
	// hello, Grace
}

// A Request answers the lines that are here. The Scanner that a connection keeps looks at no byte of a long line twice.
func ExampleScanner_Buffered() {
	h := &sock.Handler{
		Open: func(c *sock.Conn) error {
			c.SetValue(&codec.Scanner{Codec: lines})
			return nil
		},
		Request: func(c *sock.Conn) error {
			for line, err := range c.Value().(*codec.Scanner).Buffered(c) {
				if err != nil {
					return err
				}
				out, err := lines.Append(nil, answer(line))
				if err != nil {
					return err
				}
				if _, err := c.Write(out); err != nil {
					return err
				}
			}
			return nil
		},
	}
	talk(func(l *ringo.Loop) (string, error) {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		l.Go(func() { sock.Serve(l, ln, h) })
		return ln.Addr().String(), nil
	})
	// Output:
	// hello, Ada
	// hello, Grace
}

// greeter is the callbacks of one connection.
type greeter struct {
	event.Base
	s codec.Scanner
}

func (g *greeter) OnData(c *event.Conn, p []byte) (used int) {
	for {
		n, line, err := g.s.Split(p[used:], false)
		if err != nil {
			c.Close()
		}
		if n == 0 {
			return used // and the rest is shown again, with more behind it
		}
		used += n
		if out, err := lines.Append(nil, answer(line)); err != nil || c.Write(out) != nil {
			c.Close()
		}
	}
}

// greeters has a Scanner for each connection.
type greeters struct{ event.Base }

func (greeters) OnOpen(c *event.Conn) { c.SetHandler(&greeter{s: codec.Scanner{Codec: lines}}) }

// OnData takes whole lines, and leaves the rest.
func ExampleScanner_Split_event() {
	talk(func(l *ringo.Loop) (string, error) {
		ln, err := event.On(l).Listen("tcp", "127.0.0.1:0", greeters{})
		if err != nil {
			return "", err
		}
		l.OnDrain(event.On(l).Stop)
		return ln.Addr().String(), nil
	})
	// Output:
	// hello, Ada
	// hello, Grace
}

// A bufio.Scanner splits what it reads by a Codec, too.
func ExampleScanner_Split() {
	in := bufio.NewScanner(strings.NewReader("one\r\ntwo\r\n"))
	in.Split((&codec.Scanner{Codec: lines}).Split)
	for in.Scan() {
		fmt.Println(in.Text())
	}
	if err := in.Err(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// one
	// two
}

// Messages of PostgreSQL are a type, a length that counts its own four bytes, and what it counts.
func ExamplePrefixed() {
	messages := &codec.Prefixed{Offset: 1, Size: 4, Adjust: -4, Whole: true}
	var stream []byte
	for _, query := range []string{"SELECT 1\x00", "SELECT 2\x00"} {
		var err error
		if stream, err = messages.AppendLength(append(stream, 'Q'), len(query)); err != nil {
			fmt.Println(err)
			return
		}
		stream = append(stream, query...)
	}
	s := codec.Scanner{Codec: messages}
	for message, err := range s.Tokens(bufio.NewReader(strings.NewReader(string(stream)))) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		fmt.Printf("%c %q\n", message[0], message[5:])
	}
	// Output:
	// Q "SELECT 1\x00"
	// Q "SELECT 2\x00"
}
