package sockhttp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/socktest"
	"ringo/sock/sockhttp"
)

// callers are those who make requests.
var callers = []string{"task", "goroutine"}

// asClient runs f as such a caller, with a transport that is left without connections. l is nil on a goroutine.
func asClient(t *testing.T, cfg ringo.Config, caller string, set func(*sockhttp.Transport),
	f func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport)) {
	t.Helper()
	tr := new(sockhttp.Transport)
	if set != nil {
		set(tr)
	}
	if caller == "goroutine" {
		f(t, nil, tr)
		tr.CloseIdleConnections()
		return
	}
	socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
		f(t, l, tr)
		tr.CloseIdleConnections()
	})
}

// eachClient runs f for each caller, on each driver, with a server of h: net/http's, and sockhttp's. They speak HTTP/1,
// and then HTTP/2.
func eachClient(t *testing.T, h http.Handler, set func(*sockhttp.Transport),
	f func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport, url string)) {
	t.Helper()
	eachClient1(t, h, set, f)
	t.Run("HTTP/2", func(t *testing.T) { eachClient2(t, h, set, f) })
}

// eachClient2 is that of HTTP/2, in the clear.
func eachClient2(t *testing.T, h http.Handler, set func(*sockhttp.Transport),
	f func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport, url string)) {
	t.Helper()
	set2 := func(tr *sockhttp.Transport) {
		if set != nil {
			set(tr)
		}
		tr.Protocols = prior2()
	}
	eachClient1(t, h, set2, f)
}

// speaks2 reports whether a client speaks HTTP/2.
func speaks2(tr *sockhttp.Transport) bool { return tr.Protocols != nil }

// eachClient1 is that of what set says, HTTP/1 as a rule.
func eachClient1(t *testing.T, h http.Handler, set func(*sockhttp.Transport),
	f func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport, url string)) {
	t.Helper()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, server := range []string{"net", "sockhttp"} {
			for _, caller := range callers {
				t.Run(server+"/"+caller, func(t *testing.T) {
					var addr string
					if server == "net" {
						addr = controlBy(t, h, clear2())
					} else {
						s := &sockhttp.Server{Handler: h, ErrorLog: slog.New(slog.DiscardHandler), Protocols: clear2()}
						addr = serve(t, cfg, "goroutine", s)
					}
					asClient(t, cfg, caller, set, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport) {
						f(t, l, tr, "http://"+addr)
					})
				})
			}
		}
	})
}

// ask makes a request, and gives its answer with the whole body.
func ask(t *testing.T, tr http.RoundTripper, r *http.Request) (*http.Response, string) {
	t.Helper()
	answer, err := (&http.Client{Transport: tr}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("the body: %v", err)
	}
	return answer, string(body)
}

func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// lately is a body of unknown length that is not in memory.
type lately struct{ io.Reader }

func TestTransportRequests(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", witness)
	large := strings.Repeat("0123456789", 100_000)
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(large)))
		io.WriteString(w, large)
	})
	mux.HandleFunc("/chunks", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		for range 3 {
			io.WriteString(w, "piece;")
			http.NewResponseController(w).Flush()
		}
		w.Header().Set("X-Sum", "3")
	})
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			io.WriteString(w, "plain")
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		zw := gzip.NewWriter(w)
		io.WriteString(zw, large)
		zw.Close()
	})
	mux.HandleFunc("/none", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/large", http.StatusFound)
	})
	eachClient(t, mux, nil, func(t *testing.T, _ *ringo.Loop, tr *sockhttp.Transport, url string) {
		proto, coding := "HTTP/1.1", `coding ["chunked"]`
		if speaks2(tr) {
			proto, coding = "HTTP/2.0", "coding []"
		}
		if a, body := ask(t, tr, request(t, "GET", url+"/a?b=c", nil)); a.StatusCode != 200 || a.Proto != proto ||
			!strings.HasPrefix(body, `GET "/a?b=c" `+proto) {
			t.Errorf("GET: %v, %q", a.Status, body)
		}
		for _, body := range []io.Reader{strings.NewReader("abc"), strings.NewReader(large),
			lately{strings.NewReader(large)}, lately{strings.NewReader("")}} {
			sent := request(t, "POST", url+"/", body)
			if a, got := ask(t, tr, sent); a.StatusCode != 200 || !strings.Contains(got, "\nbody ") {
				t.Errorf("POST: %v, %q", a.Status, got)
			}
		}
		a, body := ask(t, tr, request(t, "HEAD", url+"/large", nil))
		if a.ContentLength != int64(len(large)) || body != "" {
			t.Errorf("HEAD: length %d, body %q", a.ContentLength, body)
		}
		for _, path := range []string{"/large", "/gzip", "/moved"} {
			a, body := ask(t, tr, request(t, "GET", url+path, nil))
			if body != large || a.Uncompressed != (path == "/gzip") {
				t.Errorf("%s: %d bytes, uncompressed %v", path, len(body), a.Uncompressed)
			}
		}
		if a, body := ask(t, tr, request(t, "GET", url+"/chunks", nil)); body != "piece;piece;piece;" ||
			a.Trailer.Get("X-Sum") != "3" {
			t.Errorf("chunks: %q, trailer %v", body, a.Trailer)
		}
		if a, body := ask(t, tr, request(t, "GET", url+"/none", nil)); a.StatusCode != 204 || body != "" {
			t.Errorf("204: %v, %q", a.Status, body)
		}
		r := request(t, "GET", url+"/", lately{strings.NewReader("more")})
		r.Trailer = http.Header{"X-T": {"last"}}
		if _, body := ask(t, tr, r); !strings.Contains(body, coding) ||
			!strings.Contains(body, `trailer X-T: ["last"]`) {
			t.Errorf("a GET with a body: %q", body)
		}
	})
}

// Connections are used again, the last first, and closed when they are not read to the end.
func TestTransportReuse(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			w.Write(make([]byte, 1<<20))
			return
		}
		io.WriteString(w, r.RemoteAddr)
	})
	eachClient(t, h, nil, func(t *testing.T, _ *ringo.Loop, tr *sockhttp.Transport, url string) {
		_, first := ask(t, tr, request(t, "GET", url+"/", nil))
		for range 3 {
			if _, again := ask(t, tr, request(t, "POST", url+"/", strings.NewReader("a"))); again != first {
				t.Errorf("a connection of %s after that of %s", again, first)
			}
		}
		a, err := tr.RoundTrip(request(t, "GET", url+"/long", nil))
		if err != nil {
			t.Fatal(err)
		}
		io.CopyN(io.Discard, a.Body, 10)
		a.Body.Close()
		if _, err := a.Body.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("a read of a closed body: %v", err)
		}
		_, second := ask(t, tr, request(t, "GET", url+"/", nil))
		if second == first != speaks2(tr) { // whose streams end alone
			t.Error("a connection with an answer that is unread is used again")
		}
		r := request(t, "GET", url+"/", nil)
		r.Close = true
		if _, last := ask(t, tr, r); last != second {
			t.Errorf("the last request: from %s, not %s", last, second)
		}
		if _, third := ask(t, tr, request(t, "GET", url+"/", nil)); third == second {
			t.Error("a connection is used that was to end")
		}
	})
}

// A request's end by its context, or by the task's limits, wherever it is: the error says so, and nothing is left.
func TestTransportEnds(t *testing.T) {
	begun := make(chan bool, 10)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			io.WriteString(w, "begun")
			http.NewResponseController(w).Flush()
		}
		if r.URL.RawQuery == "tell" { // a time-out may end before its request is here
			begun <- true
		}
		<-r.Context().Done()
	})
	eachClient(t, h, nil, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport, url string) {
		for _, path := range []string{"/head", "/body"} {
			ctx, cancel := context.WithCancelCause(context.Background())
			why := errors.New("why")
			go func() {
				<-begun
				cancel(why)
			}()
			want := why
			if l == nil && speaks2(tr) {
				want = context.Canceled // net/http keeps the cause for itself
			}
			if err := askUntil(tr, request(t, "GET", url+path+"?tell", nil).WithContext(ctx)); !errors.Is(err, want) {
				t.Errorf("%s, cancelled: %v", path, err)
			}
			client := &http.Client{Transport: tr, Timeout: short}
			a, err := client.Get(url + path)
			if err == nil {
				_, err = io.ReadAll(a.Body)
				a.Body.Close()
			}
			if timed, ok := err.(interface{ Timeout() bool }); !ok || !timed.Timeout() {
				t.Errorf("%s, Client.Timeout: %v", path, err)
			}
			if l == nil {
				continue
			}
			err = l.WithTimeout(short, func() error { return askUntil(tr, request(t, "GET", url+path, nil)) })
			if timed, ok := err.(interface{ Timeout() bool }); !ok || !timed.Timeout() {
				t.Errorf("%s, WithTimeout: %v", path, err)
			}
			task := l.Go(func() { err = askUntil(tr, request(t, "GET", url+path+"?tell", nil)) })
			l.Offload(func(context.Context) error { <-begun; return nil })
			task.Cancel()
			if task.Wait(); !errors.Is(err, context.Canceled) {
				t.Errorf("%s, the task is cancelled: %v", path, err)
			}
		}
	})
}

// askUntil makes a request, and gives the error that ends it.
func askUntil(tr http.RoundTripper, r *http.Request) error {
	a, err := tr.RoundTrip(r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	_, err = io.ReadAll(a.Body)
	return err
}

// The hooks of httptrace come in their order.
func TestTransportTrace(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(103)
		io.WriteString(w, "ok")
	})
	set := func(tr *sockhttp.Transport) { tr.ExpectContinueTimeout = time.Minute }
	of1 := strings.Fields(`GetConn ConnectStart ConnectDone GotConn/false Host User-Agent Content-Length Expect
		Accept-Encoding WroteHeaders Wait100Continue GotFirstResponseByte 1xx/103 Got100Continue 1xx/100 WroteRequest
		PutIdleConn GetConn GotConn/true Host User-Agent Accept-Encoding WroteHeaders WroteRequest GotFirstResponseByte
		1xx/103 PutIdleConn`)
	of2 := strings.Fields(`GetConn ConnectStart ConnectDone GotConn/false :authority :method :path :scheme user-agent
		content-length expect accept-encoding WroteHeaders Wait100Continue GotFirstResponseByte 1xx/103 Got100Continue
		1xx/100 WroteRequest GetConn GotConn/true :authority :method :path :scheme user-agent accept-encoding
		WroteHeaders WroteRequest GotFirstResponseByte 1xx/103`)
	slices.Sort(of1)
	slices.Sort(of2)
	eachClient(t, h, set, func(t *testing.T, l *ringo.Loop, tr *sockhttp.Transport, url string) {
		var mu sync.Mutex
		var got []string
		say := func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, fmt.Sprintf(format, args...))
		}
		ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
			GetConn:              func(string) { say("GetConn") },
			GotConn:              func(i httptrace.GotConnInfo) { say("GotConn/%v", i.Reused) },
			PutIdleConn:          func(error) { say("PutIdleConn") },
			GotFirstResponseByte: func() { say("GotFirstResponseByte") },
			Got100Continue:       func() { say("Got100Continue") },
			Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
				say("1xx/%d", code)
				return nil
			},
			ConnectStart:     func(string, string) { say("ConnectStart") },
			ConnectDone:      func(string, string, error) { say("ConnectDone") },
			WroteHeaderField: func(key string, _ []string) { say("%s", key) },
			WroteHeaders:     func() { say("WroteHeaders") },
			Wait100Continue:  func() { say("Wait100Continue") },
			WroteRequest:     func(httptrace.WroteRequestInfo) { say("WroteRequest") },
		})
		r := request(t, "POST", url, bytes.NewReader(make([]byte, 10)))
		r.Header.Set("Expect", "100-continue")
		ask(t, tr, r.WithContext(ctx))
		ask(t, tr, request(t, "GET", url, nil).WithContext(ctx))
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(got)
		want := of1
		if speaks2(tr) {
			want = of2
		}
		if speaks2(tr) && l == nil { // net/http says GetConn once more, and may dial once more
			got, want = slices.Compact(got), slices.Compact(slices.Clone(want))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}

// short is a time-out that is to pass.
const short = 20 * time.Millisecond
