package sockhttp_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// The room for bodies that a stream was woken for is others' when the stream is reset before it takes it.
func TestResetLeavesItsRoom(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write(bytes.Repeat([]byte("x"), 200_000))
	})
	eachClear2(t, h, nil, func(t *testing.T, url string) {
		r := dial2(t, url, setting(4, 1<<30))
		r.send(getOn(1))
		for n := 0; n < 65535; {
			n += len(r.until(data, 1).payload)
		}
		r.send(getOn(3))
		r.until(headers, 3)
		r.send(made(window, 0, 0, word(100)) + made(reset, 0, 1, word(8)))
		if n := len(r.until(data, 3).payload); n != 100 {
			t.Errorf("%d bytes", n)
		}
	})
}

// Heads of answers are as long as handlers make them, and as many as there are requests: they wait for each other.
func TestManyAndLongHeads(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := 4000
		if r.Method == "POST" {
			n = 300_000
		}
		w.Header().Set("Long", strings.Repeat("x", n))
	})
	eachClear2(t, h, nil, func(t *testing.T, url string) {
		r := dial2(t, url)
		var all strings.Builder
		for i := range 200 {
			all.WriteString(getOn(uint32(2*i + 1)))
		}
		r.send(all.String())
		for range 200 {
			r.until(headers, 0)
		}
		r.send(made(headers, endStream|endHeaders, 1001, head("POST", "/")))
		r.until(headers, 1001)
		for r.until(continuation, 1001).flags&endHeaders == 0 {
		}
	})
}
