//go:build linux

package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo/internal/test/patience"
)

// anyUser is a user that owns nothing.
const anyUser = 65534

// asAnyUser has the tool run as another user, who may read dir, and skips the test where nobody else can run anything.
func asAnyUser(t *testing.T, cmd *exec.Cmd, dir string) {
	t.Helper()
	for _, name := range []string{filepath.Dir(toolPath), filepath.Dir(dir)} {
		if err := os.Chmod(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	as := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: anyUser, Gid: anyUser}}
	probe := exec.Command(toolPath, "help")
	probe.SysProcAttr = as
	if err := probe.Start(); err != nil {
		t.Skipf("user %d can't run a program from here: %v", anyUser, err)
	}
	probe.Wait()
	cmd.SysProcAttr = as
}

// TestServeNodes: what is no file, or leads out of the directory, is neither served nor waited for.
func TestServeNodes(t *testing.T) {
	secret := site(t, map[string]string{"secret": "secret", "d/secret": "secret"})
	dir := site(t, map[string]string{"f": "file", "bare/f": "file", "outside.txt": "kept"})
	for name, to := range map[string]string{
		"inside": "f", "outside": filepath.Join(secret, "secret"), "up": "../" + filepath.Base(secret) +
			"/secret", "dirout": secret, "bare/back": "../f", "bare/far": "../../x", "loop": "loop",
		"dangling": "nothing", "null": "/dev/null", "self": "/proc/self/root/etc/passwd",
		"absolute": filepath.Join(dir, "f"),
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
	want := map[string]int{
		"/f": 200, "/inside": 200, "/bare/back": 200, "/bare": 301, "/bare/": 403, "/": 403,
		"/outside": 403, "/up": 403, "/dirout": 403, "/dirout/secret": 403, "/dirout/d/": 403, "/bare/far": 403,
		"/absolute": 403, "/null": 403, "/self": 403, "/loop": 403, "/dangling": 404, "/fifo": 403, "/socket": 403,
		"/fifo/": 403, "/fifo/x": 404, "/f/x": 404, "/" + strings.Repeat("x", 300): 404, "/%00": 404, "/../" +
			filepath.Base(secret) + "/secret": 404, "/..%2f" + filepath.Base(secret) + "/secret": 404,
	}
	if syscall.Mknod(filepath.Join(dir, "device"), syscall.S_IFCHR|0o644, 1<<8|5) == nil { // /dev/zero
		want["/device"] = 403
	}
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr := startServe(t, dir, "-driver", driver)
		for path, status := range want {
			wantStatus(t, addr, path, status)
		}
		if stderr := p.finish(); strings.Count(stderr, "\n") > 3 {
			t.Errorf("stderr:\n%s", stderr)
		}
	})
}

// TestServeUnreadable: a file that the server may not read, and a directory that it may not pass.
func TestServeUnreadable(t *testing.T) {
	t.Parallel()
	dir := site(t, map[string]string{"f": "file", "hidden": "x", "closed/f": "x", "d/index.html": "x"})
	for _, name := range []string{"hidden", "closed", "d/index.html"} {
		if err := os.Chmod(filepath.Join(dir, name), 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.Chmod(filepath.Join(dir, "closed"), 0o755) })
	cmd := tool(t, "serve", "-listen", anyPort, dir)
	if os.Getuid() == 0 { // who may read everything
		asAnyUser(t, cmd, dir)
	}
	p := start(t, cmd)
	addr := p.addr()
	for path, status := range map[string]int{"/f": 200, "/hidden": 403, "/closed/f": 403, "/closed/": 403, "/d/": 403} {
		wantStatus(t, addr, path, status)
	}
	p.finish()
}

// TestServeBlindly: a server that may not ask what is in memory serves all the same.
func TestServeBlindly(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs to start the server as another user than the files' owner")
	}
	content := numbered(2 << 20)
	dir := site(t, map[string]string{"f": content})
	cmd := tool(t, "serve", "-listen", anyPort, dir)
	asAnyUser(t, cmd, dir)
	p := start(t, cmd)
	addr := p.addr()
	for range 5 {
		wantFile(t, addr, "/f", content)
	}
	p.finish()
}

// TestServeChanges: what happens to files under the server is seen after a while, and descriptors of
// files that are gone are let go.
func TestServeChanges(t *testing.T) {
	get := func(t *testing.T, addr, path string) (status int, body string) {
		c := dial(t, addr)
		defer c.Close()
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path)
		a, body, err := readAnswer(bufio.NewReader(c), "GET")
		if err != nil { // it was cut while it was sent
			return 0, ""
		}
		return a.StatusCode, body
	}
	eachDriver(t, func(t *testing.T, driver string) {
		dir := site(t, map[string]string{"replaced": "one", "removed": "one", "written": "one", "cut": numbered(5000),
			"large": numbered(200_000), "moved/f": "one"})
		p, addr := startServe(t, dir, "-driver", driver, "-fresh", "10ms", "-loops", "1")
		for _, path := range []string{"/replaced", "/removed", "/written", "/cut", "/large", "/moved/f"} {
			wantStatus(t, addr, path, 200)
		}
		file := func(name string) string { return filepath.Join(dir, name) }
		put(t, file("new"), "another")
		os.Rename(file("new"), file("replaced"))
		os.Remove(file("removed"))
		os.WriteFile(file("written"), []byte("two, and longer"), 0o644)
		os.WriteFile(file("cut"), []byte("short"), 0o644)
		os.WriteFile(file("large"), []byte("short"), 0o644)
		os.Rename(file("moved"), file("away"))
		for path, want := range map[string]string{"/replaced": "another", "/written": "two, and longer",
			"/cut": "short", "/large": "short", "/away/f": "one"} {
			patience.Until(t, path, func() bool {
				status, body := get(t, addr, path)
				return status == 200 && body == want
			})
		}
		for _, path := range []string{"/removed", "/moved/f"} {
			patience.Until(t, path, func() bool { status, _ := get(t, addr, path); return status == 404 })
		}
		patience.Until(t, "the files that are gone are closed", func() bool {
			return !strings.Contains(strings.Join(p.descriptors(), "\n"), "(deleted)")
		})
		p.finish()
	})
}

// TestServeShrinks: a small file that has become shorter since it was opened is answered as it is now.
func TestServeShrinks(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		dir := site(t, map[string]string{"small": numbered(3000)})
		_, addr := startServe(t, dir, "-driver", driver, "-fresh", "1h", "-loops", "1")
		wantFile(t, addr, "/small", numbered(3000))
		if err := os.Truncate(filepath.Join(dir, "small"), 10); err != nil {
			t.Fatal(err)
		}
		wantFile(t, addr, "/small", numbered(3000)[:10])
	})
}

// TestServeCut: the connection of a file that is cut while it is sent ends before all that was
// promised has come, and the server goes on.
func TestServeCut(t *testing.T) {
	const size = 64 << 20
	eachDriver(t, func(t *testing.T, driver string) {
		dir := site(t, map[string]string{"f": "file"})
		name := filepath.Join(dir, "big")
		put(t, name, strings.Repeat("x", size))
		p, addr := startServe(t, dir, "-driver", driver)
		c := dial(t, addr)
		c.SetReadBuffer(65536)
		io.WriteString(c, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
		a, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || a.ContentLength != size {
			t.Fatalf("%v, %v", a, err)
		}
		if err := os.Truncate(name, 1<<20); err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, a.Body)
		if err == nil || n >= size {
			t.Errorf("%d bytes came of a file that was cut, %v", n, err)
		}
		wantFile(t, addr, "/f", "file")
		p.finish()
	})
}

// TestServeDescriptors: no more files are open than -files says, however many are asked for, and none
// twice; clients that leave in the middle leave nothing behind.
func TestServeDescriptors(t *testing.T) {
	const files, kept = 60, 5
	content := make(map[string]string)
	for i := range files {
		content[fmt.Sprint("f", i)] = numbered(1000 * (i + 1))
	}
	content["big"] = numbered(16 << 20)
	dir := site(t, content)
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr := startServe(t, dir, "-driver", driver, "-files", fmt.Sprint(kept), "-loops", "1")
		for range 3 {
			for name, want := range content {
				wantFile(t, addr, "/"+name, want)
			}
		}
		for range 20 {
			c := dial(t, addr)
			io.WriteString(c, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
			io.ReadFull(c, make([]byte, 1000))
			c.SetLinger(0)
			c.Close()
		}
		patience.Until(t, "files are closed", func() bool { return p.holds(dir+"/") <= kept })
		patience.Until(t, "connections are closed", func() bool { return p.holds("socket:") == 1 })
		p.finish()
	})
	t.Run("none kept", func(t *testing.T) {
		p, addr := startServe(t, dir, "-files", "0")
		wantFile(t, addr, "/f7", content["f7"])
		wantFile(t, addr, "/big", content["big"])
		patience.Until(t, "files are closed", func() bool { return p.holds(dir+"/") == 0 })
		p.finish()
	})
}

// TestServeLog: a line for each request, that no request can forge.
func TestServeLog(t *testing.T) {
	t.Parallel()
	dir := site(t, map[string]string{"f": "file"})
	name := filepath.Join(t.TempDir(), "log")
	put(t, name, "older\n")
	p, addr := startServe(t, dir, "-log", name)
	for _, text := range []string{"GET /f HTTP/1.1\r\nHost: h\r\n\r\n", "HEAD /f?\"\\ HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /\xff\xe4 HTTP/1.0\r\n\r\n", "POST /f HTTP/1.1\r\nHost: h\r\n\r\n", "nonsense\r\n\r\n"} {
		c := dial(t, addr)
		ask(t, c, strings.Fields(text)[0], text)
		c.Close()
	}
	p.finish()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var got []string
	for _, line := range lines {
		before, rest, _ := strings.Cut(line, " - - [")
		when, rest, _ := strings.Cut(rest, "] ")
		if _, err := time.Parse("02/Jan/2006:15:04:05 -0700", when); err != nil && line != "older" {
			t.Errorf("%s: %v", line, err)
		}
		got = append(got, before+" "+rest)
	}
	for _, want := range []string{"older ", `127.0.0.1 "GET /f HTTP/1.1" 200 4`,
		`127.0.0.1 "HEAD /f?\x22\x5c HTTP/1.1" 200 0`, `127.0.0.1 "GET /\xff\xe4 HTTP/1.0" 404 19`,
		`127.0.0.1 "POST /f HTTP/1.1" 405 23`, `127.0.0.1 "-" 400 15`} {
		if !strings.Contains(strings.Join(got, "\n")+"\n", want+"\n") {
			t.Errorf("no line %s in:\n%s", want, text)
		}
	}
	if len(lines) != 6 {
		t.Errorf("%d lines, want 6:\n%s", len(lines), text)
	}
}

// TestServeLogFormats: the fields that a request has are in the line, whatever the protocol, and end neither it nor
// each other.
func TestServeLogFormats(t *testing.T) {
	t.Parallel()
	dir, made := site(t, map[string]string{"f": "file"}), t.TempDir()
	pool := writeCertificate(t, made, 1)
	const agent = "a\"b\\c\tdä\xff"
	const common = `^127\.0\.0\.1 - - \[[^]]+\] "GET /f\?%22 HTTP/V" 200 4`
	for format, want := range map[string]string{
		"common":   common + `\n$`,
		"combined": common + ` "-" "a\\x22b\\x5cc\\x09d\\xc3\\xa4\\xff"\n$`,
		"json": `^\{"time":"[-0-9T:Z+]+","client":"127\.0\.0\.1:\d+","method":"GET","host":"ringo.test",` +
			`"uri":"/f\?%22","proto":"HTTP/V","status":200,"bytes_out":4,` +
			`"user_agent":"a\\"b\\\\c\\u0009dä\\ufffd"\}\n$`,
	} {
		for _, version := range []string{"1.1", "2.0"} {
			name := filepath.Join(made, format+version)
			p, addr := startServe(t, dir, "-log", name, "-log-format", format, "-cert", filepath.Join(made, "cert"),
				"-key", filepath.Join(made, "key"))
			tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "ringo.test"},
				ForceAttemptHTTP2: version == "2.0"}
			r, err := http.NewRequest("GET", "https://"+addr+"/f?%22", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = "ringo.test"
			r.Header.Set("User-Agent", agent)
			a, err := tr.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, a.Body)
			a.Body.Close()
			tr.CloseIdleConnections()
			p.finish()
			line := regexp.MustCompile(strings.Replace(want, "HTTP/V", "HTTP/"+regexp.QuoteMeta(version), 1))
			if text, err := os.ReadFile(name); !line.Match(text) || err != nil {
				t.Errorf("%s, HTTP/%s: %s, %v, want %s", format, version, text, err, line)
			}
		}
	}
}

// TestServeLogBlocked: a log that nobody reads holds up neither requests nor the loops, and
// the lines that were left out are told.
func TestServeLogBlocked(t *testing.T) {
	t.Parallel()
	dir := site(t, map[string]string{"f": "file"})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := tool(t, "serve", "-listen", anyPort, "-log", "stderr", "-loops", "1", dir)
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	lines := bufio.NewReader(r)
	line, err := lines.ReadString('\n')
	m := listening.FindStringSubmatch(strings.TrimSpace(line))
	if m == nil {
		t.Fatalf("%q, %v", line, err)
	}
	c := dial(t, m[2])
	const batch, batches = 500, 90
	text := strings.Repeat("GET /f?"+strings.Repeat("x", 50)+" HTTP/1.1\r\nHost: h\r\n\r\n", batch)
	answers := bufio.NewReader(c)
	for range batches {
		io.WriteString(c, text)
		for range batch {
			if _, body, err := readAnswer(answers, "GET"); err != nil || body != "file" {
				t.Fatalf("%q, %v", body, err)
			}
		}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	rest, err := io.ReadAll(lines)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	var left int
	for line := range strings.Lines(string(rest)) {
		var n int
		if k, _ := fmt.Sscanf(line, "access log: %d lines were left out", &n); k == 1 {
			left += n
		}
	}
	if said := strings.Count(string(rest), `" 200 4`); left == 0 || said+left != batch*batches || err != nil {
		t.Errorf("%d lines, %d left out, of %d; %v", said, left, batch*batches, err)
	}
}
