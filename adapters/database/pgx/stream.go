package ringopgx

import (
	"net"
	"os"
	"sync/atomic"

	"ringo"
	"ringo/adapters/database/internal/tasked"
)

// A stream is pgx' connection. If a Write takes longer than 15 ms pgx has a goroutine read meanwhile, since the server
// may not read before its answers are read, and each Read then waits for the goroutine in a sync.Cond: with the loop,
// which the goroutine needs. So the frontend reads by input, pgx' goroutine gets nothing, and a long Write has a task
// read.
type stream struct {
	net.Conn
	below *tasked.Conn
	l     *ringo.Loop
	tls   bool // which two tasks must not use at once
	ahead []byte

	refused atomic.Bool // a goroutine of pgx' has tried to read or write for a task, and not to end the session
}

// longWrite is how many bytes a server takes that reads none of them: sockets have room for more. aheadMax is how many
// are read while a Write waits; with more the Write waits for its end, by the context or the server.
const (
	longWrite = 16 << 10
	aheadMax  = 64 << 20
)

// terminate begins the message by which a goroutine of pgx' ends a session that was given up.
const terminate = 'X'

// Read is called by pgx' goroutine beside a slow write, which ends with a time-out, before TLS hears of it, and by the
// one that gives a session up, which has nothing to read then.
func (s *stream) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

// Write has a task read if the server may have to be read from before it takes all of p.
func (s *stream) Write(p []byte) (int, error) {
	if err := s.below.Refuse("write"); err != nil { // before TLS hears of it, which ends then
		s.refused.Store(s.refused.Load() || len(p) > 0 && p[0] != terminate)
		return 0, err
	}
	if len(p) <= longWrite || s.tls {
		return s.Conn.Write(p)
	}
	reader := s.l.Go(s.readAhead)
	n, err := s.Conn.Write(p)
	reader.Cancel()
	reader.Wait()
	return n, err
}

// readAhead reads until its task is cancelled. Why else it ends the next Read hears of.
func (s *stream) readAhead() {
	p := make([]byte, longWrite)
	for len(s.ahead) < aheadMax {
		n, err := s.Conn.Read(p)
		s.ahead = append(s.ahead, p[:n]...)
		if err != nil {
			return
		}
	}
}

// input is the stream as the frontend reads it.
type input stream

// Read reads, what was read ahead first.
func (in *input) Read(p []byte) (int, error) {
	if len(in.ahead) == 0 {
		return in.Conn.Read(p)
	}
	n := copy(p, in.ahead)
	if in.ahead = in.ahead[n:]; len(in.ahead) == 0 {
		in.ahead = nil
	}
	return n, nil
}
