package serve

import (
	"encoding/json"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"ringo/internal/test/alloctest"
)

// TestLines: each format has what there is of an answer.
func TestLines(t *testing.T) {
	request := &http.Request{Method: "GET", Host: "h:1", RequestURI: "/a?b=c", Proto: "HTTP/1.1",
		RemoteAddr: "127.0.0.1:5", Header: http.Header{"Referer": {"http://h/", "other"},
			"User-Agent": {"curl/8 (x; y)"}}}
	hostile := &http.Request{Method: "GET", Host: "h", RequestURI: "/\"\\\n\xff\x1b[2J\u2028ä", Proto: "HTTP/1.0",
		Header: http.Header{"User-Agent": {"\" 200 1\r\n1.2.3.4 - - ["}}}
	for _, c := range []struct {
		answer                 answer
		common, combined, json string
	}{
		{answer{"127.0.0.1:5", request, 200, 17},
			`127.0.0.1 - - T "GET /a?b=c HTTP/1.1" 200 17`,
			`127.0.0.1 - - T "GET /a?b=c HTTP/1.1" 200 17 "http://h/" "curl/8 (x; y)"`,
			`{"time":"T","client":"127.0.0.1:5","method":"GET","host":"h:1","uri":"/a?b=c","proto":"HTTP/1.1",` +
				`"status":200,"bytes_out":17,"referer":"http://h/","user_agent":"curl/8 (x; y)"}`},
		{answer{"[::1]:5", hostile, 404, 0},
			`::1 - - T "GET /\x22\x5c\x0a\xff\x1b[2J\xe2\x80\xa8\xc3\xa4 HTTP/1.0" 404 0`,
			`::1 - - T "GET /\x22\x5c\x0a\xff\x1b[2J\xe2\x80\xa8\xc3\xa4 HTTP/1.0" 404 0 "-" ` +
				`"\x22 200 1\x0d\x0a1.2.3.4 - - ["`,
			`{"time":"T","client":"[::1]:5","method":"GET","host":"h","uri":"/\"\\\u000a\ufffd\u001b[2J\u2028ä",` +
				`"proto":"HTTP/1.0","status":404,"bytes_out":0,"user_agent":"\" 200 1\u000d\u000a1.2.3.4 - - ["}`},
		{answer{unnamed, nil, 400, 15}, `unix: - - T "-" 400 15`, `unix: - - T "-" 400 15 "-" "-"`,
			`{"time":"T","client":"unix:","status":400,"bytes_out":15}`},
	} {
		for name, want := range map[string]string{"common": c.common, "combined": c.combined, "json": c.json} {
			if got := string(formats[name].append(nil, []byte("T"), c.answer)); got != want {
				t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
			}
		}
	}
	b := make([]byte, 0, 1<<10)
	for name, f := range formats {
		if n := alloctest.Least(100, 0.1, func() {
			f.append(b, nil, answer{clientOf(nil, request), request, 200, 17})
		}); n > 0.1 {
			t.Errorf("%s: %v allocations for a line", name, n)
		}
	}
}

// TestClient: what is no address is not in a line, since a client chooses the name of its Unix socket.
func TestClient(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]string{"127.0.0.1:80": "127.0.0.1", "[::1]:80": "::1",
		"[fe80::1%eth0]:80": "fe80::1%eth0", "": unnamed, "@": unnamed, "@x:1": unnamed, "/tmp/\n1.2.3.4:5": unnamed,
		"unix:": unnamed} {
		if got := hostOf(clientOf(nil, &http.Request{RemoteAddr: at})); got != want {
			t.Errorf("%q: %q, want %q", at, got, want)
		}
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if got := clientOf(a, nil); got != unnamed {
		t.Errorf("%q of a pipe", got)
	}
}

// combinedLine is what programs that read such logs look for.
var combinedLine = func() *regexp.Regexp {
	const quoted = `"((?:[ !#-\[\]-~]|\\x[0-9a-f]{2})*)"`
	return regexp.MustCompile(`^([^ ]+) - - (T) ` + quoted + ` (\d+) (\d+) ` + quoted + ` ` + quoted + `$`)
}()

// FuzzLines: whatever a client sends, its line is one, and who reads it gets what was sent.
func FuzzLines(f *testing.F) {
	for _, text := range []string{"/", "\"}\n{\"", "\\", "\x00\x1f\x7f", "\xff\xfe", "\u2028\u2029", "ä€😀",
		"\xed\xa0\x80", "\" 200 1 \"", "\\x22", "\x1b]0;title\x07"} {
		f.Add(text, text, text)
	}
	f.Fuzz(func(t *testing.T, uri, referer, agent string) {
		a := answer{"127.0.0.1:5", &http.Request{Method: "GET", Host: agent, RequestURI: uri, Proto: "HTTP/1.1",
			Header: http.Header{"Referer": {referer}, "User-Agent": {agent}}}, 200, 17}
		m := combinedLine.FindStringSubmatch(string(appendCombined(nil, []byte("T"), a)))
		if m == nil {
			t.Fatalf("%q", appendCombined(nil, []byte("T"), a))
		}
		for i, want := range map[int]string{3: "GET " + uri + " HTTP/1.1", 6: orNone(referer), 7: orNone(agent)} {
			if text, err := strconv.Unquote(`"` + m[i] + `"`); text != want || err != nil {
				t.Errorf("%q is read as %q, %v", want, text, err)
			}
		}

		line := appendJSON(nil, []byte("T"), a)
		var got struct {
			Time, Client, Method, Host, URI, Proto, Referer string
			Status                                          int
			Size                                            int64  `json:"bytes_out"`
			Agent                                           string `json:"user_agent"`
		}
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if got.Time != "T" || got.Client != a.client || got.Method != "GET" || got.Proto != "HTTP/1.1" ||
			got.Status != 200 || got.Size != 17 {
			t.Errorf("%q: %+v", line, got)
		}
		for _, c := range [][2]string{{got.URI, uri}, {got.Referer, referer}, {got.Agent, agent}, {got.Host, agent}} {
			if c[0] != c[1] && utf8.ValidString(c[1]) || !utf8.ValidString(c[0]) {
				t.Errorf("%q is read as %q", c[1], c[0])
			}
		}
		for _, end := range []string{"\n", "\r", "\x7f", "\x1b", "\u2028", "\u2029"} {
			if strings.Contains(string(line), end) {
				t.Errorf("%q has %q", line, end)
			}
		}
	})
}

// orNone is how the combined format has a field that may be missing.
func orNone(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
