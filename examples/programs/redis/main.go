// Redis serves PING, SET and GET of the redis protocol, with a task for each connection. All tasks run on one loop and
// take turns, so the map needs no lock. Try it with redis-cli -p 7379 or redis-benchmark -p 7379 -t set,get -P 16.
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
	"strconv"
	"strings"

	"ringo"
	"ringo/sock"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:7379", "the address to listen on")
	flag.Parse()
	log.Fatal(run(context.Background(), *listen, os.Stdout))
}

func run(ctx context.Context, address string, out io.Writer) error {
	return ringo.Run(ctx, &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", address)
		if err == nil {
			fmt.Fprintln(out, "ready on", ln.Addr()) //ringo:offloaded nobody is served yet
		}
		for s := (store{}); err == nil; {
			var c *sock.Conn
			if c, err = ln.AcceptConn(); err == nil {
				l.Go(func() { defer c.Close(); s.serve(c) })
			}
		}
		return err
	})
}

type store map[string]string // shared by all connections of the loop

// serve answers commands until the connection ends. Answers to commands that came together are sent together.
func (s store) serve(c io.ReadWriter) (err error) {
	r, w := bufio.NewReader(c), bufio.NewWriter(c)
	for args := []string(nil); err == nil; {
		if args, err = command(r); err == nil {
			err = s.answer(w, args)
		}
		if err != nil || r.Buffered() == 0 {
			err = errors.Join(err, w.Flush())
		}
	}
	return err
}

func (s store) answer(w *bufio.Writer, args []string) (err error) {
	switch name := strings.ToUpper(args[0]); {
	case name == "PING" && len(args) == 1:
		_, err = w.WriteString("+PONG\r\n")
	case name == "SET" && len(args) == 3:
		s[args[1]] = args[2]
		_, err = w.WriteString("+OK\r\n")
	case name == "GET" && len(args) == 2:
		answer := "$-1\r\n"
		if v, ok := s[args[1]]; ok {
			answer = fmt.Sprintf("$%d\r\n%s\r\n", len(v), v)
		}
		_, err = w.WriteString(answer)
	default:
		_, err = fmt.Fprintf(w, "-ERR unknown command %.50q, or another number of arguments\r\n", name)
	}
	return err
}

// command reads an array of 1 to 16 strings of up to 1 MiB, each after its length.
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

// length reads a line with the letter kind and a number from least to most.
func length(r *bufio.Reader, kind byte, least, most int) (int, error) {
	line, err := r.ReadSlice('\n')
	n, wrong := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(string(line), string(kind)), "\r\n"))
	if err != nil || wrong != nil || line[0] != kind || n < least || n > most {
		return 0, errors.Join(err, wrong, errors.New("not a command"))
	}
	return n, nil
}
