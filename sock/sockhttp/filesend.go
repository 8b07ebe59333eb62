package sockhttp

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"ringo/sock"
)

// errShorter is the error of a file that has become shorter than announced.
var errShorter = errors.New("sockhttp: the file was cut while it was sent")

// heldFileMax is the largest file that is sent together with its head, from memory.
const heldFileMax = 6 << 10

// chunkMem is memory for parts of files that the kernel does not send.
var chunkMem = sync.Pool{New: func() any { return new([chunkBytes]byte) }}

// whole answers with a whole file, if that is asked for and no middleware has changed the answer: then no header map is
// needed. It returns false if it has done nothing. The error means that the file has become shorter.
func (f *Files) whole(s *shelf, o *openFile, w http.ResponseWriter, r *http.Request) (bool, error) {
	res, ok := w.(*response)
	head := r.Method == http.MethodHead
	if !ok || s == nil || res.status != 0 || res.header != nil || res.done || res.hijacked || res.failed != nil ||
		!head && r.Method != http.MethodGet || r.Method != res.x.made.Method || conditional(r.Header) {
		return false, nil
	}
	res.answers()
	res.status, res.length = http.StatusOK, o.size
	known := res.sendKnown(o.head, s)
	if !known {
		res.sent = fieldsPool.Get().(*fields)
		res.sent.list = append(res.sent.list, o.fields...)
		res.sendHead(nil)
	}
	switch {
	case head || o.size == 0:
	case known && o.size <= heldFileMax:
		out := res.take()
		n := len(out) + int(o.size)
		if _, err := o.file.ReadAt(out[len(out):n], 0); err != nil {
			res.status, res.length, res.headed = 0, -1, false
			res.put(out[:0])
			if err == io.EOF {
				return false, errShorter
			}
			return false, nil
		}
		res.put(out[:n])
		res.written = o.size
		res.pushIn(res.patience(f.Idle))
	default:
		res.written, _ = res.sendSpan(&content{o: o, s: s, idle: f.Idle}, o.size)
	}
	return true, nil
}

// sendKnown makes an answer's head of these lines, if nothing has to be decided: the connection stays open, and the
// request has no body. It returns false if it has done nothing.
func (w *response) sendKnown(lines string, s *shelf) bool {
	r := &w.x.made
	if r.ProtoMajor != 1 || r.ProtoMinor != 1 || w.last || w.x.hasBody() || !w.x.conn.keepsAlive() ||
		len(lines) > knownMax {
		return false
	}
	w.headed = true
	out := append(append(appendStatus(w.take(), r, w.status), lines...), "Date: "...)
	w.put(append(append(out, dateOf(s.l.Now())...), "\r\n\r\n"...))
	return true
}

// knownMax is the longest lines for which a file of heldFileMax still fits behind them.
const knownMax = scratchSize - heldFileMax - 256

// conditional reports whether a request may need another answer than the whole file.
func conditional(h http.Header) bool {
	if len(h) == 0 {
		return false
	}
	for _, key := range [...]string{"Range", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since"} {
		if len(h[key]) > 0 {
			return true
		}
	}
	return false
}

// content is a file for http.ServeContent, with its own position. response.ReadFrom recognises it, and sends it as a
// file.
type content struct {
	o    *openFile
	s    *shelf // nil: it may wait for the disk
	off  int64
	idle time.Duration
	cut  bool // the file has become shorter

	header http.Header // of the answer, if the file is a sibling
}

func (c *content) Read(p []byte) (int, error) {
	if c.off >= c.o.size {
		return 0, io.EOF
	}
	n, err := c.o.file.ReadAt(p[:min(int64(len(p)), c.o.size-c.off)], c.off)
	c.off += int64(n)
	if n > 0 {
		return n, nil
	}
	c.cut = err == io.EOF
	return n, err
}

// Seek moves the position. http.ServeContent seeks to the end once, when no condition has led to an answer without the
// file; so the fields about the coding are set there. It does not set the length itself if there is a coding.
func (c *content) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += c.off
	case io.SeekEnd:
		off += c.o.size
		if c.header != nil {
			c.header["Content-Encoding"] = []string{c.o.coding}
			c.header["Content-Length"] = []string{strconv.FormatInt(c.o.size, 10)}
		}
	}
	c.off = off
	return off, nil
}

// contentOf returns the content that r reads, and how many of its bytes may be read.
func contentOf(r io.Reader) (c *content, n int64) {
	if lr, ok := r.(*io.LimitedReader); ok {
		if c, ok = lr.R.(*content); ok {
			n = lr.N
		}
	} else if c, ok = r.(*content); ok {
		n = c.o.size
	}
	if c == nil {
		return nil, 0
	}
	return c, max(0, min(n, c.o.size-c.off))
}

// readContent is ReadFrom for a content. ok is false if it has to be copied like other readers.
func (w *response) readContent(r io.Reader) (n int64, err error, ok bool) {
	c, size := contentOf(r)
	if c == nil || w.status == 0 || w.length < 0 || w.x.made.Method == http.MethodHead || !bodyAllowed(w.status) ||
		w.held != nil || !w.headed && !w.sent.has("Content-Type") {
		return 0, nil, false
	}
	if err := w.mayWrite(0); err != nil {
		return 0, err, true
	}
	if w.sendHead(nil); w.chunked {
		return 0, nil, false
	}
	n, err = w.sendSpan(c, min(size, w.length-w.written))
	w.written += n
	c.off += n
	if lr, is := r.(*io.LimitedReader); is {
		lr.N -= n
	}
	return n, err, true
}

// sendSpan sends the bytes that wait in out, and then n bytes of a file from the content's position on. The head has
// announced n: if they can't be sent, the connection has to be closed.
func (w *response) sendSpan(from *content, n int64) (sent int64, err error) {
	to, _ := w.x.conn.c.(*sock.Conn)
	room, before, patience := int64(pieceMax), int64(0), w.patience(from.idle)
	for off := from.off; sent < n && err == nil; {
		if patience > 0 {
			w.x.conn.giveTime(patience)
		}
		may, now := int64(0), int64(0)
		switch {
		case to == nil:
		case from.s == nil:
			may = min(n-sent, room)
		default:
			now = from.s.now()
			may = from.o.sendable(from.s, off, min(n-sent, room))
		}
		var k int
		if may > 0 {
			k, err = to.SendFile(*w.out, from.o.file, off, may)
			if from.s != nil {
				from.o.passed(off, int64(k), before, now)
			}
			room = roomAfter(int64(k), may)
			switch {
			case errors.Is(err, io.ErrUnexpectedEOF):
				err = errShorter
			case errors.Is(err, errors.ErrUnsupported):
				err = nil
				if from.s == nil {
					to = nil
				} else {
					from.o.noSend = true
				}
			}
			*w.out = (*w.out)[:0]
		} else {
			k, err = w.sendRead(from, off, n-sent, patience)
		}
		before = now
		off += int64(k)
		sent += int64(k)
	}
	if err != nil && from.s != nil {
		from.s.drop(from.o)
	}
	if w.fail(err); patience > 0 && w.failed == nil { // else it has passed
		w.x.conn.giveTime(0)
	}
	return sent, w.failed
}

// roomAfter guesses how much room there will be after n of so many bytes were sent. Looking up more than is sent is
// wasted.
func roomAfter(n, of int64) int64 {
	if n == of {
		return pieceMax
	}
	return min(max(2*n, pieceMin), pieceMax)
}

// patience returns how long the peer may take nothing of a file: Idle, or else as long as of other answers.
func (w *response) patience(idle time.Duration) time.Duration {
	return either(idle, w.x.conn.patience())
}

// sendRead sends the bytes that wait in out, and then up to n bytes of the file, to the end of a chunk at most.
func (w *response) sendRead(from *content, off, n int64, patience time.Duration) (int, error) {
	mem := chunkMem.Get().(*[chunkBytes]byte)
	defer chunkMem.Put(mem)
	number := off / chunkBytes
	n = min(n, (number+1)*chunkBytes-off)
	switch _, err := from.o.file.ReadAt(mem[:n], off); {
	case err == io.EOF:
		return 0, errShorter
	case err != nil:
		return 0, err
	}
	if s := from.s; s != nil && off == number*chunkBytes && (n == chunkBytes || off+n == from.o.size) {
		from.o.warmed(number, s.now())
	}
	if w.pushIn(patience) == nil {
		w.writeOut(mem[:n], patience)
	}
	if w.failed != nil {
		return 0, w.failed
	}
	return int(n), nil
}
