package proxy

import (
	"net/http"
	"testing"
)

// TestRuleRefused: no rule ends its line, or says how a message is read.
func TestRuleRefused(t *testing.T) {
	for _, text := range []string{"X: a\r\nY: b", "X: a\nb", "X: a\rb", "X: \x00", "X: \x7f", "X\r\n: a", "X : a",
		" X: a", ": a", "X\u00e4: a", "Content-Length: 1", "content_length: 1", "Transfer-Encoding: chunked",
		"TE: trailers", "Connection: close", "Keep-Alive: 5", "Proxy-Connection: close", "Trailer: X", "Upgrade: h2c",
		"Expect: 100-continue"} {
		var rs rules
		if err := rs.set(text, true); err == nil || len(rs.fields) > 0 {
			t.Errorf("%q is %v", text, rs.fields)
		}
	}
	for _, host := range []string{"", "a b", "a/b", "a\r\nX: y", "a,b", "a@b"} {
		if err := new(rules).set("Host: "+host, true); err == nil {
			t.Errorf("%q is a host", host)
		}
	}
}

// TestRulesKeep: a head that goes out does not change what the next one gets.
func TestRulesKeep(t *testing.T) {
	var rs rules
	for _, text := range []string{"X: a", "X: b"} {
		if err := rs.set(text, false); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		h := http.Header{}
		rs.apply(h)
		h.Add("X", "mine")
	}
	h := http.Header{}
	if rs.apply(h); len(h["X"]) != 2 || cap(h["X"]) != 2 {
		t.Errorf("a head gets %q", h["X"])
	}
}
