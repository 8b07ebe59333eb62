package ringopgx

import (
	"net"
	"os"
	"sync/atomic"

	"ringo"
	"ringo/adapters/database/internal/tasked"
)

// A stream is the connection that pgx uses. When a Write takes longer than 15 ms, pgx starts a goroutine that reads
// meanwhile, since the server may not read on before its answers are read. From then on each Read waits for that
// goroutine in a sync.Cond, which blocks the loop, and the goroutine needs the loop. So pgx's frontend reads by input,
// pgx's goroutine gets an error, and a task reads ahead during a long Write.
type stream struct {
	net.Conn
	below *tasked.Conn
	l     *ringo.Loop
	tls   bool // then only one task at a time may use Conn
	ahead []byte

	refused atomic.Bool // a goroutine of pgx has tried to read or write, other than to end the session
}

// longWrite is how many bytes a server accepts without reading any: the sockets' buffers hold more. aheadMax is how
// many bytes are read ahead during a Write; after that many the Write waits until the server reads, or the context
// ends.
const (
	longWrite = 16 << 10
	aheadMax  = 64 << 20
)

// terminate begins the message by which a goroutine of pgx ends a session that was given up.
const terminate = 'X'

// Read fails with a time-out, before TLS sees the call. Only goroutines of pgx call it: the reader beside a slow
// write, which a time-out stops, and the goroutine that closes a session that was given up, which has nothing to read.
func (s *stream) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

// Write sends p. While it sends more than longWrite bytes without TLS, a task reads ahead, since the server may not
// take all of p before its answers are read.
func (s *stream) Write(p []byte) (int, error) {
	if err := s.below.Refuse("write"); err != nil { // before TLS sees the write, which an error would end
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

// readAhead reads until its task is cancelled. If it stops for another reason, the next Read returns that error.
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

// input is the stream's reading side, for pgx's frontend.
type input stream

// Read reads, first the bytes that were read ahead.
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
