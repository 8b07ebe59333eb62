package sockhttp

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"

	"ringo"

	"ringo/internal/httptext"
)

// heads2 is memory for the fields of requests.
var heads2 = sync.Pool{New: func() any { return new([]hpack.HeaderField) }}

// try2 makes the request on an HTTP/2 connection, on which it has a place.
func (x *call) try2() (*http.Response, error) {
	h := x.c.two
	st := &request2{on: h, x: x, infoLeft: x.t.headMax()}
	list := heads2.Get().(*[]hpack.HeaderField)
	head, err := x.head2(*list)
	defer func() {
		*list = kept(head)
		heads2.Put(list)
	}()
	if err != nil {
		h.release()
		return nil, fmt.Errorf("http2: %w", err)
	}
	asks := x.body != nil && httptext.HasToken(x.r.Header["Expect"], "100-continue")
	var small []byte
	if x.body != nil && x.isSmall() && !asks && len(x.r.Trailer) == 0 {
		mem := take()
		defer give(mem)
		if small, err = x.appendBody((*mem)[:0]); err != nil {
			err = x.sent(err)
			h.release()
			return nil, err
		}
	}
	if err := h.open(st, head, small, x.body == nil); err != nil {
		return nil, err
	}
	if x.st = st; x.trace != nil && x.trace.WroteHeaders != nil {
		x.trace.WroteHeaders()
	}
	if small != nil && !st.done {
		x.body, x.taken = io.NopCloser(strings.NewReader(string(small))), false
	}
	if st.done {
		x.sent(nil)
	} else {
		x.beginSending(asks)
	}
	return x.receive2()
}

// retry2 ends an attempt, and returns how many have counted. The error is why there is no other.
func (x *call) retry2(err error, again int) (int, error) {
	if x.st != nil {
		x.st.drop(err)
	}
	x.endSending()
	x.st = nil
	if may, err := x.mayRetry2(err); !may || again == retriesMax {
		return again, err
	}
	if err == errUnusable {
		return again, x.rewind()
	}
	if again++; again > 1 { // the first one is made at once
		if err := (*ringo.Loop)(x.l).Sleep(time.Second << (again - 2)); err != nil {
			return again, err
		}
	}
	return again, x.rewind()
}

// retriesMax is how often a request is repeated that its server has not processed.
const retriesMax = 6

// open begins the stream of a request that has a place, and sends a small body with it if there is room. ends says that
// there is no body.
func (h *client2) open(st *request2, head []hpack.HeaderField, small []byte, ends bool) error {
	h.mu.Lock()
	defer h.unlock()
	h.newStream(&st.stream2, st, 0)
	st.body.st, st.body.declared = &st.stream2, -1
	err := h.awaitRoom(&st.stream2)
	h.reserved--
	switch {
	case h.closing || h.over || h.dead || len(h.streams)+h.resets >= int(min(h.most, math.MaxInt32)):
		err = errUnusable
	case err == nil && sizeOf(head) > int64(h.list):
		err = errHeadList
	}
	if err != nil {
		h.gaveUp()
		return err
	}
	if len(h.streams) == 0 {
		h.takeOut()
	}
	st.id, h.last = h.next, h.next
	h.next += 2
	st.window, st.since = h.startsAt, h.frames
	h.streams[st.id] = &st.stream2
	for _, f := range head {
		h.encoder.WriteField(f)
	}
	h.sendHead(&st.stream2, ends)
	h.worked = true
	st.done = ends
	if n := len(small); n > 0 && h.room(&st.stream2, n) == n && h.sendData(&st.stream2, small, true) == nil {
		st.done = true
	}
	if httptext.HasToken(st.x.r.Header["Connection"], "close") || st.x.r.Close {
		h.leave()
	}
	h.flush()
	h.wake()
	h.waiter.wakeAll()
	return nil
}

var errHeadList = errors.New("http2: request header list larger than peer's advertised limit")

// sizeOf returns the size of a list of fields, counted as for SETTINGS_MAX_HEADER_LIST_SIZE.
func sizeOf(list []hpack.HeaderField) (n int64) {
	for _, f := range list {
		n += int64(f.Size())
	}
	return n
}

// head2 appends the head of the request as net/http sends it.
func (x *call) head2(list []hpack.HeaderField) ([]hpack.HeaderField, error) {
	r := x.r
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	if !isASCII(host) || !isHost(host) {
		return list, errors.New("invalid Host header")
	}
	if err := checkConnection(r.Header); err != nil {
		return list, err
	}
	add := func(name, value string) { list = append(list, hpack.HeaderField{Name: name, Value: value}) }
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	add(":authority", host)
	add(":method", method)
	if method != http.MethodConnect {
		path := r.URL.RequestURI()
		if !isPath2(path) {
			if path = strings.TrimPrefix(path, r.URL.Scheme+"://"+host); !isPath2(path) {
				return list, fmt.Errorf("invalid request :path %q", path)
			}
		}
		add(":path", path)
		add(":scheme", r.URL.Scheme)
	}
	names, err := trailerNames(r.Trailer)
	if err != nil {
		return list, err
	}
	if names != "" && x.body != nil {
		add("trailer", names)
	}
	agent := "Go-http-client/2.0"
	f := fieldsOf(r.Header)
	for one := range f.all() {
		switch name := lower(one.key); {
		case name == "user-agent":
			if agent == "" {
				continue // one is enough
			}
			if agent = ""; !one.none && one.value != "" {
				add(name, one.value)
			}
		case one.none || !isLowerToken(name):
		case name == "cookie":
			addCookies(add, one.value)
		case !ofConnection(name):
			add(name, one.value)
		}
	}
	f.release()
	if length := x.length2(); length > 0 || length == 0 && (method == "POST" || method == "PUT" || method == "PATCH") {
		add("content-length", strconv.FormatInt(length, 10))
	}
	if x.gzip = x.asksGzip(method); x.gzip {
		add("accept-encoding", "gzip")
	}
	if x.c.absolute && x.to.proxy.User != nil {
		add("proxy-authorization", basic(x.to.proxy.User))
	}
	if agent != "" {
		add("user-agent", agent)
	}
	if x.trace != nil && x.trace.WroteHeaderField != nil {
		for _, f := range list {
			x.trace.WroteHeaderField(f.Name, []string{f.Value})
		}
	}
	return list, nil
}

// isPath2 reports whether a :path is valid.
func isPath2(p string) bool {
	return (strings.HasPrefix(p, "/") || p == "*") && !strings.ContainsFunc(p, func(r rune) bool {
		return r < ' ' || r == 0x7f
	})
}

// addCookies adds a Cookie field in parts, which compress better.
func addCookies(add func(name, value string), all string) {
	for all != "" {
		one, rest, more := strings.Cut(all, ";")
		if all = ""; more {
			all = strings.TrimLeft(rest, " ")
		}
		if one != "" || more {
			add("cookie", one)
		}
	}
}

// ofConnection reports whether a field belongs to HTTP/1 connections, or is made by the Transport.
func ofConnection(name string) bool {
	switch name {
	case "host", "content-length", "connection", "proxy-connection", "transfer-encoding", "upgrade", "keep-alive",
		"trailer":
		return true
	}
	return false
}

// checkConnection returns an error for fields that ask for something that HTTP/2 does not have.
func checkConnection(h http.Header) error {
	wrong := func(key string, may ...string) error {
		v := h[key]
		if len(v) == 0 || len(v) == 1 && (v[0] == "" || slices.Contains(may, strings.ToLower(v[0]))) {
			return nil
		}
		return fmt.Errorf("invalid %s request header: %q", key, v)
	}
	return cmp.Or(wrong("Upgrade", "chunked"), wrong("Transfer-Encoding", "chunked"),
		wrong("Connection", "close", "keep-alive"))
}

// length2 returns the length of the body, -1 if it is unknown.
func (x *call) length2() int64 {
	switch {
	case x.body == nil:
		return 0
	case x.r.ContentLength != 0:
		return x.r.ContentLength
	}
	return -1
}

// fails notes that the body's error is why the request can't be sent. It does not if the stream has ended, because that
// ends reads of the body, too.
func (st *request2) fails(err error) error {
	st.h.mu.Lock()
	defer st.h.mu.Unlock()
	if st.gone != nil {
		return st.gone
	}
	st.x.sending.own = err
	return err
}

// spoil ends the stream of a request that can't be sent. A complete answer can still be read.
func (st *request2) spoil(why error) {
	st.h.mu.Lock()
	if st.gone == nil && !st.ends {
		st.body.stop(why)
	}
	st.cancel(why)
	st.h.unlock()
}

// copyBody2 sends the body, and sets own to an error of the body. It ends with the request's context: once the answer
// has come, no other code watches that.
func (x *call) copyBody2() error {
	mem := take()
	defer give(mem)
	p := (*mem)[:cap(*mem)]
	length, sent := x.length2(), int64(0)
	for {
		n, err := x.Read(p)
		if sent += int64(n); err == nil && sent == length && n < len(p) {
			var more int // so that the last piece carries the end
			more, err = x.Read(p[n:])
			sent += int64(more)
		}
		switch {
		case length >= 0 && sent > length: // what follows may have no end
			err = fmt.Errorf("http: ContentLength=%d with Body length %d", length, sent)
		case length >= 0 && err == io.EOF && sent < length:
			if err = x.bodyEnd(sent); err == nil {
				err = errors.New("http: the body has changed its length")
			}
		}
		last := err == io.EOF
		if last {
			err = x.closeBody()
		}
		if err != nil {
			return x.st.fails(err)
		}
		if ends := last && len(x.r.Trailer) == 0; n > 0 || ends {
			if err := x.st.send(p[:n], ends); err != nil {
				return err
			}
		}
		if last {
			break
		}
	}
	if len(x.r.Trailer) == 0 {
		return nil
	}
	return x.st.sendTrailers()
}

// send sends a piece of the body.
func (st *request2) send(p []byte, ends bool) error {
	h := st.h
	h.mu.Lock()
	defer h.unlock()
	err := h.sendData(&st.stream2, p, ends)
	if err == nil && ends {
		st.allSent()
	}
	return err
}

// sendTrailers sends the fields that follow the body.
func (st *request2) sendTrailers() error {
	f := fieldsOf(st.x.r.Trailer)
	defer f.release()
	h := st.on
	h.mu.Lock()
	defer h.unlock()
	if err := h.awaitRoom(&st.stream2); err != nil {
		return err
	}
	h.encodeFields(f)
	h.sendHead(&st.stream2, true)
	h.flush()
	st.allSent()
	return nil
}

// allSent is called when the whole request was sent. The caller holds mu.
func (st *request2) allSent() {
	if st.done = true; st.ends {
		st.h.close(&st.stream2, errEnded)
	}
}
