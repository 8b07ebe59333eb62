package main

import (
	"errors"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"ringo"
	"ringo/codec"
	"ringo/sock"
)

// Bounds on what peers can take.
const (
	lineMax  = 256             // bytes of a request
	namesMax = 100_000         // of each loop
	idleMax  = 5 * time.Minute // between two requests, and to take an answer
)

// counts are a loop's part of all counters. Only tasks of that loop use it, so it has no lock.
type counts map[string]int64

// counter is the server: its parts, of which each loop has one.
type counter struct {
	parts *ringo.Sharded[counts]
	seed  maphash.Seed
}

func newCounter() *counter {
	return &counter{
		parts: ringo.NewSharded(func(*ringo.Loop) (counts, error) { return counts{}, nil }),
		seed:  maphash.MakeSeed(),
	}
}

var lines = &codec.Delimited{Delim: "\n", Max: lineMax}

// serve answers the requests of one connection. It runs in a task, and c is closed when it returns.
func (s *counter) serve(c *sock.Conn) {
	requests := codec.Scanner{Codec: lines}
	var line []byte
	for {
		c.SetIdle(c.Buffered() == 0) // an orderly end need not wait for this peer
		c.SetReadDeadline(c.Loop().Now().Add(idleMax))
		var err error
		if line, err = requests.Next(line[:0], c); err != nil {
			return // it left, said nothing for long, or asks for too much
		}
		c.SetIdle(false)
		c.SetWriteDeadline(c.Loop().Now().Add(idleMax))
		if _, err := fmt.Fprintln(c, s.answer(string(line))); err != nil {
			return
		}
	}
}

// answer carries out a request: "add NAME", "add NAME N" or "get NAME".
func (s *counter) answer(request string) string {
	words := strings.Fields(request)
	switch {
	case len(words) == 2 && words[0] == "get":
		return s.add(words[1], 0)
	case len(words) == 2 && words[0] == "add":
		return s.add(words[1], 1)
	case len(words) == 3 && words[0] == "add":
		n, err := strconv.ParseInt(words[2], 10, 32)
		if err != nil {
			return "error: " + words[2] + " is not a number of 32 bits"
		}
		return s.add(words[1], n)
	}
	return "error: want add NAME [N], or get NAME"
}

var errFull = errors.New("too many names")

// add adds n to a counter, on the loop that has it, and returns the sum. Call parks until that loop has run the
// function.
func (s *counter) add(name string, n int64) string {
	var sum int64
	err := s.parts.At(maphash.String(s.seed, name)).Call(func(m counts) error {
		if _, known := m[name]; !known && n != 0 && len(m) == namesMax {
			return errFull
		}
		if sum = m[name] + n; n != 0 {
			m[name] = sum
		}
		return nil
	})
	if err != nil {
		return "error: " + err.Error()
	}
	return strconv.FormatInt(sum, 10)
}
