package proxy

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ringo/internal/test/alloctest"
)

// FuzzLine: whatever a client sends, its line is one, and readers of JSON get what was sent.
func FuzzLine(f *testing.F) {
	for _, text := range []string{"/", "\"}\n{\"", "\\", "\x00\x1f\x7f", "\xff\xfe", "\u2028\u2029", "ä€😀",
		"\xed\xa0\x80"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v := &visit{client: text, request: &http.Request{Method: text, RequestURI: text, Host: text}}
		line := v.appendLine(nil, nil)
		var got struct{ Client, Method, URI, Host string }
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		want := strings.ToValidUTF8(text, "\ufffd")
		if utf8.ValidString(text) && (got.Client != want || got.Method != want || got.URI != want || got.Host != want) {
			t.Errorf("%q gives %q", text, line)
		}
		for _, end := range []string{"\n", "\r", "\x7f", "\u2028", "\u2029"} {
			if strings.Contains(string(line), end) {
				t.Errorf("%q ends the line", end)
			}
		}
	})
}

// TestLine: what there was not is left out.
func TestLine(t *testing.T) {
	u := &upstream{name: "tcp://h:1"}
	for want, v := range map[string]*visit{
		`{"time":"T","client":"c","bytes_in":0,"bytes_out":0,"total_us":7,"end":"refused"}`: {client: "c",
			total: 7 * time.Microsecond, why: endRefused},
		`{"time":"T","client":"c","bytes_in":1,"bytes_out":2,"upstream":"tcp://h:1","tries":3,"wait_us":5,` +
			`"total_us":9,"end":"upstream","error":"no upstream is left to try"}`: {client: "c", in: 1, out: 2, u: u,
			tries: 3, wait: 5 * time.Microsecond, total: 9999, why: endUpstream, err: errNoUpstream},
	} {
		if got := string(v.appendLine(nil, []byte("T"))); got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	}
	v := &visit{client: "c", request: &http.Request{Method: "GET", RequestURI: "/", Host: "h"}, u: u}
	b := make([]byte, 0, 1<<10)
	if n := alloctest.Least(100, 0.1, func() { v.appendLine(b, nil) }); n > 0.1 {
		t.Errorf("%v allocations for a line", n)
	}
}
