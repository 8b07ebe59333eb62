//go:build linux

package sockhttp_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ringo/sock/sockhttp"
)

// What is no file, or leads out of the directory, is neither served nor waited for: here http.FileServer differs, which
// opens what it finds.
func TestFilesNodes(t *testing.T) {
	secret := site(t, map[string]string{"secret": "secret", "d/secret": "secret"})
	dir := site(t, map[string]string{"f": "file", "bare/f": "file", "page/x": "x"})
	for name, to := range map[string]string{
		"inside": "f", "outside": filepath.Join(secret, "secret"), "up": "../" + filepath.Base(secret) + "/secret",
		"dirout": secret, "bare/back": "../f", "bare/far": "../../x", "loop": "loop", "dangling": "nothing",
		"null": "/dev/null", "self": "/proc/self/root/etc/passwd", "absolute": filepath.Join(dir, "f"),
		"page/index.html": "../../x",
	} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	files := &sockhttp.Files{Root: openRoot(t, dir)}
	t.Cleanup(files.Close)
	want := map[string]int{
		"/f": 200, "/inside": 200, "/bare/back": 200, "/bare": 301, "/bare/": 200, "/": 200,
		"/outside": 403, "/up": 403, "/dirout": 403, "/dirout/": 403, "/dirout/secret": 403, "/dirout/d/": 403,
		"/bare/far": 403, "/absolute": 403, "/null": 403, "/self": 403, "/loop": 403, "/dangling": 404, "/fifo": 403,
		"/socket": 403, "/fifo/": 403, "/fifo/x": 404, "/f/x": 404, "/page/": 403, "/" + strings.Repeat("x", 300): 404,
		"/%00": 404, "/../" + filepath.Base(secret) + "/secret": 404, "/..%2f" + filepath.Base(secret) + "/secret": 404,
	}
	eachWay(t, files, nil, func(t *testing.T, addr string) {
		for range 2 {
			for path, status := range want {
				if a, body := getFile(t, addr, path); a.StatusCode != status || strings.Contains(body, "secret\n") {
					t.Errorf("%s: %s %.50q, want %d", path, a.Status, body, status)
				}
			}
		}
	})
}

// A file that the server may not read gets 403, and so does what is below a directory that it may not pass.
func TestFilesUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything: main.TestServeUnreadable runs the server as another user")
	}
	dir := site(t, map[string]string{"f": "file", "hidden": "x", "closed/f": "x", "d/index.html": "x"})
	for _, name := range []string{"hidden", "closed", "d/index.html"} {
		if err := os.Chmod(filepath.Join(dir, name), 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.Chmod(filepath.Join(dir, "closed"), 0o755) })
	files := &sockhttp.Files{Root: openRoot(t, dir)}
	t.Cleanup(files.Close)
	eachWay(t, files, nil, func(t *testing.T, addr string) {
		for path, status := range map[string]int{"/f": 200, "/hidden": 403, "/closed/f": 403, "/closed/": 403,
			"/d/": 403} {
			if a, _ := getFile(t, addr, path); a.StatusCode != status {
				t.Errorf("%s: %s, want %d", path, a.Status, status)
			}
		}
	})
}
