package proxy

import (
	"bytes"
	"fmt"
	"sync/atomic"

	"ringo/cmd/ringo/internal/server"
)

// linesMax bounds the queue of lines; more are left out and counted.
const linesMax = 64

// teller writes lines to stderr, on a goroutine of its own, since writes may block.
type teller struct {
	lines  chan string
	unsaid atomic.Int64 // lines left out since the last line that was written
}

func newTeller(s *server.Server) *teller {
	t := &teller{lines: make(chan string, linesMax)}
	s.Side.Go(func() { t.run(s) })
	return t
}

// say queues a line. It never blocks, so tasks may call it.
func (t *teller) say(format string, args ...any) {
	select {
	case t.lines <- fmt.Sprintf(format, args...):
	default:
		t.unsaid.Add(1)
	}
}

// Write queues a line; package log calls it.
func (t *teller) Write(p []byte) (int, error) {
	t.say("%s", bytes.TrimSuffix(p, []byte("\n")))
	return len(p), nil
}

// run writes the queued lines until the server ends, then those that are left.
func (t *teller) run(s *server.Server) {
	for quit := false; ; {
		select {
		case line := <-t.lines:
			if n := t.unsaid.Swap(0); n > 0 {
				line = fmt.Sprintf("%s\n%d more such lines were left out", line, n)
			}
			fmt.Fprintln(s.Stderr, line)
			continue
		default:
		}
		if quit {
			return
		}
		select {
		case line := <-t.lines:
			fmt.Fprintln(s.Stderr, line)
		case <-s.Quit:
			quit = true // what is left is still written
		}
	}
}
