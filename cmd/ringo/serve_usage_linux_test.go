//go:build linux

package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestServeUsage: mistakes on the command line give 2, what is wrong with the machine 1, before
// anything is served.
func TestServeUsage(t *testing.T) {
	t.Parallel()
	dir := site(t, map[string]string{"f": "file"})
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"", "want a directory, DIR or that of -dir", 2},
		{"DIR DIR", "unexpected argument \"" + dir + "\"", 2},
		{"-bogus DIR", "not defined: -bogus", 2},
		{"-listen udp://127.0.0.1:0 DIR", `network "udp": want tcp, tcp4, tcp6, unix`, 2},
		{"-listen unixpacket://@x DIR", `network "unixpacket": want tcp`, 2},
		{"-files -1 DIR", "-files -1: want 0 to 1048576", 2},
		{"-fresh -1s DIR", "-fresh -1s: want 0 or more", 2},
		{"-header 0 DIR", "-header 0s: want more than 0", 2},
		{"-idle -1s -loops -1 DIR", "-idle -1s: want more than 0\nringo serve: -loops -1: want 0 to 1024\n", 2},
		{"-cert DIR/f DIR", "-cert and -key: want both, or none", 2},
		{"-cert DIR/f -key DIR/f DIR", "-cert and -key: tls: failed to find any PEM data", 1},
		{"-log= DIR", "-log: want off, stderr or a file", 2},
		{"-log-format xml DIR", `-log-format "xml": want common, combined or json`, 2},
		{"-precompressed br,gzip DIR", `unknown ending "gzip": want br, zst and gz, with commas between`, 2},
		{"-precompressed br,br DIR", "br is there twice", 2},
		{"-precompressed , DIR", `unknown ending "": want br, zst and gz`, 2},
		{"DIR/nothing", "no such file or directory", 1},
		{"DIR/f", "not a directory", 1},
		{"-log DIR/no/log DIR", "-log: open " + dir + "/no/log: no such file or directory", 1},
		{"-listen tcp://192.0.2.1:0 DIR", "cannot assign requested address", 1},
	} {
		stdout, stderr, code := runTool(t, tool(t, words("serve "+c.args, dir)...))
		if code != c.code || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d, want %d; stdout %q, stderr %q, want %q in it", c.args, code, c.code,
				stdout, stderr, c.want)
		}
	}
	stdout, _, code := runTool(t, tool(t, "serve", "-h"))
	if code != 0 || !strings.Contains(stdout, "usage: ringo serve [flag ...] DIR") ||
		!strings.Contains(stdout, "-fresh time") {
		t.Errorf("exit code %d, stdout:\n%s", code, stdout)
	}
}

// TestServeStats: a line per period, of which -h explains every word.
func TestServeStats(t *testing.T) {
	t.Parallel()
	dir := site(t, map[string]string{"f": "file"})
	p, addr := startServe(t, dir, "-stats", "20ms", "-loops", "1")
	c := dial(t, addr)
	for range 3 {
		ask(t, c, "GET", "GET /f HTTP/1.1\r\nHost: h\r\n\r\n")
	}
	line := p.line("stats conns=1 ")
	if !regexp.MustCompile(`^stats conns=1 requests=\d+ bytes=\d+ lookups=\d+( [a-z]+=\d+){18}$`).MatchString(line) {
		t.Errorf("line %q", line)
	}
	help, _, _ := runTool(t, tool(t, "serve", "-h"))
	for _, word := range strings.Fields(line)[1:] {
		name, _, _ := strings.Cut(word, "=")
		if !regexp.MustCompile(`(?m)^  ` + name + ` +[a-z]`).MatchString(help) {
			t.Errorf("-h does not explain %s", name)
		}
	}
	p.finish()
}

// TestServeList: with -list a directory is a page of its names, escaped.
func TestServeList(t *testing.T) {
	t.Parallel()
	dir := site(t, map[string]string{"a&b.txt": "x", "sub/f": "x", "<i>": "x", "q?": "x"})
	_, addr := startServe(t, dir, "-list")
	a, body := get(t, addr, "/")
	want := "<pre>\n<a href=\"%3Ci%3E\">&lt;i&gt;</a>\n<a href=\"a&b.txt\">a&amp;b.txt</a>\n<a " +
		"href=\"q%3F\">q?</a>\n<a href=\"sub/\">sub/</a>\n</pre>\n"
	if a.StatusCode != 200 || !strings.HasSuffix(body, want) {
		t.Errorf("%s, %s", a.Status, body)
	}
	if base := filepath.Base(dir); strings.Contains(body, base) {
		t.Errorf("the page tells the directory's name: %s", body)
	}
}
