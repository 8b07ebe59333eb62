package codec

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
)

// A Codec says where tokens end: it is a *Delimited or a *Prefixed. Any number of Scanners may share a Codec that no
// longer changes.
type Codec interface {
	// find looks for a token at the beginning of data. An earlier call has found none in the first seen bytes.
	find(data []byte, seen, bound int) (found, error)
	// bound returns the most bytes of a token. It panics if the Codec's fields are invalid.
	bound() int
}

// found is a token, data[from:to]. The next token begins at end; end is 0 if the token is not complete.
type found struct{ from, to, end int }

// maxDefault is the Max of a Codec that sets none: the unread bytes that a connection may have by default.
const maxDefault = 64 << 10

// A Source is a stream whose next bytes can be read without consuming them: a *sock.Conn, or a *bufio.Reader around any
// io.Reader.
type Source interface {
	// Peek waits for the next n bytes and returns them without consuming them. They are valid until the next call. If n
	// is more than it can ever return, the error matches bufio.ErrBufferFull.
	Peek(n int) ([]byte, error)
	// Discard consumes n bytes that Peek has returned.
	Discard(n int) (int, error)
	// Buffered returns how many bytes Peek returns without waiting.
	Buffered() int
}

// A Scanner finds the tokens of one stream. Only one caller at a time may use it. If a Request or an OnData keeps the
// Scanner with the connection, each byte is looked at once; with a new Scanner in each call the result is the same, but
// the beginning of a long line is looked at again whenever more of it arrives. While the Scanner is inside a token,
// nothing else may read from the stream. A Scanner must not be copied after its first use.
type Scanner struct {
	Codec Codec // may be changed between tokens

	seen int    // bytes of the coming token in which no end was found
	held []byte // beginning of a token longer than the Source can show; it is consumed
}

// Tokens returns an iterator over the tokens of a stream until its end. It waits for each token: a task parks, a
// goroutine blocks. A token is valid until the loop's body ends. If there is an error, it is the last value: one that
// matches bufio.ErrTooLong for a token above Max, another for an invalid length, io.ErrUnexpectedEOF if the stream ends
// inside a token, or the error of src. No bytes of src are lost: after a deadline another loop goes on where this one
// stopped. Any goroutine may call it.
func (s *Scanner) Tokens(src Source) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) { s.each(src, true, yield) }
}

// Buffered is Tokens without waiting: it ends when no whole token is left in the buffer, and leaves the beginning of
// the next token there. So it does not park, and does not fail at the stream's end. Use it in a Request of sock.Serve,
// which is called again when more bytes have arrived.
func (s *Scanner) Buffered(src Source) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) { s.each(src, false, yield) }
}

// Next appends the next token of a stream to dst, which the caller owns. If it fails it returns dst as it was, with an
// error as in Tokens, or io.EOF if the stream has ended. It waits as Tokens does: a task parks. Any goroutine may call
// it.
func (s *Scanner) Next(dst []byte, src Source) (extended []byte, err error) {
	err = io.EOF
	s.each(src, true, func(token []byte, failed error) bool {
		dst, err = append(dst, token...), failed
		return false
	})
	return dst, err
}

// Split is a bufio.SplitFunc: it returns the token at the beginning of data and where the next token begins. The token
// is a part of data. If data has only a part of a token, Split returns 0 and no error, and data must begin with that
// part the next time. atEOF says that no more will come; the error is then io.ErrUnexpectedEOF if data has a part of a
// token, or if the last call has left one: data may be nil in that case. The other errors are those of Tokens. Split
// does not wait; any goroutine may call it.
func (s *Scanner) Split(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if s.Codec == nil {
		panic("codec: a Scanner without a Codec")
	}
	seen := s.seen
	if seen > len(data) {
		seen = 0
	}
	bound := s.Codec.bound()
	t, err := s.Codec.find(data, seen, bound)
	switch {
	case err != nil:
	case t.end > bound, t.end == 0 && len(data) >= bound:
		err = &tooLong{uint64(cmp.Or(t.end, len(data)+1)), bound}
	case t.end > 0:
		s.seen = 0
		return t.end, data[t.from:t.to:t.to], nil
	case atEOF && (len(data) > 0 || s.seen > 0):
		err = io.ErrUnexpectedEOF
	default:
		s.seen = len(data)
	}
	return 0, nil, err
}

// each yields the tokens of a stream: all of them if wait is set, otherwise those that are in the buffer.
func (s *Scanner) each(src Source, wait bool, yield func([]byte, error) bool) {
	for left := 0; ; { // bytes of src that are the beginning of a token
		here, err := peek(src, left, wait)
		if left > 0 && errors.Is(err, bufio.ErrBufferFull) {
			if here, err = src.Peek(left); err == nil {
				s.held = append(s.held[:0], here...)
				_, err = src.Discard(left)
				left, here = 0, nil
			}
		} else if err == nil && len(here) == 0 {
			return
		}
		switch {
		case err == nil:
			left, err = s.show(src, here, yield)
		case err == io.EOF && left+len(s.held) > 0:
			err = io.ErrUnexpectedEOF
		case err == io.EOF:
			return
		}
		if err != nil {
			if err != errLeft {
				yield(nil, err)
			}
			return
		}
	}
}

// peek returns all bytes in the buffer if there are more than n; with wait it waits until there are.
func peek(src Source, n int, wait bool) ([]byte, error) {
	if wait {
		n++
		if _, err := src.Peek(n); err != nil {
			return nil, err
		}
		return src.Peek(max(n, src.Buffered()))
	}
	if here := src.Buffered(); here > n {
		return src.Peek(here)
	}
	return nil, nil
}

// errLeft says that the body has left the loop.
var errLeft = errors.New("left")

// show yields the whole tokens in here, consumes them, and returns how many bytes are left. If a token's beginning is
// held, show takes the rest of the token from here, as far as Max allows, and holds that as well if the token is still
// not whole.
func (s *Scanner) show(src Source, here []byte, yield func([]byte, error) bool) (left int, err error) {
	before, data, used := len(s.held), here, 0
	if before > 0 {
		data = append(s.held, here[:max(0, min(len(here), s.Codec.bound()-before))]...)
	}
	for {
		var n int
		var token []byte
		if n, token, err = s.Split(data[used:], false); n == 0 {
			break
		}
		if used += n; !yield(token, nil) {
			err = errLeft
			break
		}
		if src.Buffered() < len(here) { // it was closed: what is here is not its memory any more
			break
		}
	}
	switch {
	case before > 0 && used == 0:
		s.held, used = data, len(data)
	case before > 0:
		s.held = data[:0] // for the next long one
	case used > 0:
		s.held = nil
	}
	if used > before {
		_, failed := src.Discard(used - before)
		err = cmp.Or(err, failed)
	}
	return len(data) - used, err
}

// tooLong is the error of a token of size bytes or more.
type tooLong struct {
	size uint64
	max  int
}

func (e *tooLong) Error() string {
	return fmt.Sprintf("codec: a token of %d bytes or more, and the bound is %d", e.size, e.max)
}

// Is makes the error match that of bufio.Scanner.
func (e *tooLong) Is(target error) bool { return target == bufio.ErrTooLong }
