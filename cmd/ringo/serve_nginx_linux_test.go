//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"ringo/internal/test/patience"
)

// startNginx serves a directory by nginx with gzip_static, in the foreground, and gives a client of it.
func startNginx(t *testing.T, dir string) *http.Client {
	t.Helper()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		t.Skipf("no nginx here: %v", err)
	}
	at := t.TempDir()
	if err := os.Chmod(at, 0o755); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(at, "s")
	put(t, filepath.Join(at, "conf"), fmt.Sprintf("daemon off; master_process off; error_log stderr;\n"+
		"pid %s/pid; events {}\nhttp { access_log off;\n"+
		"types { text/css css; text/javascript js; text/plain txt; application/gzip gz; }\n"+
		"client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s;\n"+
		"scgi_temp_path %[1]s; gzip_static on; gzip_vary on; gzip_proxied any; gzip_http_version 1.0;\n"+
		"server { listen unix:%s; root %s; } }\n", at, socket, dir))
	p := start(t, exec.CommandContext(t.Context(), nginx, "-e", "stderr", "-p", at, "-c", filepath.Join(at, "conf")))
	patience.Until(t, "nginx listens", func() bool {
		select {
		case <-p.done:
			_, stderr := p.wait()
			t.Fatalf("nginx has ended:\n%s", stderr)
		default:
		}
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	tr := &http.Transport{DisableCompression: true}
	tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// TestServePrecompressedLikeNginx: where nginx sends a compressed file, so does ringo serve, with the same bytes and
// fields; it does not where the file is older. nginx has no "*", and sends what has no original.
func TestServePrecompressedLikeNginx(t *testing.T) {
	t.Parallel()
	dir := site(t, map[string]string{"a.css": "a", "a.css.gz": gzipped("a"), "bare.css": "bare", "e.txt": "",
		"e.txt.gz": gzipped(""), "large.js": numbered(1 << 20), "large.js.gz": gzipped(numbered(1 << 20))})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	theirs := startNginx(t, dir)
	_, addr := startServe(t, dir, "-precompressed", "gz", "-fresh", "0")
	ours := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer ours.CloseIdleConnections()
	ask := func(c *http.Client, host, method, path, accept string) (got [6]string) {
		r, err := http.NewRequest(method, "http://"+host+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if accept != "" {
			r.Header.Set("Accept-Encoding", accept)
		}
		a, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		body, err := io.ReadAll(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got = [6]string{a.Status}; a.StatusCode == 200 {
			got = [6]string{a.Status, string(body), a.Header.Get("Content-Encoding"), fmt.Sprint(a.ContentLength),
				a.Header.Get("Last-Modified"), a.Header.Get("Content-Type")[:8]}
		}
		return got
	}
	paths := []string{"/a.css", "/bare.css", "/e.txt", "/large.js", "/none.css", "/a.css.gz"}
	for _, path := range paths {
		for _, accept := range []string{"", "gzip", "GZIP", "gzip, deflate, br", "br", "deflate", "gzip;q=0",
			"gzip;q=0.0", "gzip;q=0.5", "gzip;q=0.001", "gzip; q=1", "gzip;q=1.000", "br, gzip;q=0.2, deflate", "x",
			",", "identity", "gzip ;q=1", "identity;q=0"} {
			for _, method := range []string{"GET", "HEAD"} {
				got, want := ask(ours, addr, method, path, accept), ask(theirs, "h", method, path, accept)
				if got != want {
					t.Errorf("%s %s, Accept-Encoding %q: %.99q; nginx %.99q", method, path, accept, got, want)
				}
			}
		}
	}
	if err := os.Chtimes(filepath.Join(dir, "a.css.gz"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	got, want := ask(ours, addr, "GET", "/a.css", "gzip"), ask(theirs, "h", "GET", "/a.css", "gzip")
	if got[1] != "a" || want[1] != gzipped("a") {
		t.Errorf("where the compressed file is older: %q; nginx %q", got, want)
	}
}
