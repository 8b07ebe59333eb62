//go:build linux

package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
)

// A configured is a server with a file of -config, and those that came after it.
type configured struct {
	*process
	file string
	pid  int // of the one that serves
	news int // how many times it was started anew
}

// startConfigured starts a server by a file.
func startConfigured(t *testing.T, command, driver, text string) *configured {
	t.Helper()
	p := &configured{file: filepath.Join(t.TempDir(), "ringo.toml")}
	p.write(t, text)
	cmd := tool(t, command, "-config", p.file, "-driver", driver)
	r, w, err := os.Pipe() // or stderr would be gone with the first
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	cmd.Stderr = w
	read := make(chan struct{})
	t.Cleanup(func() { <-read; r.Close() }) // behind the ends of all
	p.process = start(t, cmd)
	go func() { defer close(read); io.Copy(&p.log, r) }()
	p.pid = cmd.Process.Pid
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.log.text())
		}
	})
	return p
}

func (p *configured) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(p.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

var replacedBy = regexp.MustCompile(`replaced, and drains" by=(\d+)`)

// reload has the server start anew.
func (p *configured) reload() {
	p.t.Helper()
	if err := syscall.Kill(p.pid, syscall.SIGHUP); err != nil {
		p.t.Fatal(err)
	}
	p.news++
	var all [][]string
	text := p.waitFor("the successor", func(text string) bool {
		all = replacedBy.FindAllStringSubmatch(text, -1)
		return len(all) == p.news
	})
	pid, err := strconv.Atoi(all[p.news-1][1])
	if err != nil {
		p.t.Fatal(err, text)
	}
	p.t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
	p.pid = pid
}

// waitFor waits for something on stderr.
func (p *configured) waitFor(what string, ok func(text string) bool) (text string) {
	p.t.Helper()
	patience.Until(p.t, what, func() bool {
		text = p.log.text()
		return ok(text)
	})
	return text
}

// end ends the one that serves.
func (p *configured) end() {
	p.t.Helper()
	if err := syscall.Kill(p.pid, syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	patience.Until(p.t, "the end of the server", func() bool { return !lives(p.pid) })
}

// lives reports whether a process runs: one that is only not yet waited for does not.
func lives(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// TestReloadWeb: a proxy and a file server start anew some times, in the clear and by TLS, and no request fails
// meanwhile: not of clients that connect for each, nor of those that keep their connections. None asks twice, as
// package net/http does in silence.
func TestReloadWeb(t *testing.T) {
	certs := t.TempDir()
	roots := writeCertificate(t, certs, 1)
	reloads := 4
	if testmain.Long() {
		reloads = 10
	}
	eachDriver(t, func(t *testing.T, driver string) {
		back := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: back}
		go server.Serve(ln)
		t.Cleanup(func() { server.Close() })
		dir := site(t, map[string]string{"index.html": "hello"})
		for command, text := range map[string]string{
			"proxy": fmt.Sprintf("http = true\nto = %q\nmetrics = '0'\n", ln.Addr()),
			"serve": fmt.Sprintf("dir = %q\nmetrics = '0'\n", dir),
		} {
			for _, config := range []*tls.Config{nil, {RootCAs: roots, ServerName: "ringo.test"}} {
				t.Run(fmt.Sprint(command, " TLS ", config != nil), func(t *testing.T) {
					if config != nil {
						text += fmt.Sprintf("cert = '%s/cert'\nkey = '%s/key'\n", certs, certs)
					}
					p := startConfigured(t, command, driver, "listen = ['127.0.0.1:0']\nloops = 2\n"+text)
					addr, page := p.addr(), strings.TrimPrefix(p.line("metrics"), "metrics ")
					var clients sync.WaitGroup
					var asked atomic.Int64
					quit := make(chan struct{})
					for i := range 4 {
						clients.Go(func() { askOn(t, addr, config, i%2 > 0, &asked, quit) })
					}
					for range reloads {
						was := asked.Load()
						patience.Until(t, "requests", func() bool { return asked.Load() > was+20 || t.Failed() })
						p.reload()
					}
					close(quit)
					clients.Wait()
					if a, err := http.Get(page); err != nil || a.StatusCode != 200 {
						t.Errorf("metrics of the last one: %v", err)
					} else {
						a.Body.Close()
					}
					p.end()
					if code, stderr := p.wait(); code != 0 {
						t.Errorf("exit code %d of the first, stderr:\n%s", code, stderr)
					}
				})
			}
		}
	})
}

// askOn asks for / until quit is closed, by a connection for each request or one for as many as the server answers.
func askOn(t *testing.T, addr string, config *tls.Config, keeps bool, asked *atomic.Int64, quit chan struct{}) {
	var c net.Conn
	var r *bufio.Reader
	end := func() {
		if c != nil {
			c.Close()
			c = nil
		}
	}
	defer end()
	text := "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	if !keeps {
		text = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
	}
	for last := time.Now(); ; asked.Add(1) {
		select {
		case <-quit:
			return
		default:
		}
		if c == nil {
			var err error
			if c, err = net.Dial("tcp", addr); err != nil {
				t.Error(err)
				return
			}
			c.SetDeadline(patience.Deadline())
			if config != nil {
				c = tls.Client(c, config)
			}
			r, last = bufio.NewReader(c), time.Now()
		}
		io.WriteString(c, text)
		a, err := http.ReadResponse(r, nil)
		if err != nil {
			if time.Since(last) < lingerAtLeast {
				t.Errorf("in the place of an answer: %v", err)
				return
			}
			end() // on a machine that is so busy the server could know of no request
			continue
		}
		body, err := io.ReadAll(a.Body)
		if a.StatusCode != 200 || string(body) != "hello" || err != nil {
			t.Errorf("%s %q, %v", a.Status, body, err)
			return
		}
		last = time.Now()
		if a.Close {
			end()
		}
	}
}

// lingerAtLeast is for how long a connection may have no request in a drain, by the default of -grace.
const lingerAtLeast = 2 * time.Second

// TestReloadConns: connections outlive the server that was replaced, and what comes later goes where the file says by
// then; a file with a mistake changes nothing.
func TestReloadConns(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		names := map[string]string{}
		for _, name := range []string{"one", "two"} {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			names[name] = ln.Addr().String()
			backend(t, ln, func(c net.Conn) {
				fmt.Fprintln(c, name)
				echoes(c.(*net.TCPConn))
			})
		}
		config := func(to string) string {
			return fmt.Sprintf("listen = ['127.0.0.1:0']\nto = [%q]\ngrace = '0s'\n", names[to])
		}
		p := startConfigured(t, "proxy", driver, config("one"))
		first := p.pid
		connect := func(want string) (c net.Conn) {
			t.Helper()
			patience.Until(t, "a connection to "+want, func() bool { // one that is replaced may still accept the first
				c = dial(t, p.addr())
				name, err := bufio.NewReaderSize(oneByte{c}, 16).ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				if name == want+"\n" {
					return true
				}
				c.Close() // else it would keep the one that is replaced
				return false
			})
			return c
		}
		old := connect("one")
		p.write(t, config("two"))
		p.reload()
		pingPong(t, old)
		newer := connect("two")

		p.write(t, "to = ['nowhere']\n")
		if err := syscall.Kill(p.pid, syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		p.waitFor("that it serves on", func(text string) bool {
			return strings.Contains(text, "this process serves on")
		})
		connect("two").Close()

		p.write(t, config("one"))
		p.reload()
		connect("one").Close()
		pingPong(t, newer)
		pingPong(t, old)
		if !lives(first) {
			t.Error("the first has ended before its connection")
		}
		old.Close()
		patience.Until(t, "the end of the first, with its last connection", func() bool { return !lives(first) })
		pingPong(t, newer)
		p.end()
		pingPong(t, newer) // of the second, which no signal has reached
	})
}

// oneByte reads not ahead.
type oneByte struct{ io.Reader }

func (r oneByte) Read(p []byte) (int, error) { return r.Reader.Read(p[:1]) }

// TestRetire: what is left of a server that was replaced ends when its time is over, or at a signal.
func TestRetire(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		backend(t, ln, func(c net.Conn) { echoes(c.(*net.TCPConn)) })
		for _, c := range []struct {
			retire string
			signal bool
		}{{"50ms", false}, {"1h", true}} {
			p := startConfigured(t, "proxy", driver, fmt.Sprintf(
				"listen = ['127.0.0.1:0']\nto = %q\ngrace = '0s'\nretire = %q\n", ln.Addr(), c.retire))
			old := holdConn(t, p.addr())
			first := p.pid
			p.reload()
			if c.signal {
				pingPong(t, old)
				syscall.Kill(first, syscall.SIGTERM)
			}
			if _, err := io.ReadAll(old); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("retire %s: the connection goes on", c.retire)
			}
			patience.Until(t, "the end of the first", func() bool { return !lives(first) })
			pingPong(t, holdConn(t, p.addr()))
			p.end()
		}
	})
}

// TestConfigTest: -t says whether there are mistakes, also in files that are named, and serves nothing.
func TestConfigTest(t *testing.T) {
	t.Parallel()
	dir := site(t, map[string]string{"good": "to = 'h:1'", "bad": "to = 'h:1'\nfall = 0",
		"cert": "to = 'h:1'\nhttp = true\ncert = 'none.pem'\nkey = 'none.pem'", "self": "config = 'x'",
		"udp": "listen = 'udp://:1'", "lists": "http = true\nto = ['h:1?path=/a', 'h:1?path=/b']\n" +
			"set-header = ['A: 1', 'B: 2']\ndel-header = ['C', 'D']\nset-answer-header = ['A: 1', 'B: 2']\n" +
			"del-answer-header = ['C', 'D']"})
	for _, c := range []struct {
		line, want string
		code       int
	}{
		{"proxy -config DIR/good -t", "no mistakes were found\n", 0},
		{"proxy -config testdata/proxy.toml -t", "no mistakes were found\n", 0},
		{"proxy -config DIR/lists -t", "no mistakes were found\n", 0},
		{"proxy -config DIR/bad -t", "ringo proxy: -fall 0: want 1 or more\n", 2},
		{"proxy -config DIR/bad -fall 1 -t", "no mistakes were found\n", 0},
		{"proxy -config DIR/cert -t", "none.pem: no such file", 1},
		{"proxy -config DIR/none -t", "DIR/none: no such file", 1},
		{"proxy -config DIR/self -t", "DIR/self: config: want the name of a flag", 2},
		{"echo -config DIR/udp -t", "-config is not for udp://:1", 2},
		{"serve -t DIR", "no mistakes were found\n", 0},
		{"serve -t DIR/none", "DIR/none: no such file", 1},
		{"serve -t -dir DIR DIR", "want one directory, and not that of -dir, too", 2},
	} {
		code, stderr := start(t, tool(t, words(c.line, dir)...)).wait()
		if want := strings.ReplaceAll(c.want, "DIR", dir); code != c.code || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %s; want %d, %s", c.line, code, stderr, c.code, want)
		}
	}
}

// TestConfigTestOfTheVariables: -t finds what Run would refuse, as the start does.
func TestConfigTestOfTheVariables(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for variable, want := range map[string]string{"RINGO_DRIVER=nope": "RINGO_DRIVER", "RINGO_MASK=nope": "nope",
		"RINGO_DEBUG=nope": "nope"} {
		for _, line := range []string{"proxy -to h:1", "serve -dir DIR", "echo"} {
			for _, test := range []string{"", " -t"} {
				full := line + " -listen tcp://127.0.0.1:0" + test
				cmd := tool(t, words(full, dir)...)
				cmd.Env = append(cmd.Environ(), variable)
				code, stderr := start(t, cmd).wait()
				if code != 1 || !strings.Contains(stderr, want) {
					t.Errorf("%s ringo %s: exit code %d, %s", variable, full, code, stderr)
				}
			}
		}
	}
}
