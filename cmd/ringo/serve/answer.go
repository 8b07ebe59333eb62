package serve

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"

	"ringo/file"
	"ringo/sock"
)

var errLingers = errors.New("the peer goes on sending after its last answer")

// answer is what one request is given.
type answer struct {
	h    *handler
	c    *sock.Conn
	r    request
	last bool // the connection ends with it

	status int
	out    bool  // some of it may be with the peer
	sent   int64 // bytes of the body
}

// serve sends the answer. An error means the connection's end.
func (a *answer) serve() error {
	if !a.reads() && !a.wantsHead() {
		return a.failed(http.StatusMethodNotAllowed)
	}
	return a.attempt(false)
}

// attempt answers with what there is. A file that turns out to be shorter than when it was opened
// is looked up again.
func (a *answer) attempt(again bool) error {
	what, err := a.h.lookup(&a.r)
	switch {
	case err != nil:
		if a.h.canceled() {
			return err
		}
		return a.failed(statusOf(err))
	case what.file != nil:
		err = a.file(what.file)
		if err != nil {
			a.h.cache.drop(what.file)
		}
		a.h.cache.done(what.file)
		if err == errShorter && !a.out && !again {
			return a.attempt(true)
		}
		return err
	case what.to != "":
		return a.plain(what.status, "Location: "+what.to+"\r\nContent-Length: 0\r\n")
	case what.list == "":
		return a.text(what.status, "400 Bad Request")
	case !a.h.o.list:
		return a.failed(http.StatusForbidden)
	}
	return a.list(what)
}

func (a *answer) reads() bool { return string(a.r.method) == "GET" }

func (a *answer) wantsHead() bool { return string(a.r.method) == "HEAD" }

// failed answers as package net/http does for what can't be served.
func (a *answer) failed(status int) error {
	switch status {
	case http.StatusNotFound:
		return a.text(status, "404 page not found")
	default:
		return a.text(status, strconv.Itoa(status)+" "+http.StatusText(status))
	}
}

// file answers with a file, or a part of it.
func (a *answer) file(o *servedFile) error {
	if !a.r.conditional() {
		return a.whole(o)
	}
	status, ranged := a.r.preconditions(o.etag, o.modified())
	switch {
	case status == http.StatusNotModified:
		return a.plain(status, "ETag: "+o.etag+"\r\n")
	case status == http.StatusPreconditionFailed:
		return a.plain(status, o.dates+"ETag: "+o.etag+"\r\nContent-Length: 0\r\n")
	case !ranged:
		return a.whole(o)
	}
	spans, err := parseRanges(string(a.r.ranges), o.size)
	switch {
	case err != nil:
		where := ""
		if err == errNoOverlap {
			where = fmt.Sprintf("Content-Range: bytes */%d\r\n", o.size)
		}
		return a.textWith(http.StatusRequestedRangeNotSatisfiable, where, err.Error())
	case len(spans) == 0:
		return a.whole(o)
	case len(spans) == 1:
		return a.part(o, spans[0])
	}
	return a.parts(o, spans)
}

// whole answers with all of a file. A small one is sent together with its head.
func (a *answer) whole(o *servedFile) error {
	if a.wantsHead() || o.size == 0 {
		return a.plain(http.StatusOK, o.fields)
	}
	b := a.h.getMem(smallBytes)
	defer a.h.putMem(b)
	b = append(a.begin(b, http.StatusOK), o.fields...)
	b = append(b, crlf...)
	n := int(min(o.size, chunkBytes))
	if len(b)+n > cap(b) {
		return a.body(b, o, byteRange{0, o.size})
	}
	switch _, err := o.file.ReadAt(b[len(b):len(b)+n], 0); {
	case err == io.EOF:
		return errShorter
	case err != nil && !a.h.canceled():
		a.h.cache.drop(o)
		return a.failed(statusOf(err))
	case err != nil:
		return err
	}
	a.sent = int64(n)
	return a.write(b[:len(b)+n])
}

// write writes some of the answer.
func (a *answer) write(p []byte) error {
	a.out = true
	_, err := a.c.Write(p)
	return err
}

// body sends a head and bytes of a file.
func (a *answer) body(head []byte, o *servedFile, s byteRange) error {
	err := a.sendSpan(head, o, s)
	if err == nil {
		a.sent += s.n
	}
	return err
}

// part answers with one range.
func (a *answer) part(o *servedFile, s byteRange) error {
	b := a.h.getMem(smallBytes)
	defer a.h.putMem(b)
	b = a.begin(b, http.StatusPartialContent)
	b = fmt.Appendf(b, "Content-Type: %s\r\nContent-Range: %s\r\n%sETag: %s\r\nAccept-Ranges: "+
		"bytes\r\nContent-Length: %d\r\n\r\n",
		o.kind, s.contentRange(o.size), o.dates, o.etag, s.n)
	if a.wantsHead() {
		s.n = 0
	}
	return a.body(b, o, s)
}

// parts answers with several ranges, as multipart/byteranges (RFC 9110, 14.6).
func (a *answer) parts(o *servedFile, spans []byteRange) error {
	boundary := fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
	heads, length := make([]string, len(spans)), int64(0)
	for i, s := range spans {
		heads[i] = fmt.Sprintf("--%s\r\nContent-Range: %s\r\nContent-Type: %s\r\n\r\n", boundary,
			s.contentRange(o.size), o.kind)
		if i > 0 {
			heads[i] = "\r\n" + heads[i]
		}
		length += int64(len(heads[i])) + s.n
	}
	tail := "\r\n--" + boundary + "--\r\n"
	b := a.begin(nil, http.StatusPartialContent)
	b = fmt.Appendf(b, "Content-Type: multipart/byteranges; boundary=%s\r\n%sETag: %s\r\nAccept-Ranges: "+
		"bytes\r\nContent-Length: %d\r\n\r\n",
		boundary, o.dates, o.etag, length+int64(len(tail)))
	if a.wantsHead() {
		return a.write(b)
	}
	for i, s := range spans {
		b = append(b, heads[i]...)
		if err := a.body(b, o, s); err != nil {
			return err
		}
		b = b[:0]
	}
	a.sent = length + int64(len(tail))
	return a.write(append(b, tail...))
}

// begin begins an answer's head.
func (a *answer) begin(b []byte, status int) []byte {
	a.status = status
	switch {
	case a.r.minor == 0:
		b = append(b, "HTTP/1.0 "...)
	default:
		b = append(b, "HTTP/1.1 "...)
	}
	if status == http.StatusOK {
		b = append(b, "200 OK\r\n"...)
	} else {
		b = append(append(strconv.AppendInt(b, int64(status), 10), ' '), http.StatusText(status)...)
		b = append(b, crlf...)
	}
	b = append(b, a.h.dated()...)
	switch {
	case a.last:
		b = append(b, "Connection: close\r\n"...)
	case a.r.minor == 0:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	return b
}

// dated gives the Date header, which is made once a second.
func (h *handler) dated() []byte {
	now := h.l.Now()
	if second := now.Unix(); h.second != second {
		h.second = second
		h.date = append(h.date[:0], "Date: "...)
		h.date = append(now.UTC().AppendFormat(h.date, http.TimeFormat), crlf...)
	}
	return h.date
}

// plain answers with a head alone.
func (a *answer) plain(status int, fields string) error {
	b := a.h.getMem(smallBytes)
	defer a.h.putMem(b)
	b = append(a.begin(b, status), fields...)
	return a.write(append(b, crlf...))
}

func (a *answer) text(status int, text string) error { return a.textWith(status, "", text) }

// textWith answers with a line of text, as http.Error does.
func (a *answer) textWith(status int, fields, text string) error {
	if status == http.StatusMethodNotAllowed {
		fields += "Allow: GET, HEAD\r\n"
	}
	fields += "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
	return a.memory(status, fields, text+"\n")
}

// memory answers with a body that is at hand.
func (a *answer) memory(status int, fields, body string) error {
	b := append(a.begin(nil, status), fields...)
	b = append(strconv.AppendInt(append(b, "Content-Length: "...), int64(len(body)), 10), "\r\n\r\n"...)
	if !a.wantsHead() {
		b = append(b, body...)
		a.sent = int64(len(body))
	}
	return a.write(b)
}

// listMax is how many names of a directory are listed.
const listMax = 10_000

// list answers with a directory's names.
func (a *answer) list(what lookupResult) error {
	if notAfter(what.info.ModTime(), a.r.ifModified) == holds {
		return a.plain(http.StatusNotModified, "")
	}
	var body string
	err := a.h.l.Offload(func(context.Context) (err error) {
		body, err = listing(a.h.root, what.list)
		return err
	})
	if err != nil {
		if a.h.canceled() {
			return err
		}
		return a.failed(statusOf(err))
	}
	fields := "Content-Type: text/html; charset=utf-8\r\n"
	if t := what.info.ModTime(); !isEpoch(t) {
		fields += "Last-Modified: " + t.UTC().Format(http.TimeFormat) + "\r\n"
	}
	return a.memory(http.StatusOK, fields, body)
}

// listing is the names of a directory as a page. It may wait for the disk.
func listing(root *file.Root, name string) (string, error) {
	f, err := root.List(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	all, err := f.ReadDir(listMax + 1)
	if err != nil && err != io.EOF {
		return "", err
	}
	more := len(all) > listMax
	all = all[:min(len(all), listMax)]
	sort.Slice(all, func(i, j int) bool { return all[i].Name() < all[j].Name() })
	var b strings.Builder
	b.WriteString("<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n")
	for _, e := range all {
		writeEntry(&b, e)
	}
	if more {
		fmt.Fprintf(&b, "there are more than these %d\n", listMax)
	}
	b.WriteString("</pre>\n")
	return b.String(), nil
}

func writeEntry(b *strings.Builder, e fs.DirEntry) {
	name := e.Name()
	if e.IsDir() {
		name += "/"
	}
	fmt.Fprintf(b, "<a href=\"%s\">%s</a>\n", (&url.URL{Path: name}).String(), html.EscapeString(name))
}
