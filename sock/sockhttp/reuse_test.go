package sockhttp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/invariant"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
)

// A request of TaskReusing allocates nothing if its head is the last one's, and else the text of that; one of Task, on
// the same loop, what it always does.
func TestReusingAllocates(t *testing.T) {
	if race.Enabled || invariant.Enabled {
		t.Skip("a sync.Pool forgets at random with -race, and nothing is reused with invariants")
	}
	runTask(t, func(l *ringo.Loop) {
		for _, e := range exchanges {
			same := &tape{request: []byte(e.request)}
			others := e.allocs - 3 // of the usual handler: a value and what it writes, and not its map and the fields
			if e.name == "usual" {
				others = 2
			}
			once := answersOn(l, TaskReusing(e.handler), same)
			if n := alloctest.Least(1000, others+.1, once); n > others+.1 {
				t.Errorf("%s: %.2f allocations, want %v", e.name, n, others)
			}
			other := func() {
				same.request[len("GET /")]++
				if once(); same.request[len("GET /")] == 'z' {
					same.request[len("GET /")] = 'a'
				}
			}
			if n := alloctest.Least(1000, others+1.1, other); n > others+1.1 {
				t.Errorf("%s, another head each time: %.2f allocations, want %v", e.name, n, others+1)
			}
			once = answersOn(l, Task(e.handler), &tape{request: []byte(e.request)})
			if n := alloctest.Least(1000, e.allocs+.1, once); n > e.allocs+.1 {
				t.Errorf("%s, not reusing: %.2f allocations, want %v", e.name, n, e.allocs)
			}
		}
	})
}

// soil leaves all in a request and its answer that a handler can.
func soil(w http.ResponseWriter, r *http.Request) {
	r.ParseMultipartForm(1 << 20)
	io.Copy(io.Discard, r.Body)
	w.Header().Set("X-Old", "answer")
	w.Header().Set("Trailer", "X-Old-Trailer")
	w.WriteHeader(http.StatusTeapot)
	io.WriteString(w, strings.Repeat("old", 2000))
	w.Header().Set("X-Old-Trailer", "answer")
	r.Method, r.URL.Path, r.URL.User, r.URL.Fragment = "OLD", "/old", url.User("old"), "old"
	r.Proto, r.ProtoMajor, r.ProtoMinor, r.ContentLength, r.TransferEncoding = "old", 7, 7, 7, []string{"old"}
	for key := range r.Header {
		r.Header[key][0] = "old"
	}
	r.Header["Old"] = []string{"old"}
	r.Close, r.Host, r.RemoteAddr, r.RequestURI, r.Pattern = true, "old", "old", "old", "old"
	r.Form, r.PostForm = url.Values{"old": {"old"}}, url.Values{"old": {"old"}}
	r.MultipartForm = &multipart.Form{Value: r.Form}
	r.Trailer = http.Header{"Old": {"old"}}
	r.TLS, r.Response, r.Cancel = new(tls.ConnectionState), new(http.Response), make(chan struct{})
	r.GetBody = func() (io.ReadCloser, error) { return nil, nil }
	r.SetPathValue("old", "old")
	r.Body = http.MaxBytesReader(w, r.Body, 1)
	w.(http.ResponseWriter).(interface{ SetWriteDeadline(time.Time) error }).SetWriteDeadline(time.Time{})
}

const soiled = "POST /old/1?old=1 HTTP/1.1\r\nHost: a\r\nOld-Field: 1\r\nCookie: old\r\nTrailer: T\r\n" +
	"Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n" +
	"5\r\nold=2\r\n0\r\nT: old\r\n\r\n"

// A field more in what each connection or request has costs the next of the sizes in which Go allocates.
func TestSizesOfConnectionsAndRequests(t *testing.T) {
	if strconv.IntSize != 64 {
		t.Skip("the sizes are those of 64 bits")
	}
	const header = 8 // of what has pointers and more than 512 bytes
	if size := reflect.TypeFor[conn]().Size(); size > 128 {
		t.Errorf("a connection has %d bytes, want 128 at most", size)
	}
	if size := reflect.TypeFor[exchange]().Size(); size > 768-header {
		t.Errorf("an exchange has %d bytes, want %d at most", size, 768-header)
	}
}

// An exchange that was given back is a new one, but for memory that is empty, whatever its handler has left there.
func TestReusedIsNew(t *testing.T) {
	if invariant.Enabled {
		t.Skip("nothing is reused with invariants")
	}
	runTask(t, func(l *ringo.Loop) {
		mux := http.NewServeMux()
		mux.Handle("POST /old/{id}", TaskReusing(http.HandlerFunc(soil)))
		s := &Server{Handler: mux}
		o := newOrigin(s, context.Background(), l)
		on := &tape{request: []byte(soiled)}
		c := o.newConn(on, on)
		if err := c.answer(); err != nil || len(o.free) != 1 {
			t.Errorf("answered, %v, with %d exchanges given back", err, len(o.free))
			return
		}
		x := o.takeExchange()
		m := x.memory
		if m.text == "" || m.fields == nil || m.values == nil || x.res.spare == nil {
			t.Errorf("no memory: %+v, %v", m, x.res.spare)
		}
		kept := slices.ContainsFunc(m.values, func(v string) bool { return v != "" })
		if len(m.fields) != 0 || kept || len(x.res.spare) != 0 {
			t.Errorf("it has %v, %q, %v", m.fields, m.values, x.res.spare)
		}
		if x.body == nil || !reflect.DeepEqual(x.body, new(body)) {
			t.Errorf("its body is %+v", x.body)
		}
		x.memory, x.res.spare, x.body = memory{}, nil, nil
		if !reflect.DeepEqual(x, new(exchange)) {
			t.Errorf("it has %+v", x)
		}
	})
}

// What may be in other hands is not reused, and what is large is not kept.
func TestNotReused(t *testing.T) {
	if invariant.Enabled {
		t.Skip("nothing is reused with invariants")
	}
	none := func(http.ResponseWriter, *http.Request) {}
	derive := func(_ http.ResponseWriter, r *http.Request) {
		_, cancel := context.WithCancel(r.Context())
		cancel()
	}
	manyFields := strings.Repeat("X: y\r\n", 10)
	for i := range fieldsMax + 1 {
		manyFields += fmt.Sprintf("X%d: y\r\n", i)
	}
	post := "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
	bare := exchanges[0].request
	for _, c := range []struct {
		name    string
		handler http.Handler
		request string
		reused  bool
	}{
		{"nothing", TaskReusing(http.HandlerFunc(none)), bare, true},
		{"Task", Task(http.HandlerFunc(none)), bare, false},
		{"Done", TaskReusing(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			r.Context().Done()
		})), bare, false},
		{"a context of it", TaskReusing(http.HandlerFunc(derive)), bare, false},
		{"AfterFunc", TaskReusing(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			context.AfterFunc(r.Context(), func() {})()
		})), bare, false},
		{"CloseNotify", TaskReusing(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.(http.CloseNotifier).CloseNotify()
		})), bare, false},
		{"full duplex", TaskReusing(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
		})), bare, false},
		{"panic", TaskReusing(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		})), bare, false},
		{"a body that the server reads", TaskReusing(http.HandlerFunc(none)), post, true},
		{"a body that goes on", TaskReusing(http.HandlerFunc(none)),
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc", false},
		{"a body that somebody reads", TaskReusing(http.HandlerFunc(none)), post, false},
		{"a long head", TaskReusing(http.HandlerFunc(none)),
			"GET /" + strings.Repeat("x", textMax) + " HTTP/1.1\r\nHost: a\r\n\r\n", true},
		{"many fields", TaskReusing(http.HandlerFunc(none)),
			"GET / HTTP/1.1\r\nHost: a\r\n" + manyFields + "\r\n", true},
		{"many lines of one field", TaskReusing(http.HandlerFunc(none)),
			"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X:\n", fieldsMax+1) + "\r\n", true},
		{"many fields that are deleted", TaskReusing(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			clear(r.Header)
		})), "GET / HTTP/1.1\r\nHost: a\r\n" + manyFields + "\r\n", true},
		{"many fields of the answer", TaskReusing(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i := range fieldsMax + 1 {
				w.Header().Set(fmt.Sprint("X", i), "y")
			}
		})), bare, true},
	} {
		runTask(t, func(l *ringo.Loop) {
			o := newOrigin(&Server{Handler: c.handler}, context.Background(), l)
			on := &tape{request: []byte(c.request)}
			conn := o.newConn(on, on)
			if c.name == "a body that somebody reads" {
				conn.s.Answered = func(_ net.Conn, r *http.Request, _ int, _ int64) { r.Body.(*body).mu.Lock() }
			}
			if strings.Contains(c.name, "context") || c.name == "Done" || c.name == "AfterFunc" ||
				c.name == "CloseNotify" {
				on.off, conn.c = len(c.request), &buffered{Conn: on, p: []byte(c.request)}
			}
			conn.answer()
			if (len(o.free) == 1) != c.reused {
				t.Errorf("%s: reused %v, want %v", c.name, !c.reused, c.reused)
			}
			for _, x := range o.free {
				m := x.memory
				ofAnswer := c.name == "many fields of the answer"
				large := ofAnswer && x.res.spare != nil ||
					!ofAnswer && strings.HasPrefix(c.name, "many") && m.fields != nil
				if len(m.text) > textMax || len(m.values) > fieldsMax || large {
					t.Errorf("%s: %d bytes and %d values are kept, or large maps", c.name, len(m.text), len(m.values))
				}
			}
		})
	}
}

// Where there is no room for an exchange, who reads its body behind the end of its handler does not wait either.
func TestNotKept(t *testing.T) {
	runTask(t, func(l *ringo.Loop) {
		o := newOrigin(new(Server), context.Background(), l)
		var in io.Reader
		o.s.Handler = TaskReusing(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			in = r.Body
			for len(o.free) < exchangesMax {
				o.free = append(o.free, new(exchange))
			}
		}))
		on := &tape{request: []byte(soiled)}
		if err := o.newConn(on, on).answer(); err != nil {
			t.Error(err)
		}
		if !in.(*body).mu.TryLock() {
			t.Fatal("nobody can read the body")
		}
		in.(*body).mu.Unlock()
		if n, err := in.Read(make([]byte, 1)); n != 0 || err != http.ErrBodyReadAfterClose {
			t.Errorf("Read = %d, %v", n, err)
		}
	})
}

// Until it is another's, and with invariants for ever, an exchange is of no use to who has kept it.
func TestStale(t *testing.T) {
	var w http.ResponseWriter
	var r *http.Request
	var u *url.URL
	var field []string
	var in io.Reader
	h := TaskReusing(http.HandlerFunc(func(w0 http.ResponseWriter, r0 *http.Request) {
		w, r, u, field, in = w0, r0, r0.URL, r0.Header["Old-Field"], r0.Body
		io.Copy(io.Discard, in)
	}))
	runTask(t, func(l *ringo.Loop) {
		on := &tape{request: []byte(soiled)}
		answersOn(l, h, on)()
		ctx := r.Context()
		wrote := on.wrote
		if n, err := io.WriteString(w, "late"); n != 0 || !errors.Is(err, errHandlerReturned) {
			t.Errorf("WriteString = %d, %v", n, err)
		}
		if err := http.NewResponseController(w).Flush(); !errors.Is(err, errHandlerReturned) {
			t.Errorf("Flush: %v", err)
		}
		if n, err := in.Read(make([]byte, 1)); n != 0 || err != http.ErrBodyReadAfterClose {
			t.Errorf("Read = %d, %v", n, err)
		}
		if on.wrote != wrote {
			t.Errorf("%d bytes went out", on.wrote-wrote)
		}
		if !invariant.Enabled {
			return
		}
		if u.Path != stale || field[0] != stale || r.Method != stale || ctx.Err() == nil {
			t.Errorf("found %q, %q, %q, %v", u.Path, field, r.Method, ctx.Err())
		}
		for name, use := range map[string]func(){
			"URL":         func() { _ = r.URL.Path },
			"Header":      func() { r.Header.Set("A", "b") },
			"Value":       func() { ctx.Value(http.ServerContextKey) },
			"WriteHeader": func() { w.WriteHeader(http.StatusOK) },
			"Hijack":      func() { http.NewResponseController(w).Hijack() },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s does not panic", name)
					}
				}()
				use()
			}()
		}
	})
}
