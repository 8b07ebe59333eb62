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

// heads2 are lists of fields, for heads of requests.
var heads2 = sync.Pool{New: func() any { return new([]hpack.HeaderField) }}

// try2 makes the request on a connection of HTTP/2, of which it has a place.
func (x *call) try2() (*http.Response, error) {
	h := x.c.two
	st := &request2{on: h, x: x, infoLeft: x.t.headMax()}
	list := heads2.Get().(*[]hpack.HeaderField)
	defer heads2.Put(list)
	head, err := x.head2((*list)[:0])
	*list = head
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

// retry2 ends a try, and says how many there were. The error is why there is no other.
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
	if again++; again > 1 { // the first is made at once
		if err := (*ringo.Loop)(x.l).Sleep(time.Second << (again - 2)); err != nil {
			return again, err
		}
	}
	return again, x.rewind()
}

// retriesMax is how many times a request is made once more that its server has not looked at.
const retriesMax = 6

// open begins a stream for a request that has a place, with a small body if there is room for it. ends: it has none.
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

// sizeOf is how long a list of fields is, as SETTINGS_MAX_HEADER_LIST_SIZE counts.
func sizeOf(list []hpack.HeaderField) (n int64) {
	for _, f := range list {
		n += int64(f.Size())
	}
	return n
}

// head2 appends the head of the request, as net/http sends it.
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

// isPath2 reports whether a :path may be sent.
func isPath2(p string) bool {
	return (strings.HasPrefix(p, "/") || p == "*") && !strings.ContainsFunc(p, func(r rune) bool {
		return r < ' ' || r == 0x7f
	})
}

// addCookies adds a Cookie in its pieces, which compress better.
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

// ofConnection reports whether a field is one of HTTP/1's connections, or made by the Transport.
func ofConnection(name string) bool {
	switch name {
	case "host", "content-length", "connection", "proxy-connection", "transfer-encoding", "upgrade", "keep-alive",
		"trailer":
		return true
	}
	return false
}

// checkConnection finds fields that ask for what HTTP/2 does not do.
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

// length2 is that of the body, which needs no coding; -1: not known.
func (x *call) length2() int64 {
	switch {
	case x.body == nil:
		return 0
	case x.r.ContentLength != 0:
		return x.r.ContentLength
	}
	return -1
}

// fails notes that the body is why the request can't be sent. Once its stream has ended it is not: that ends the waits
// of a body, too.
func (st *request2) fails(err error) error {
	st.h.mu.Lock()
	defer st.h.mu.Unlock()
	if st.gone != nil {
		return st.gone
	}
	st.x.sending.own = err
	return err
}

// spoil ends the stream of a request that can't be sent. What has come of an answer that is whole can be read still.
func (st *request2) spoil(why error) {
	st.h.mu.Lock()
	if st.gone == nil && !st.ends {
		st.body.stop(why)
	}
	st.cancel(why)
	st.h.unlock()
}

// copyBody2 sends the body, and says what went wrong in own if it is the body's. It ends with the request's context:
// when the answer is here nobody else hears of that.
func (x *call) copyBody2() error {
	mem := take()
	defer give(mem)
	p := (*mem)[:cap(*mem)]
	length, sent := x.length2(), int64(0)
	for {
		n, err := x.body.Read(p)
		if sent += int64(n); err == nil && sent == length && n < len(p) {
			var more int // the end goes with the last piece
			more, err = x.body.Read(p[n:])
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

// sendTrailers sends what comes behind the body.
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

// allSent is for when the request is. The caller has mu.
func (st *request2) allSent() {
	if st.done = true; st.ends {
		st.h.close(&st.stream2, errEnded)
	}
}
