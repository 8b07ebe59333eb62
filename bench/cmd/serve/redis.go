package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
)

// Bounds on what a client may make the server hold.
const (
	wordsMax = 16
	wordMax  = 8 << 20
)

var errProtocol = errors.New("redis: not a command")

// store is shared by all connections. Tasks lock it too, though one loop would need no lock, so that both sides of the
// comparison run the same code.
type store struct {
	mu     sync.Mutex
	values map[string][]byte // replaced, never changed in place
}

func newRedis(*options) (*program, error) {
	s := &store{values: map[string][]byte{}}
	return &program{conn: s.serve}, nil
}

// serve answers a connection's commands. Answers to commands that came together are sent together.
func (s *store) serve(c net.Conn) {
	defer c.Close()
	r, w := bufio.NewReader(c), bufio.NewWriter(c)
	var cmd command
	for {
		if err := cmd.read(r); err != nil {
			return
		}
		s.answer(w, &cmd)
		if r.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				return
			}
		}
	}
}

func (s *store) answer(w *bufio.Writer, cmd *command) {
	switch name := cmd.word(0); {
	case cmd.words == 3 && bytes.EqualFold(name, []byte("SET")):
		s.set(string(cmd.word(1)), bytes.Clone(cmd.word(2)))
		w.WriteString("+OK\r\n")
	case cmd.words == 2 && bytes.EqualFold(name, []byte("GET")):
		v, ok := s.get(cmd.word(1))
		if !ok {
			w.WriteString("$-1\r\n")
			return
		}
		head := append(w.AvailableBuffer(), '$')
		head = strconv.AppendInt(head, int64(len(v)), 10)
		w.Write(append(head, "\r\n"...))
		w.Write(v)
		w.WriteString("\r\n")
	case cmd.words == 1 && bytes.EqualFold(name, []byte("PING")):
		w.WriteString("+PONG\r\n")
	default:
		fmt.Fprintf(w, "-ERR unknown command %q, or another number of arguments\r\n", name)
	}
}

func (s *store) set(key string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[key] = value
}

func (s *store) get(key []byte) (value []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok = s.values[string(key)]
	return value, ok
}

// command is an array of bulk strings, in memory that the next command reuses.
type command struct {
	bytes []byte
	ends  [wordsMax]int
	words int
}

func (c *command) word(i int) []byte {
	if i == 0 {
		return c.bytes[:c.ends[0]]
	}
	return c.bytes[c.ends[i-1]:c.ends[i]]
}

func (c *command) read(r *bufio.Reader) (err error) {
	if c.words, err = number(r, '*', wordsMax); err != nil {
		return err
	}
	if c.words == 0 {
		return errProtocol
	}
	c.bytes = c.bytes[:0]
	for i := range c.words {
		n, err := number(r, '$', wordMax)
		if err != nil {
			return err
		}
		from := len(c.bytes)
		c.bytes = append(c.bytes, make([]byte, n+2)...)
		if _, err := io.ReadFull(r, c.bytes[from:]); err != nil {
			return err
		}
		if !bytes.HasSuffix(c.bytes, []byte("\r\n")) {
			return errProtocol
		}
		c.bytes = c.bytes[:from+n]
		c.ends[i] = from + n
	}
	return nil
}

// number reads a line of the letter kind and a number of at most limit.
func number(r *bufio.Reader, kind byte, limit int) (int, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	digits, whole := bytes.CutSuffix(line[1:], []byte("\r\n"))
	if line[0] != kind || !whole || len(digits) == 0 || len(digits) > 8 {
		return 0, errProtocol
	}
	n := 0
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, errProtocol
		}
		n = n*10 + int(d-'0')
	}
	if n > limit {
		return 0, errProtocol
	}
	return n, nil
}
