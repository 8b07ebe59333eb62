package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"ringo/debug"
)

// A port is one of the loopback address, and a host is taken as it is written.
func TestParseEndpoint(t *testing.T) {
	for _, c := range []struct{ text, host, port string }{
		{"6060", loopback, "6060"}, {":6060", loopback, "6060"}, {"0", loopback, "0"}, {"0.0.0.0:1", "0.0.0.0", "1"},
		{"localhost:1", "localhost", "1"}, {"[::1]:1", "::1", "1"},
		{"", "", ""}, {"x", "", ""}, {"65536", "", ""}, {"h:", "", ""}, {"h:http", "", ""}, {"a/b:1", "", ""},
		{"http://h:1", "", ""}, {"h", "", ""}, {"-1", "", ""},
	} {
		got, err := parseEndpoint("debug", c.text)
		if (err == nil) != (c.port != "") {
			t.Errorf("%q: %v", c.text, err)
		} else if err == nil && (got.host != c.host || got.port != c.port) {
			t.Errorf("%q: %+v", c.text, got)
		}
	}
}

// The console says where it is, warns of an address that others can reach, answers, and is gone when it is stopped.
func TestConsole(t *testing.T) {
	for _, c := range []struct {
		text  string
		warns bool
	}{{"0", false}, {"0.0.0.0:0", true}} {
		at, err := parseEndpoint("debug", c.text)
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		stop, err := at.openConsole(&Server{Stderr: &said})
		if err != nil {
			t.Fatal(err)
		}
		port := regexp.MustCompile(`console http://.*:(\d+)/\n`).FindStringSubmatch(said.String())
		if port == nil || strings.Contains(said.String(), "warning") != c.warns {
			t.Fatalf("-debug %s says %q", c.text, said.String())
		}
		url := "http://127.0.0.1:" + port[1] + "/"
		r, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || !strings.Contains(string(text), "<title>Ringo") {
			t.Errorf("%s: %v in %.100s", url, err, text)
		}
		stop()
		http.DefaultClient.CloseIdleConnections()
		if r, err := http.Get(url); err == nil {
			r.Body.Close()
			t.Errorf("%s answers after the end", url)
		}
	}
}

// Requests for the name of another site are refused, whatever address it stands for.
func TestConsoleHosts(t *testing.T) {
	c := &endpoint{host: "box.example", port: "6060"}
	h := c.onlyHere(debug.Handler())
	for host, code := range map[string]int{
		"127.0.0.1:6060": 200, "localhost:6060": 200, "LOCALHOST": 200, "[::1]:6060": 200, "10.0.0.5": 200,
		"box.example:6060": 200, "evil.example:6060": 421, "evil.example": 421, "": 421, "127.0.0.1.evil.example": 421,
		"localhost.evil.example:6060": 421,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		at := &net.TCPAddr{IP: net.IPv4(127, 0, 1, 1), Port: 6060}
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, at))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != code {
			t.Errorf("%q: %d, want %d", host, w.Code, code)
		}
	}
}
