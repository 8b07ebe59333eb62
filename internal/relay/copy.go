package relay

import (
	"errors"
	"io"
	"sync"
)

// Source is where a relay's bytes come from.
type Source interface {
	// Wait waits until a read would not block.
	Wait() error
	io.Reader
	// Fill splices what there is into an empty pipe, without waiting, and returns how many bytes; ok is false if the
	// bytes, or the end, have to be read by Read.
	Fill(p Pipe) (n int, ok bool, err error)
	// Done is called after each Read and Fill that has returned bytes, with those that did not go out.
	Done(rest []byte)
}

// Sink is where a relay's bytes go.
type Sink interface {
	io.Writer
	// Drain empties a pipe, and returns how many bytes went out. Splices reports whether Drain may be called.
	Drain(p Pipe) (int, error)
	Splices() bool
}

// Chunk is memory for copies, as much as io.Copy takes for one: records that fit into that must fit here, too.
type Chunk [32768]byte

// Chunks has those that no copy uses. A relay takes one only while it holds bytes.
var Chunks = sync.Pool{New: func() any { return new(Chunk) }}

// Copy moves bytes until the source's end, and returns how many went out.
func Copy(to Sink, from Source, pipes *Pipes) (total int64, err error) {
	m := Mode{after: After(to)}
	for ready := false; ; {
		if !ready {
			if m.Splices {
				m.Dry()
			}
			if err = from.Wait(); err != nil {
				return total, err
			}
			ready = true
		}
		var n int
		if m.Splices {
			n, ready, err = splice(to, from, pipes, &m)
		} else {
			n, ready, err = copyOnce(to, from, &m)
		}
		total += int64(n)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// copyOnce moves what there is through memory. more is false if there is probably nothing left.
func copyOnce(to Sink, from Source, m *Mode) (n int, more bool, err error) {
	chunk := Chunks.Get().(*Chunk)
	defer Chunks.Put(chunk)
	n, err = from.Read(chunk[:])
	more = n == len(chunk)
	m.Buffer(more)
	if n > 0 {
		var werr error
		if n, werr = pass(to, from, chunk[:n]); werr != nil {
			err = werr
		}
	}
	return n, more, err
}

// pass writes what was read. If the sink panics, it counts as having taken nothing.
func pass(to Sink, from Source, p []byte) (n int, err error) {
	defer func() { from.Done(p[n:]) }()
	return Write(to, p)
}

// Write writes to a sink, and checks the results of a writer that is not Ringo's.
func Write(to Sink, p []byte) (n int, err error) {
	n, err = to.Write(p)
	switch {
	case n < 0 || n > len(p):
		return 0, errCount
	case err == nil && n < len(p):
		err = io.ErrShortWrite
	}
	return n, err
}

var errCount = errors.New("the writer gave a count that can't be")

// splice moves what there is through a pipe.
func splice(to Sink, from Source, pipes *Pipes, m *Mode) (n int, more bool, err error) {
	p, ok := pipes.Take()
	if !ok {
		m.End()
		return 0, true, nil
	}
	defer func() { pipes.Give(p) }()
	p.Held, ok, err = from.Fill(p)
	switch {
	case err != nil:
		return 0, false, err
	case !ok:
		return copyOnce(to, from, m)
	case p.Held == 0:
		return 0, false, nil
	}
	m.Moved(p.Held)
	n, err = to.Drain(p)
	var rest []byte
	if p.Held -= n; p.Held > 0 {
		rest = p.TakeOut()
	}
	from.Done(rest)
	return n, true, err
}

// Plain is a sink that is just an io.Writer.
type Plain struct{ io.Writer }

// Splices returns false: it takes no pipes.
func (Plain) Splices() bool { return false }

// Drain is not called.
func (Plain) Drain(Pipe) (int, error) { panic("relay: a pipe for a writer that takes none") }
