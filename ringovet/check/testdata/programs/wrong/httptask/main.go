// Handlers of net/http that run in tasks.
package main

import (
	"context"
	"database/sql"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"net/http/httputil"
	"net/http/pprof"
	"net/url"
	"os"
	"time"

	"ringo/sock/sockhttp"
)

type store struct {
	db      *sql.DB
	changed chan string
}

func (s *store) get(w http.ResponseWriter, r *http.Request) {
	var name string
	s.db.QueryRowContext(r.Context(), "select 1").Scan(&name) // want `QueryRowContext.*sockhttp\.Task` `Scan`
	w.Write([]byte(name))
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.changed <- r.URL.Path // want `a channel send stops the loop.*sockhttp\.Task`
}

func page(w http.ResponseWriter, r *http.Request) {
	p, err := os.ReadFile("page.html") // want `os\.ReadFile`
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Write(p)
}

// timed is middleware.
func timed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		next.ServeHTTP(w, r)                               // want `ServeHTTP of a handler of http\.FileServer` `ServeHTTP of a handler of http\.TimeoutHandler`
		log.Printf("%s took %v", r.URL, time.Since(began)) // want `log\.Printf`
	})
}

func slow(w http.ResponseWriter, _ *http.Request) {
	time.Sleep(time.Second) // want `time\.Sleep`
}

// hot marks what it is given.
func hot(h http.HandlerFunc) http.Handler { return sockhttp.Task(h) }

func asset(w http.ResponseWriter, r *http.Request) {
	http.ServeFile(w, r, "asset.css") // want `http\.ServeFile`
}

func inside(w http.ResponseWriter, _ *http.Request) {
	_, err := http.Get("http://127.0.0.1/") // want `http\.Get`
	if err != nil {
		http.Error(w, "", http.StatusBadGateway)
	}
}

var hidden = &http.Client{Transport: http.DefaultTransport}

// spoken is middleware of a client.
type spoken struct{ next http.RoundTripper }

func (s spoken) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(time.Second) // want `time\.Sleep`
	return s.next.RoundTrip(r)
}

func clients(http.ResponseWriter, *http.Request) {
	http.DefaultClient.Head("http://127.0.0.1/") // want `Client\)?\.Head.*sockhttp\.Transport`
	new(http.Client).Get("http://127.0.0.1/")    // want `Get.*sockhttp\.Transport`
	hidden.Get("http://127.0.0.1/")              // want `Get.*sockhttp\.Transport`
	plain := &http.Client{Transport: &http.Transport{}}
	plain.PostForm("http://127.0.0.1/", nil) // want `PostForm.*sockhttp\.Transport`
	c := &http.Client{Transport: spoken{new(sockhttp.Transport)}}
	c.Get("http://127.0.0.1/")
}

func under(http.ResponseWriter, *http.Request) {
	time.Sleep(time.Second) // want `time\.Sleep`
}

// slowly is what a Body is read through.
type slowly struct{ io.ReadCloser }

func (s slowly) Read(p []byte) (int, error) {
	time.Sleep(time.Second) // want `time\.Sleep`
	return s.ReadCloser.Read(p)
}

func slowed(_ http.ResponseWriter, r *http.Request) {
	r.Body = slowly{r.Body}
	io.ReadAll(r.Body)
}

func limited(http.ResponseWriter, *http.Request) {
	time.Sleep(time.Second) // want `time\.Sleep`
}

// behind runs on a goroutine, which http.TimeoutHandler starts.
func behind(http.ResponseWriter, *http.Request) { time.Sleep(time.Second) }

func main() {
	s := &store{changed: make(chan string)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /get", func(w http.ResponseWriter, r *http.Request) { time.Sleep(1) }) // on a goroutine
	mux.Handle("GET /db", sockhttp.Task(http.HandlerFunc(s.get)))
	mux.Handle("GET /page", sockhttp.Task(timed(http.HandlerFunc(page))))
	mux.Handle("GET /slow", hot(slow))
	mux.Handle("GET /asset", hot(asset))
	mux.Handle("POST /change", sockhttp.Task(s))
	target, _ := url.Parse("http://127.0.0.1:1")
	mux.Handle("/else", sockhttp.Task(httputil.NewSingleHostReverseProxy(target))) // want `httputil\.ReverseProxy`

	mux.Handle("/clients", hot(clients))
	mux.Handle("/slowed", hot(slowed))
	mux.Handle("/under/", sockhttp.Task(timed(http.StripPrefix("/under", http.HandlerFunc(under)))))
	mux.Handle("/limited/", sockhttp.Task(http.MaxBytesHandler(http.HandlerFunc(limited), 1000)))

	mux.Handle("/files/", sockhttp.Task(http.FileServer(http.Dir("."))))                       // want `http\.FileServer reads files`
	mux.Handle("/f/", sockhttp.Task(http.StripPrefix("/f", http.FileServerFS(os.DirFS("."))))) // want `http\.FileServer`
	mux.Handle("/timed/", sockhttp.Task(timed(http.FileServer(http.Dir(".")))))                // the middleware has it

	late := http.TimeoutHandler(http.HandlerFunc(behind), time.Second, "late")
	mux.Handle("/late", sockhttp.Task(late))                                     // want `ServeHTTP of a handler of http\.TimeoutHandler stops the loop`
	mux.Handle("/later", sockhttp.Task(timed(late)))                             // the middleware has it, too
	mux.Handle("/latest", sockhttp.Task(http.StripPrefix("/latest", late)))      // want `http\.TimeoutHandler`
	mux.Handle("/profile", sockhttp.Task(http.HandlerFunc(pprof.Profile)))       // want `pprof\.Profile stops the loop`
	mux.Handle("/cgi/", sockhttp.Task(&cgi.Handler{Path: "/usr/lib/cgi/books"})) // want `cgi\.Handler\)\.ServeHTTP stops the loop`

	all := http.NewServeMux()
	all.HandleFunc("/inside", inside)
	go sockhttp.ListenAndServe(context.Background(), nil, ":8081", sockhttp.Task(all))
	log.Print(sockhttp.ListenAndServe(context.Background(), nil, ":8080", mux))
}
