package sockhttp_test

import (
	"bufio"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sock/sockhttp"
)

// Who asks for the end of a request waits for the loop with nothing locked that the loop may wait for. Here the loop,
// which was held, hears that a handler has returned and that a goroutine which it has left asks.
func TestDoneBesideTheEnd(t *testing.T) {
	begun, returns := make(chan bool), make(chan bool)
	held, release := make(chan bool), make(chan bool)
	mux := http.NewServeMux()
	mux.HandleFunc("/stray", func(_ http.ResponseWriter, r *http.Request) { leaveStray(r, begun, returns) })
	mux.Handle("/hold", sockhttp.Task(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		held <- true
		<-release
	})))
	socktestEach(t, func(t *testing.T, cfg ringo.Config) {
		cfg.StallLimit = -1 // the loop is held for the test's sake
		addr := serve(t, cfg, "goroutine", &sockhttp.Server{Handler: mux})
		stray, hold := dial(t, addr), dial(t, addr)
		answers := map[io.Reader]*bufio.Reader{stray: bufio.NewReader(stray), hold: bufio.NewReader(hold)}
		for range 20 {
			io.WriteString(stray, "GET /stray HTTP/1.1\r\nHost: a\r\n\r\n")
			patience.Recv(t, "the handler's begin", begun)
			io.WriteString(hold, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
			patience.Recv(t, "that the loop is held", held)
			returns <- true
			patience.Until(t, "somebody asks", func() bool {
				return strings.Contains(patience.Stacks(), "requestContext).Done(")
			})
			release <- true
			for _, from := range answers {
				answer, err := http.ReadResponse(from, nil)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, answer.Body)
			}
		}
	})
}

// leaveStray returns when it may, and leaves a goroutine that asks for the request's end behind it.
func leaveStray(r *http.Request, begun chan<- bool, returns <-chan bool) {
	go func() {
		for strings.Contains(patience.Stacks(), "sockhttp_test.leaveStray(") {
			runtime.Gosched()
		}
		<-r.Context().Done()
	}()
	begun <- true
	<-returns
}
