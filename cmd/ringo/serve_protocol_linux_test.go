//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringo/internal/race"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
)

// TestServeRaw: what is answered to bytes, and whether the connection goes on. All of them end
// in order, the answers whole.
func TestServeRaw(t *testing.T) {
	dir := site(t, map[string]string{"f": "file", "big": numbered(1 << 20)})
	const host = " HTTP/1.1\r\nHost: h\r\n"
	eachDriver(t, func(t *testing.T, driver string) {
		_, addr := startServe(t, dir, "-driver", driver)
		for _, c := range []struct {
			name, text string
			statuses   string
			stays      bool
		}{
			{"one", "GET /f" + host + "\r\n", "200", true},
			{"two in one", "GET /f" + host + "\r\nHEAD /f" + host + "\r\n", "200 200", true},
			{"close", "GET /f" + host + "Connection: close\r\n\r\nGET /f" + host + "\r\n", "200", false},
			{"1.0", "GET /f HTTP/1.0\r\n\r\n", "200", false},
			{"1.0, keep-alive", "GET /f HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "200", true},
			{"405", "DELETE /f" + host + "\r\nGET /f" + host + "\r\n", "405 200", true},
			{"405 with a body", "POST /f" + host + "Content-Length: 4\r\n\r\nGET GET /f" + host +
				"\r\n", "405 200", true},
			{"405 with a long body", "PUT /f" + host + "Content-Length: 200000\r\n\r\n" + strings.Repeat("x", 200000),
				"405", true},
			{"405 with more than is read", "PUT /f" + host + "Content-Length: 300000\r\n\r\n" +
				strings.Repeat("x", 300000), "405", false},
			{"a body on GET", "GET /f" + host + "Content-Length: 4\r\n\r\nabcdGET /f" + host + "\r\n", "200 200", true},
			{"chunks on GET", "GET /f" + host + "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\nGET /f" +
				host + "\r\n", "200 200", true},
			{"an expectation", "PUT /f" + host + "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n", "405", false},
			{"OPTIONS", "OPTIONS *" + host + "\r\n", "405", true},
			{"no host", "GET /f HTTP/1.1\r\n\r\n", "400", false},
			{"a bad target", "GET /%zz" + host + "\r\nGET /f" + host + "\r\n", "400", false},
			{"no HTTP", "hello there\r\n", "400", false},
			{"good, then bad", "GET /f" + host + "\r\nGET f f f\r\n\r\n", "200 400", false},
			{"a long target", "GET /" + strings.Repeat("x", 17000) + host + "\r\n", "431", false},
			{"a long head", "GET /f" + host + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 20) + "\r\n",
				"431", false},
			{"a head without end", "GET /f" + host + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 40), "431",
				false},
			{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "405", false},
			{"HTTP/3", "GET /f HTTP/3.0\r\nHost: h\r\n\r\n", "505", false},
			{"a coding", "GET /f" + host + "Transfer-Encoding: br\r\n\r\n", "501", false},
			{"many in one", strings.Repeat("GET /big"+host+"\r\n", 20), strings.TrimSpace(strings.Repeat("200 ", 20)),
				true},
		} {
			t.Run(c.name, func(t *testing.T) { t.Parallel(); raw(t, addr, c.text, c.statuses, c.stays) })
		}
	})
}

func raw(t *testing.T, addr, text, statuses string, stays bool) {
	c := dial(t, addr)
	go io.WriteString(c, text)
	r := bufio.NewReader(c)
	var got []string
	method := "GET"
	for _, want := range strings.Fields(statuses) {
		if method = "GET"; len(got) == 1 && strings.Contains(text, "HEAD ") {
			method = "HEAD"
		}
		a, _, err := readAnswer(r, method)
		if err != nil {
			t.Fatalf("after %v: %v", got, err)
		}
		if got = append(got, want); fmt.Sprint(a.StatusCode) != want {
			t.Fatalf("answer %d is %s, want %s", len(got), a.Status, want)
		}
		if last := len(got) == len(strings.Fields(statuses)); a.Close != (last && !stays) {
			t.Errorf("answer %d says close: %v", len(got), a.Close)
		}
	}
	if stays {
		if a, body := ask(t, c, "GET", "GET /f HTTP/1.1\r\nHost: h\r\n\r\n"); a.StatusCode != 200 || body != "file" {
			t.Errorf("the next request gets %s, %q", a.Status, body)
		}
		return
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("then %d bytes, %v, want the end", n, err)
	}
}

// TestServeTrickle: requests that come byte by byte are served as others are.
func TestServeTrickle(t *testing.T) {
	dir := site(t, map[string]string{"f": "file"})
	eachDriver(t, func(t *testing.T, driver string) {
		_, addr := startServe(t, dir, "-driver", driver)
		c := dial(t, addr)
		c.SetNoDelay(true)
		text := strings.Repeat("GET /f HTTP/1.1\r\nHost: h\r\n\r\n", 3)
		for i := range len(text) {
			if _, err := c.Write([]byte{text[i]}); err != nil {
				t.Fatal(err)
			}
		}
		for r, i := bufio.NewReader(c), 0; i < 3; i++ {
			if a, body, err := readAnswer(r, "GET"); err != nil || a.StatusCode != 200 || body != "file" {
				t.Fatalf("%v, %q, %v", a, body, err)
			}
		}
	})
}

// TestServeSlowPeers: who sends no head, or half of one, or a body for ever, or takes nothing, is
// not waited for.
func TestServeSlowPeers(t *testing.T) {
	dir := site(t, map[string]string{"f": "file", "big": ""})
	if err := os.Truncate(filepath.Join(dir, "big"), 64<<20); err != nil {
		t.Fatal(err)
	}
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr := startServe(t, dir, "-driver", driver, "-header", "300ms", "-idle", "1s")
		t.Run("peers", func(t *testing.T) { slowPeers(t, addr) })
		p.finish()
	})
}

func slowPeers(t *testing.T, addr string) {
	for _, c := range []struct{ name, text, drip string }{
		{"nothing", "", ""},
		{"half a line", "GET /", ""},
		{"half a head", "GET /f HTTP/1.1\r\nHost: h\r\n", ""},
		{"a head in drops", "GET /f HTTP/1.1\r\nHost: h\r\n", "X: y\r\n"},
		{"half a body", "POST /f HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabc", ""},
		{"a body in drops", "POST /f HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\nabc", "x"},
		{"idle after an answer", "GET /f HTTP/1.1\r\nHost: h\r\n\r\n", ""},
		{"drops after the last answer", "GET /f HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, addr)
			io.WriteString(conn, c.text)
			if c.drip != "" {
				go func() {
					for {
						if _, err := io.WriteString(conn, c.drip); err != nil {
							return
						}
						time.Sleep(20 * time.Millisecond)
					}
				}()
			}
			if _, err := io.Copy(io.Discard, conn); err != nil && endOfConn(err) != nil {
				t.Error(err)
			}
		})
	}
	t.Run("takes nothing", func(t *testing.T) {
		t.Parallel()
		conn := dial(t, addr)
		conn.SetReadBuffer(4096)
		io.WriteString(conn, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
		patience.Until(t, "the connection is given up", func() bool {
			_, err := conn.Write([]byte("x"))
			return err != nil
		})
	})
}

// TestServeManyConns: a thousand connections ask again and again.
func TestServeManyConns(t *testing.T) {
	conns := 1000
	if race.Enabled {
		conns = 200
	}
	testmain.NeedDescriptors(t, uint64(4*conns))
	content := numbered(5000)
	dir := site(t, map[string]string{"f": content})
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr := startServe(t, dir, "-driver", driver, "-stats", "20ms")
		failed := make(chan error, conns)
		var under sync.WaitGroup
		under.Add(conns)
		go func() { under.Wait(); p.line(fmt.Sprintf("stats conns=%d ", conns)); close(failed) }()
		for range conns {
			c := dial(t, addr)
			go func() {
				defer under.Done()
				for r, i := bufio.NewReader(c), 0; i < 5; i++ {
					io.WriteString(c, "GET /f HTTP/1.1\r\nHost: h\r\n\r\n")
					a, body, err := readAnswer(r, "GET")
					if err != nil || a.StatusCode != 200 || body != content {
						failed <- fmt.Errorf("%v, %d bytes, %v", a, len(body), err)
						return
					}
				}
			}()
		}
		for err := range failed {
			t.Error(err)
		}
		p.finish()
	})
}

// TestServeHTTPClient: the client of package net/http, many at once.
func TestServeHTTPClient(t *testing.T) {
	content := map[string]string{"a.txt": "a", "b.html": numbered(70_000), "c/index.html": numbered(3 << 20)}
	dir := site(t, content)
	eachDriver(t, func(t *testing.T, driver string) {
		_, addr := startServe(t, dir, "-driver", driver)
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
		defer client.CloseIdleConnections()
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for path, want := range map[string]string{"/a.txt": content["a.txt"], "/b.html": content["b.html"],
					"/c": content["c/index.html"]} {
					a, err := client.Get("http://" + addr + path)
					if err != nil {
						t.Error(err)
						return
					}
					body, err := io.ReadAll(a.Body)
					a.Body.Close()
					if err != nil || a.StatusCode != 200 || string(body) != want {
						t.Errorf("%s: %s, %d bytes, %v", path, a.Status, len(body), err)
					}
				}
			})
		}
		all.Wait()
	})
}

// TestServeCurl: curl resumes a download, asks for what has changed, and follows a redirect.
func TestServeCurl(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skipf("no curl here: %v", err)
	}
	content := numbered(300_000)
	dir := site(t, map[string]string{"f.txt": content, "d/index.html": "page"})
	_, addr := startServe(t, dir)
	out := filepath.Join(t.TempDir(), "f.txt")
	put(t, out, content[:100_000])
	for _, c := range []struct{ name, args, want string }{
		{"resume", "-C - -o DIR/f.txt http://" + addr + "/f.txt", "206"},
		{"if it has changed", "-z DIR/f.txt -o DIR/f.txt.2 http://" + addr + "/f.txt", "304"},
		{"follow", "-L -o DIR/f.txt.3 http://" + addr + "/d", "200"},
		{"ranges", "-r 0-4,10-14 -o DIR/f.txt.4 http://" + addr + "/f.txt", "206"},
		{"as it is", "--path-as-is -o DIR/f.txt.5 http://" + addr + "/../../../../etc/passwd", "404"},
	} {
		args := append([]string{"-sS", "--max-time", "10", "-w", "%{http_code}"}, words(c.args, filepath.Dir(out))...)
		got, err := exec.CommandContext(t.Context(), curl, args...).CombinedOutput()
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v, want %s", c.name, got, err, c.want)
		}
	}
	if got, err := os.ReadFile(out); err != nil || string(got) != content {
		t.Errorf("%d bytes, %v, want %d", len(got), err, len(content))
	}
	if got, err := os.ReadFile(out + ".3"); err != nil || string(got) != "page" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestServeUnix: a Unix socket serves as well.
func TestServeUnix(t *testing.T) {
	t.Parallel()
	dir := site(t, map[string]string{"f": "file"})
	name := filepath.Join(t.TempDir(), "s")
	p := start(t, tool(t, "serve", "-listen", "unix://"+name, "-log", "stderr", dir))
	p.line("listening unix://")
	c, err := net.Dial("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if a, body := ask(t, c, "GET", "GET /f HTTP/1.1\r\nHost: h\r\n\r\n"); a.StatusCode != 200 || body != "file" {
		t.Errorf("%s, %q", a.Status, body)
	}
	p.line("unix: - - [")
	p.finish()
}

// TestServeDrain: idle connections end at once, an answer under way goes out whole and is the
// last on its connection.
func TestServeDrain(t *testing.T) {
	content := numbered(16 << 20)
	dir := site(t, map[string]string{"f": "file", "big": content})
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr := startServe(t, dir, "-driver", driver, "-grace", "1h")
		idle, busy := dial(t, addr), dial(t, addr)
		ask(t, idle, "GET", "GET /f HTTP/1.1\r\nHost: h\r\n\r\n")
		io.WriteString(busy, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
		r := bufio.NewReader(busy)
		a, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		p.signal(syscall.SIGTERM)
		wantEnd(t, idle)
		wantRefused(t, addr)
		body, err := io.ReadAll(a.Body)
		if err != nil || !bytes.Equal(body, []byte(content)) {
			t.Errorf("%d bytes, %v, want %d", len(body), err, len(content))
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("then %d bytes, %v", n, err)
		}
		busy.Close()
		if code, stderr := p.wait(); code != 0 {
			t.Errorf("exit code %d, stderr:\n%s", code, stderr)
		}
	})
}

// TestServeEveryDriver: the drivers that few run serve, too.
func TestServeEveryDriver(t *testing.T) {
	t.Parallel()
	content := map[string]string{"small": "small", "large": numbered(3 << 20)}
	dir := site(t, content)
	for _, driver := range []string{"poll", "select", "uring-poll"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			if driver == "uring-poll" {
				needUring(t)
			}
			p, addr := startServe(t, dir, "-driver", driver)
			for range 3 {
				wantFile(t, addr, "/small", content["small"])
				wantFile(t, addr, "/large", content["large"])
			}
			a, body := askAt(t, addr, "GET",
				"GET /large HTTP/1.1\r\nHost: h\r\nRange: bytes=100000-199999\r\n\r\n")
			if a.StatusCode != 206 || body != content["large"][100000:200000] {
				t.Errorf("%s, %d bytes", a.Status, len(body))
			}
			p.finish()
		})
	}
}
