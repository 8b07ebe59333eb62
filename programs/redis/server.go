package redis

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"ringo/sock"
)

// store is what all connections of one loop see. Their tasks take turns, so that it
// needs no lock.
type store map[string]string

// serve answers the commands of a connection until it ends. Answers to commands that
// came together leave together.
func (s store) serve(c *sock.Conn) error {
	defer c.Close()
	r, w := bufio.NewReader(c), bufio.NewWriter(c)
	for {
		args, err := command(r)
		if err != nil {
			return err
		}
		s.answer(w, args)
		if r.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
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
		fmt.Fprintf(w, "-ERR unknown command %q, or another number of arguments\r\n", name)
	}
}

var errProtocol = errors.New("redis: not a command")

// The bounds of what a client may make the server hold.
const (
	argsMax = 16
	argMax  = 8 << 20
)

// command reads an array of bulk strings.
func command(r *bufio.Reader) ([]string, error) {
	n, err := length(r, '*', argsMax)
	if err != nil || n == 0 {
		return nil, errors.Join(err, errProtocol)
	}
	args := make([]string, n)
	for i := range args {
		n, err := length(r, '$', argMax)
		if err != nil {
			return nil, err
		}
		p := make([]byte, n+2)
		if _, err := io.ReadFull(r, p); err != nil {
			return nil, err
		}
		args[i] = string(p[:n])
	}
	return args, nil
}

// length reads a line that begins with kind and has a number.
func length(r *bufio.Reader, kind byte, limit int) (int, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	text := strings.TrimSuffix(string(line[1:]), "\r\n")
	n, err := strconv.Atoi(text)
	if line[0] != kind || err != nil || n < 0 || n > limit {
		return 0, errProtocol
	}
	return n, nil
}
