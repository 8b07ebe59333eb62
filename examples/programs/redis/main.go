// Redis serves PING, SET and GET of the redis protocol, a task for each connection. All run on one loop and take turns, so
// that the map needs no lock. Ask it by redis-cli -p 7379, or load it by redis-benchmark -p 7379 -t set,get -P 16.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"ringo"
	"ringo/sock"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:7379", "the address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *listen, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, address string, out io.Writer) error {
	set, err := sock.Reserve("tcp", address)
	if err != nil {
		return err
	}
	defer set.Close()
	fmt.Fprintln(out, "ready on", set.Addr())
	return ringo.Run(ctx, &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		for s := (store{}); ; {
			c, err := ln.AcceptConn()
			if err != nil {
				return err
			}
			l.Go(func() {
				defer c.Close()
				s.serve(c)
			})
		}
	})
}

// store is what all connections of the loop see.
type store map[string]string

// serve answers commands until the end. Answers to commands that came together leave together.
func (s store) serve(c io.ReadWriter) (err error) {
	r, w := bufio.NewReader(c), bufio.NewWriter(c)
	for args := []string(nil); err == nil; {
		if args, err = command(r); err == nil {
			s.answer(w, args)
		}
		if err != nil || r.Buffered() == 0 {
			err = errors.Join(err, w.Flush())
		}
	}
	return err
}

func (s store) answer(w *bufio.Writer, args []string) {
	switch name := strings.ToUpper(args[0]); {
	case name == "PING" && len(args) == 1:
		w.WriteString("+PONG\r\n")
	case name == "SET" && len(args) == 3:
		s[args[1]] = args[2]
		w.WriteString("+OK\r\n")
	case name == "GET" && len(args) == 2:
		if v, ok := s[args[1]]; ok {
			fmt.Fprintf(w, "$%d\r\n%s\r\n", len(v), v)
		} else {
			w.WriteString("$-1\r\n")
		}
	default:
		fmt.Fprintf(w, "-ERR unknown command %.50q, or another number of arguments\r\n", name)
	}
}

// command reads an array of at most 16 strings, of 1 MiB at most, which come behind their lengths.
func command(r *bufio.Reader) ([]string, error) {
	n, err := length(r, '*', 1, 16)
	args := make([]string, n)
	for i := 0; i < len(args) && err == nil; i++ {
		if n, err = length(r, '$', 0, 1<<20); err == nil {
			p := make([]byte, n+2)
			_, err = io.ReadFull(r, p)
			args[i] = string(p[:n])
		}
	}
	return args, err
}

// length reads a line of a letter and a number between two others.
func length(r *bufio.Reader, kind byte, least, most int) (int, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(string(line[1:]), "\r\n"))
	if line[0] != kind || err != nil || n < least || n > most {
		return 0, errors.New("not a command")
	}
	return n, nil
}
