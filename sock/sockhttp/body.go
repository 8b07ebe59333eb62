package sockhttp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"ringo"

	"ringo/internal/httptext"
)

const (
	// drainMax is how much of a body that no handler has read is read in order to keep the connection.
	drainMax = 256 << 10
	// chunkLineMax bounds the line before a chunk, trailersMax the lines after the last one.
	chunkLineMax = 4096
	trailersMax  = 4096
	// chunkWaste bounds what surrounds the data of chunks, beyond 16 bytes and twice its data for each.
	chunkWaste = 16 << 10
)

// body is a request's body. Any goroutine may read or close it, even after its handler has returned.
type body struct {
	x       *exchange
	mu      ringo.Mutex // held by the reader
	left    int64       // bytes left of the body, or of a chunk
	waste   int64
	chunked bool
	inChunk bool // the end of the chunk is still to be read
	begun   bool
	ended   atomic.Bool // all was read; other goroutines look at it
	closed  atomic.Bool
	err     error // why no more can be read
}

// errWaste ends a body that has more bytes around its chunks than in them.
var errWaste = errors.New("http: chunked encoding contains too much non-data")

// errChunk ends a body with a malformed chunk.
var errChunk = errors.New("http: malformed chunked encoding")

// Read reads some of the body, and waits until there is some.
func (b *body) Read(p []byte) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.read(p)
}

// leave ends all reads, and waits for the one under way.
func (b *body) leave() {
	b.closed.Store(true)
	b.mu.Lock()
	defer b.mu.Unlock()
}

func (b *body) read(p []byte) (n int, err error) {
	if b.err != nil {
		return 0, b.err
	}
	if !b.begun {
		b.begun = true
		if err := b.x.res.askBody(); err != nil {
			return 0, b.fail(err)
		}
	}
	if b.left == 0 {
		if err := b.next(); err != nil {
			return 0, b.fail(err)
		}
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err = b.x.conn.receive(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case err == io.EOF:
		return n, b.fail(io.ErrUnexpectedEOF)
	case err != nil:
		return n, b.fail(err)
	case b.left == 0 && !b.chunked: // as soon as it is known
		return n, b.fail(io.EOF)
	}
	return n, nil
}

// fail notes how the body has ended.
func (b *body) fail(err error) error {
	b.err = err
	switch err {
	case io.EOF:
		b.ended.Store(true)
		b.x.ctx.bodyEnded()
	case errChunk, errTrailer, errWaste: // the peer is there, and may get an answer
	default:
		b.x.ctx.end(context.Canceled)
	}
	return err
}

// next goes on to the next chunk, which has at least one byte. io.EOF means the end of the body.
func (b *body) next() error {
	if !b.chunked {
		return io.EOF
	}
	if b.inChunk {
		end, err := b.x.conn.c.Peek(2)
		if len(end) > 0 && end[0] != '\r' || len(end) > 1 && end[1] != '\n' {
			return errChunk
		}
		if err != nil {
			return early(err)
		}
		b.x.conn.c.Discard(2)
		b.inChunk = false
	}
	line, err := b.x.line(chunkLineMax)
	if err != nil {
		return err
	}
	size, ok := chunkSize(line)
	if !ok {
		return errChunk
	}
	b.waste = max(0, b.waste+int64(len(line))+4-16-2*size)
	switch {
	case b.waste > chunkWaste:
		return errWaste
	case size == 0:
		return b.trailers()
	}
	b.left, b.inChunk = size, true
	return nil
}

// early returns the error of a read within a body.
func early(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// chunkSize parses the line before a chunk.
func chunkSize(line string) (n int64, ok bool) {
	size, extension, has := strings.Cut(line, ";")
	if size = strings.TrimRight(size, " \t"); size == "" || len(size) > 16 || has && !isExtension(extension) {
		return 0, false
	}
	for i := range len(size) {
		c := size[i]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		if n > 1<<58 {
			return 0, false
		}
		n = n<<4 | int64(c)
	}
	return n, true
}

// isExtension reports whether what follows a chunk's size has the form of RFC 9112, 7.1.1: tokens, with values that are
// tokens or quoted strings.
func isExtension(s string) bool {
	for more := true; more; {
		s = strings.TrimLeft(s, " \t")
		i := 0
		for i < len(s) && chars[s[i]]&tokenChar != 0 {
			i++
		}
		if i == 0 {
			return false
		}
		s = strings.TrimLeft(s[i:], " \t")
		if rest, ok := strings.CutPrefix(s, "="); ok {
			if s, ok = cutExtensionValue(strings.TrimLeft(rest, " \t")); !ok {
				return false
			}
			s = strings.TrimLeft(s, " \t")
		}
		if s == "" {
			return true
		}
		s, more = strings.CutPrefix(s, ";")
	}
	return false
}

// cutExtensionValue removes a token or a quoted string from the front.
func cutExtensionValue(s string) (rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		i := 0
		for i < len(s) && chars[s[i]]&tokenChar != 0 {
			i++
		}
		return s[i:], i > 0
	}
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return s[i+1:], true
		case s[i] == '\\':
			i++
		}
		if i < len(s) && chars[s[i]]&valueChar == 0 {
			return "", false
		}
	}
	return "", false
}

// line reads a line that ends in CRLF and has no other CR or LF.
func (x *exchange) line(most int) (string, error) {
	for n := 1; ; {
		p, err := x.conn.c.Peek(n)
		if i := bytes.IndexByte(p, '\n'); i >= 0 {
			if i > most || i == 0 || bytes.IndexByte(p, '\r') != i-1 {
				return "", errChunk
			}
			line := string(p[:i-1])
			x.conn.c.Discard(i + 1)
			return line, nil
		}
		switch {
		case err != nil:
			return "", early(err)
		case len(p) > most:
			return "", errChunk
		}
		n = max(len(p)+1, min(x.conn.c.Buffered(), most+1))
	}
}

// trailers reads the lines after the last chunk.
func (b *body) trailers() error {
	var fields http.Header
	for room := trailersMax; ; {
		line, err := b.x.line(room)
		if err != nil {
			return err
		}
		if room -= len(line) + 2; room < 0 {
			return errTrailer
		}
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		key, named := canonical(name)
		if value = httptext.Trim(value); !ok || !named || !isValue(value) {
			return errTrailer
		}
		switch key {
		case "Content-Length", "Transfer-Encoding", "Host", "Trailer": // too late for them
			return errTrailer
		}
		if fields == nil {
			fields = make(http.Header)
		}
		fields[key] = append(fields[key], value)
	}
	r := &b.x.made
	if r.Trailer == nil {
		r.Trailer = fields
		return io.EOF
	}
	for key, values := range fields {
		r.Trailer[key] = values
	}
	return io.EOF
}

// Close makes further reads fail.
func (b *body) Close() error {
	b.closed.Store(true)
	return nil
}

// drain reads what no handler has read, up to drainMax, and reports whether that was all. The caller holds mu.
func (b *body) drain() bool {
	trash := take()
	defer give(trash)
	for sum := 0; b.err == nil && sum <= drainMax; {
		n, _ := b.read((*trash)[:cap(*trash)])
		sum += n
	}
	return b.ended.Load()
}

// settle keeps the rest of a body from being taken for the next request: it reads the rest, or returns false if that is
// too much.
func (b *body) settle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.ended.Load():
		return true
	case b.err != nil, !b.chunked && b.left >= drainMax:
		return false
	}
	b.closed.Store(true) // so that further reads do not report the end
	return b.drain()
}
