// Package tooltest has what the tests of the tool's commands share.
package tooltest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"ringo/internal/posix"
	"ringo/internal/test/patience"
	"ringo/uring"
)

// NeedUring skips the test if the uring driver does not run here, and says why.
func NeedUring(t *testing.T) {
	t.Helper()
	if err := Available("uring"); err != nil {
		t.Skip(err)
	}
}

// Available returns nil if a driver runs here, else why not. It knows of uring alone.
func Available(driver string) error {
	if driver != "uring" {
		return nil
	}
	if err := uringRefused(); err != nil {
		return fmt.Errorf("no io_uring here: %w", err)
	}
	return nil
}

var uringRefused = sync.OnceValue(func() error {
	needed := []string{uring.CheckPollMultishot, uring.CheckAcceptMultishot}
	r, err := uring.ProbeFor(nil, needed...)
	if err != nil {
		return err
	}
	return r.Require(needed...)
})

// Dial connects to an address; the connection is closed when the test ends.
func Dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return forTest(t, c)
}

// forTest sets a connection's deadline for a test, and closes it when the test ends.
func forTest(t *testing.T, c net.Conn) *net.TCPConn {
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(patience.Deadline())
	return c.(*net.TCPConn)
}

// DialInTime connects to a server that resets connections on which nothing happens for a while. On a busy machine that
// may be over before the dial returns: then DialInTime dials again. resets is how often it did.
func DialInTime(t *testing.T, addr string) (c *net.TCPConn, resets int) {
	t.Helper()
	for ; ; resets++ {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return forTest(t, c), resets
		}
		if !errors.Is(err, posix.ECONNRESET) {
			t.Fatal(err)
		}
	}
}

// Epoch is the modification time of the files of a Site.
var Epoch = time.Date(2021, 5, 6, 7, 8, 9, 987654321, time.UTC)

// Site makes a directory with these files, by their names.
func Site(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		Put(t, filepath.Join(dir, name), content)
	}
	return dir
}

// Put makes a file of a Site.
func Put(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, Epoch, Epoch); err != nil {
		t.Fatal(err)
	}
}

// Numbered returns n bytes of numbered lines.
func Numbered(n int) string {
	b := make([]byte, 0, n+64)
	for i := 0; len(b) < n; i++ {
		b = append(strconv.AppendInt(append(b, "line "...), int64(i), 10), " of a file\n"...)
	}
	return string(b[:n])
}

// Ask sends text on a connection and reads the answer to a request of that method.
func Ask(t *testing.T, c net.Conn, method, text string) (*http.Response, string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatalf("%.50q: %v", text, err)
	}
	a, body, err := ReadAnswer(bufio.NewReader(c), method)
	if err != nil {
		t.Fatalf("%.50q: %v", text, err)
	}
	return a, body
}

// AskAt asks on a connection of its own and closes it, so that a drain does not wait for what else it may ask.
func AskAt(t *testing.T, addr, method, text string) (*http.Response, string) {
	t.Helper()
	c := Dial(t, addr)
	defer c.Close()
	return Ask(t, c, method, text)
}

// ReadAnswer reads the answer to a request of that method, and its body.
func ReadAnswer(r *bufio.Reader, method string) (*http.Response, string, error) {
	a, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(a.Body)
	return a, string(body), err
}

// Get requests a path on a new connection.
func Get(t *testing.T, addr, path string) (*http.Response, string) {
	t.Helper()
	c := Dial(t, addr)
	defer c.Close()
	return Ask(t, c, "GET", fmt.Sprintf("GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path))
}

// WantFile requests a path, and fails the test unless the answer is 200 with that body.
func WantFile(t *testing.T, addr, path, want string) {
	t.Helper()
	if a, body := Get(t, addr, path); a.StatusCode != 200 || body != want {
		t.Errorf("%s: %s %.50q of %d bytes, want %.50q of %d", path, a.Status, body, len(body), want, len(want))
	}
}
