package sockhttp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"strings"
	"testing"
	"time"

	"ringo/internal/test/patience"
	"ringo/sock/sockhttp"
)

// answers2 are handlers, and what a client asks them. What it gets is what net/http's server gives it.
var answers2 = map[string]struct {
	method, body string
	header       http.Header
	h            http.HandlerFunc
}{
	"nothing": {h: func(http.ResponseWriter, *http.Request) {}},
	"small":   {h: func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>small") }},
	"4096":    {h: func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 4096)) }},
	"4097":    {h: func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 4097)) }},
	"large":   {h: func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 1<<20)) }},
	"large from a reader": {h: func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, io.LimitReader(zeros{}, 1<<20))
	}},
	"HEAD": {method: "HEAD", h: func(w http.ResponseWriter, r *http.Request) {
		n, err := io.WriteString(w, "not sent")
		w.Header().Set("After", fmt.Sprint(n, err))
	}},
	"HEAD with nothing": {method: "HEAD", h: func(http.ResponseWriter, *http.Request) {}},
	"HEAD with a length": {method: "HEAD", h: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "77")
	}},
	"HEAD flushed": {method: "HEAD", h: func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		io.WriteString(w, strings.Repeat("x", 10000))
	}},
	"204": {h: func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(204)
		if _, err := io.WriteString(w, "x"); err != http.ErrBodyNotAllowed {
			panic(err)
		}
	}},
	"304": {h: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"x"`)
		w.Header().Set("Content-Type", "a/b")
		w.WriteHeader(304)
	}},
	"a length": {h: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "3")
		io.WriteString(w, "abc")
	}},
	"a length that is none": {h: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "three")
		io.WriteString(w, "abc")
	}},
	"more than its length": {h: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "3")
		io.WriteString(w, "abc")
		w.(http.Flusher).Flush()
		if _, err := io.WriteString(w, "d"); err == nil {
			panic("no error")
		}
	}},
	"less than its length": {h: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		io.WriteString(w, "abc")
	}},
	"fields": {h: func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["X-Two"] = []string{"1", "2"}
		h.Set("Connection", "keep-alive")
		h.Set("Transfer-Encoding", "chunked")
		h["not canonical"] = []string{"x"}
		h["lower"] = []string{"y"}
		h.Set("Bad-Value", "a\nb")
		h["Date"] = nil
		h.Set("Content-Encoding", "x")
		w.WriteHeader(418)
		h.Set("Late", "yes")
		w.WriteHeader(500)
		io.WriteString(w, "teapot")
	}},
	"trailers": {h: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "A, Content-Length")
		w.Header().Add("Trailer", "B,C")
		io.WriteString(w, "body")
		w.Header().Set("A", "1")
		w.Header()["B"] = []string{"2", "3"}
		w.Header().Set(http.TrailerPrefix+"D", "4")
	}},
	"trailers of nothing": {h: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "A")
		w.Header().Set(http.TrailerPrefix+"D", "4")
	}},
	"1xx": {h: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</x>")
		w.WriteHeader(103)
		w.WriteHeader(102)
		w.Header().Del("Link")
		io.WriteString(w, "then")
	}},
	"asks for the body": {method: "POST", body: "body", header: http.Header{"Expect": {"100-continue"}}, h: copies},
	"does not ask for the body": {method: "POST", body: "body", header: http.Header{"Expect": {"100-continue"}},
		h: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) }},
	"does not read the body": {method: "POST", body: strings.Repeat("x", 1<<17),
		h: func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "early") }},
	"more than all windows": {method: "POST", body: strings.Repeat("x", 3<<20),
		h: func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n, err)
		}},
	"closes the body": {method: "POST", body: "body", h: func(w http.ResponseWriter, r *http.Request) {
		r.Body.Close()
		_, err := r.Body.Read(make([]byte, 1))
		fmt.Fprint(w, err != nil)
	}},
	"panics": {h: func(w http.ResponseWriter, r *http.Request) { panic("planned") }},
	"aborts": {h: func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }},
	"aborts later": {h: func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}},
	"seen":    {method: "PUT", body: "x", header: http.Header{"Cookie": {"a=b", "c=d"}, "X": {"1", "2"}}, h: witness},
	"TE":      {header: http.Header{"Te": {"trailers"}}, h: witness},
	"OPTIONS": {method: "OPTIONS", h: witness},
	"read deadline": {method: "POST", body: "never", h: func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
		_, err := io.ReadAll(r.Body)
		fmt.Fprint(w, errors.Is(err, os.ErrDeadlineExceeded))
	}},
	"write deadline": {h: func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0))
		<-r.Context().Done()
	}},
	"write deadline to come": {h: func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Millisecond))
		<-r.Context().Done()
		if _, err := w.Write(make([]byte, 5000)); err == nil {
			panic("no error")
		}
	}},
	"what it can": {h: func(w http.ResponseWriter, r *http.Request) {
		_, hijacks := w.(http.Hijacker)
		_, flushes := w.(http.Flusher)
		_, notifies := w.(http.CloseNotifier)
		c := http.NewResponseController(w)
		_, _, err := c.Hijack()
		fmt.Fprint(w, hijacks, flushes, notifies, errors.Is(err, http.ErrNotSupported), c.EnableFullDuplex())
	}},
	"closes": {h: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		io.WriteString(w, "last")
	}},
}

// zeros is a reader of them.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// copies gives the body back.
func copies(w http.ResponseWriter, r *http.Request) {
	p, err := io.ReadAll(r.Body)
	fmt.Fprint(w, string(p), err)
}

// asked is all that a client gets.
func asked(t *testing.T, client *http.Client, url, name string) string {
	t.Helper()
	c := answers2[name]
	ctx, cancel := context.WithTimeout(context.Background(), patience.Max)
	defer cancel()
	var all strings.Builder
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			fmt.Fprintln(&all, code, header)
			return nil
		}})
	var body io.Reader
	switch c.body {
	case "":
	case "never":
		body, _ = io.Pipe()
	default:
		body = strings.NewReader(c.body)
	}
	r, err := http.NewRequestWithContext(ctx, c.method, url+"/x", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "example.com"
	for key, values := range c.header {
		r.Header[key] = values
	}
	r.Header.Set("Case", name)
	res, err := client.Do(r)
	if err != nil {
		_, text, _ := strings.Cut(err.Error(), "; ") // behind the address, and the stream's number
		return all.String() + text
	}
	defer res.Body.Close()
	p, err := io.ReadAll(res.Body)
	if date := res.Header["Date"]; len(date) > 0 {
		res.Header["Date"] = []string{"now"}
	}
	if err != nil {
		_, text, _ := strings.Cut(err.Error(), "; ")
		err = errors.New(text)
	}
	fmt.Fprintln(&all, res.Status, res.ContentLength, res.Header, len(p), err)
	all.WriteString(string(p[:min(len(p), 500)]))
	fmt.Fprintln(&all, "\n", res.Trailer)
	return all.String()
}

// Clients get of HTTP/2 what net/http's server gives them.
func TestHTTP2AsByNetHTTP(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.Header.Get("Case")
		r.Header.Del("Case")
		answers2[name].h(w, r)
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	std := &http.Server{Handler: h, Protocols: clear2(), ErrorLog: log.New(io.Discard, "", 0)}
	go std.Serve(ln)
	defer std.Close()
	client, _ := client2(t, nil, nil)
	want := map[string]string{}
	for name := range answers2 {
		want[name] = asked(t, client, "http://"+ln.Addr().String(), name)
	}
	each2(t, sockhttp.Goroutine(h), nil, func(t *testing.T, _ *sockhttp.Server, url string, config *tls.Config) {
		client, _ := client2(t, config, nil)
		for name := range answers2 {
			if got := asked(t, client, url, name); got != want[name] {
				t.Errorf("%s:\n%s\nwant\n%s", name, got, want[name])
			}
		}
	})
}
