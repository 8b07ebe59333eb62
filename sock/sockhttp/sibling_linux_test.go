//go:build linux

package sockhttp_test

import (
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/invariant"
	"ringo/internal/race"
	"ringo/internal/test/socktest"
	"ringo/sock/sockhttp"
)

// TestPrecompressedNodes: a sibling that leads out of the directory, that is no file, or that may not be read, is none.
func TestPrecompressedNodes(t *testing.T) {
	secret := site(t, map[string]string{"secret": "secret"})
	content := map[string]string{"d/other": "gzip of inside", "noperm.gz": "gzip"}
	names := []string{"outside", "up", "absolute", "dangling", "loop", "fifo", "null", "inside", "noperm"}
	for _, name := range names {
		content[name] = name
	}
	dir := site(t, content)
	for name, to := range map[string]string{
		"outside": filepath.Join(secret, "secret"), "up": "../" + filepath.Base(secret) + "/secret",
		"absolute": filepath.Join(dir, "d/other"), "dangling": "nothing", "loop": "loop.gz", "null": "/dev/null",
		"inside": "d/other",
	} {
		if err := os.Symlink(to, filepath.Join(dir, name+".gz")); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo.gz"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "noperm.gz"), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(dir, "fifo"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	files := &sockhttp.Files{Root: openRoot(t, dir), Precompressed: []string{"gz"}}
	t.Cleanup(files.Close)
	eachProtocol(t, files, func(t *testing.T, client *http.Client, url string) {
		for _, name := range names {
			want := name
			switch {
			case name == "inside":
				want = "gzip of inside"
			case name == "noperm" && os.Getuid() == 0: // who may read everything
				want = "gzip"
			}
			for range 2 {
				a, body := answerTo(t, client, "GET", url+"/"+name, "Accept-Encoding: gzip")
				coded := a.Header.Get("Content-Encoding") == "gzip"
				if a.StatusCode != 200 || body != want || coded != (want != name) {
					t.Errorf("%s: %s, %q, %v, want %q", name, a.Status, body, a.Header, want)
				}
			}
		}
	})
}

// TestPrecompressedAllocs: an answer allocates nothing, be it the sibling, sent from memory or by sendfile, or the
// plain file since there is none.
func TestPrecompressedAllocs(t *testing.T) {
	if race.Enabled || invariant.Enabled {
		t.Skip("the race detector allocates, and nothing is reused with invariants")
	}
	dir := site(t, map[string]string{"small": "plain", "small.gz": "gzip of small", "large": "plain",
		"large.br": "brotli of large" + numbered(64<<10)})
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		files := &sockhttp.Files{Root: openRoot(t, dir), Precompressed: allEndings, Fresh: time.Hour}
		t.Cleanup(files.Close)
		addr := serve(t, cfg, "task", &sockhttp.Server{Handler: sockhttp.Task(files)})
		for _, c := range []struct{ path, accept, text string }{
			{"/small", "gzip, deflate, br, zstd", "gzip of small"},
			{"/large", "gzip, deflate, br, zstd", "brotli of large"},
			{"/small", "br, zstd;q=0.5", "plain"}, {"/small", "deflate, identity;q=0.1", "plain"},
		} {
			const some = 0.02 // the runtime's own
			if n := countAllocs(t, dial(t, addr), c.path, c.text, "Accept-Encoding: "+c.accept+"\r\n"); n > some {
				t.Errorf("%s %s: %.3f allocations a request, want none", c.path, c.accept, n)
			}
		}
	})
}
