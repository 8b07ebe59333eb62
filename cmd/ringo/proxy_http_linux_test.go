//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
)

// startWeb starts ringo proxy -http before a server of net/http.
func startWeb(t *testing.T, h http.HandlerFunc, args ...string) (p *process, addr string, back *httptest.Server) {
	t.Helper()
	back = httptest.NewServer(h)
	t.Cleanup(func() { back.CloseClientConnections(); back.Close() })
	p, addr = startProxyTo(t, back.Listener.Addr().String(), append([]string{"-http"}, args...)...)
	return p, addr, back
}

// tellRequest answers with what has come, but for the fields that a client's library adds.
func tellRequest(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%s %s %s %s\n", r.Method, r.RequestURI, r.Proto, r.Host)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if name != "Accept-Encoding" && name != "User-Agent" {
			fmt.Fprintf(w, "%s: %s\n", name, strings.Join(r.Header[name], "|"))
		}
	}
	w.Write(body)
}

// TestProxyHTTP: what a client asks reaches the upstream, but for what is of the client's connection, or claims to be
// of another's.
func TestProxyHTTP(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		const (
			head   = " / HTTP/1.1\r\nHost: name\r\n"
			claims = "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: bank\r\n" +
				"Forwarded: for=1.2.3.4\r\n\r\n"
			marks = "X-Forwarded-For: 127.0.0.1\nX-Forwarded-Host: name\nX-Forwarded-Proto: http\n"
		)
		for _, c := range []struct{ name, args, text, want string }{
			{"GET", "", "GET /a%2fb?x=1;y=%zz HTTP/1.1\r\nHost: name\r\n\r\n",
				"GET /a%2fb?x=1;y=%zz HTTP/1.1 name\n" + marks},
			{"a path", "", "GET /a|b%2Fc\xc3%2e\"#\\ HTTP/1.1\r\nHost: name\r\n\r\n",
				"GET /a%7Cb%2Fc%C3%2e%22%23%5C HTTP/1.1 name\n" + marks},
			{"a whole URL", "", "GET http://name/x HTTP/1.1\r\nHost: other\r\n\r\n", "GET /x HTTP/1.1 name\n" + marks},
			{"claims", "", "GET" + head + claims, "GET / HTTP/1.1 name\n" + marks},
			{"trust", "-trust", "GET" + head + claims, "GET / HTTP/1.1 name\nForwarded: for=1.2.3.4\n" +
				"X-Forwarded-For: 1.2.3.4, 127.0.0.1\nX-Forwarded-Host: bank\nX-Forwarded-Proto: https\n"},
			{"other claims", "", "GET" + head + "X_Forwarded-For: 1\r\nX-Forwarded-Port: 1\r\nX-Real-IP: 1\r\n" +
				"X-REAL_IP: 1\r\nX-Forward: 1\r\n\r\n", "GET / HTTP/1.1 name\nX-Forward: 1\n" + marks},
			{"hop by hop", "", "GET" + head + "Connection: x-mine, keep-alive\r\nX-Mine: 1\r\nKeep-Alive: 5\r\n" +
				"TE: gzip\r\nProxy-Authorization: x\r\nX-Other: 2\r\n\r\n",
				"GET / HTTP/1.1 name\n" + marks + "X-Other: 2\n"},
			{"POST", "", "POST" + head + "Content-Length: 5\r\n\r\n12345",
				"POST / HTTP/1.1 name\nContent-Length: 5\n" + marks + "12345"},
			{"chunked", "", "POST" + head + "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n12\r\n3\r\n345\r\n0\r\n\r\n",
				"POST / HTTP/1.1 name\n" + marks + "12345"},
			{"no trailer", "", "POST" + head + "Trailer: a b\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
				"POST / HTTP/1.1 name\n" + marks},
			{"HTTP/1.0", "", "GET / HTTP/1.0\r\nHost: name\r\n\r\n", "GET / HTTP/1.1 name\n" + marks},
			{"HTTP/1.0 has no upgrade", "", "POST / HTTP/1.0\r\nHost: name\r\nConnection: Upgrade\r\nUpgrade: x\r\n" +
				"Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
				"POST / HTTP/1.1 name\nContent-Length: 1\n" + marks + "x"},
			{"CONNECT", "", "CONNECT name:80 HTTP/1.1\r\nHost: name:80\r\n\r\n", "405 Method Not Allowed\n"},
		} {
			t.Run(c.name, func(t *testing.T) {
				p, addr, _ := startWeb(t, tellRequest, append(strings.Fields(c.args), "-driver", driver)...)
				if _, body := askAt(t, addr, "GET", c.text); body != c.want {
					t.Errorf("the upstream has got\n%s\nwant\n%s", body, c.want)
				}
				p.finish()
			})
		}
	})
}

// TestProxyHTTPProtocols: clients speak HTTP/1.1 or 2, in the clear or by TLS; bodies pass whole, and connections to
// the upstream are used again.
func TestProxyHTTPProtocols(t *testing.T) {
	dir := t.TempDir()
	roots := writeCertificate(t, dir, 1)
	eachDriver(t, func(t *testing.T, driver string) {
		for _, c := range []struct {
			name, proto string
			tls         bool
			set         func(*http.Protocols)
		}{
			{"h1", "HTTP/1.1", false, func(p *http.Protocols) { p.SetHTTP1(true) }},
			{"h2c", "HTTP/2.0", false, func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }},
			{"h1 by TLS", "HTTP/1.1", true, func(p *http.Protocols) { p.SetHTTP1(true) }},
			{"h2 by TLS", "HTTP/2.0", true, func(p *http.Protocols) { p.SetHTTP2(true) }},
		} {
			t.Run(c.name, func(t *testing.T) {
				args, scheme := []string{"-http", "-driver", driver, "-loops", "1"}, "http"
				if c.tls {
					scheme = "https"
					args = append(args, "-cert", filepath.Join(dir, "cert"), "-key", filepath.Join(dir, "key"))
				}
				var conns atomic.Int32
				back := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if got := r.Header.Get("X-Forwarded-Proto"); got != scheme {
						t.Errorf("X-Forwarded-Proto is %q, want %q", got, scheme)
					}
					http.NewResponseController(w).EnableFullDuplex()
					w.Header().Set("Trailer", "X-Sum")
					io.Copy(w, r.Body)
					w.Header().Set("X-Sum", "all")
				}))
				back.Config.ConnState = func(_ net.Conn, s http.ConnState) {
					if s == http.StateNew {
						conns.Add(1)
					}
				}
				back.Start()
				t.Cleanup(func() { back.CloseClientConnections(); back.Close() })
				p, addr := startProxyTo(t, back.Listener.Addr().String(), args...)
				tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{RootCAs: roots,
					ServerName: "ringo.test"}}
				c.set(tr.Protocols)
				client := &http.Client{Transport: tr, Timeout: patience.Max}
				if a, err := client.Get(scheme + "://" + addr + "/"); err != nil {
					t.Fatal(err)
				} else if a.Body.Close(); a.StatusCode != 200 || a.Proto != c.proto {
					t.Errorf("GET: %d by %s", a.StatusCode, a.Proto)
				}
				for _, size := range []int{0, 1, 100_000, 10_000_000} {
					body := noise(size)
					a, err := client.Post(scheme+"://"+addr+"/", "", io.NopCloser(bytes.NewReader(body)))
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(a.Body)
					a.Body.Close()
					if err != nil || !bytes.Equal(got, body) {
						t.Errorf("%d bytes came of %d: %v", len(got), size, err)
					}
					if a.Proto != c.proto || a.Trailer.Get("X-Sum") != "all" {
						t.Errorf("they came by %s, with the trailer %v", a.Proto, a.Trailer)
					}
				}
				tr.CloseIdleConnections()
				if n := conns.Load(); n != 1 {
					t.Errorf("the upstream has got %d connections, want one", n)
				}
				p.finish()
			})
		}
	})
}

// rawBackend is a backend that reads a request's head, says something, and ends the connection.
func rawBackend(t *testing.T, network, address, says string) net.Listener {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	backend(t, ln, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			io.WriteString(c, says)
		}
	})
	return ln
}

// TestProxyHTTPHops: fields that an upstream's Connection names don't go on, also beside "close".
func TestProxyHTTPHops(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		for _, names := range []string{"X-Hop", "close, x-hop", "close\r\nConnection: X-Hop"} {
			ln := rawBackend(t, "tcp", "127.0.0.1:0", "HTTP/1.1 200 OK\r\nConnection: "+names+
				"\r\nX-Hop: 1\r\nX-Other: 2\r\nContent-Length: 2\r\n\r\nok")
			p, addr := startProxyTo(t, ln.Addr().String(), "-http", "-driver", driver)
			a, body := get(t, addr, "/")
			if a.Header["X-Hop"] != nil || a.Header.Get("X-Other") != "2" || body != "ok" {
				t.Errorf("Connection: %q: the client gets %v, %q", names, a.Header, body)
			}
			p.finish()
		}
	})
}

// TestProxyHTTPRetry: what may be made again is, and nothing else.
func TestProxyHTTPRetry(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		dir := t.TempDir()
		rawBackend(t, "unix", filepath.Join(dir, "ends"), "")
		for _, c := range []struct {
			name, first, text string
			status            int
		}{
			{"GET", "ends", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200},
			{"DELETE", "ends", "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", 200},
			{"POST", "ends", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 502},
			{"PUT with a body", "ends", "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n" +
				"0\r\n\r\n", 502},
			{"nobody there", "gone", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", 200},
		} {
			t.Run(c.name, func(t *testing.T) {
				p, addr, _ := startWeb(t, tellRequest, "-driver", driver, "-fall", "1000", "-to",
					"unix://"+filepath.Join(dir, c.first))
				met := map[int]int{}
				for range 20 { // least: any of those that have nothing to do
					a, _ := askAt(t, addr, "GET", c.text)
					met[a.StatusCode]++
				}
				if c.status == 200 && met[200] != 20 || c.status != 200 && (met[c.status] == 0 || met[200] == 0) {
					t.Errorf("20 requests got %v, want %d where the first upstream has failed", met, c.status)
				}
				p.finish()
			})
		}
	})
}

// TestProxyHTTPErrors: a client learns that there was no answer, or that it is not whole.
func TestProxyHTTPErrors(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		backend(t, silent, func(c net.Conn) { io.Copy(io.Discard, c) })
		const ok = "HTTP/1.1 200 OK\r\n"
		torn := rawBackend(t, "tcp", "127.0.0.1:0", ok+"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n")
		short := rawBackend(t, "tcp", "127.0.0.1:0", ok+"Content-Length: 100000\r\n\r\n"+numbered(50000))
		long := rawBackend(t, "tcp", "127.0.0.1:0", ok+"X-A: "+strings.Repeat("x", 70000)+"\r\n\r\n")
		for _, c := range []struct {
			name, to string
			status   int
			err      error
			line     string
		}{
			{"refused", socktest.Refusing(t), 502, nil, "is answered with 502: dial tcp"},
			{"silent", silent.Addr().String(), 504, nil, "is answered with 504: "},
			{"a long head", long.Addr().String(), 502, nil, "is answered with 502: "},
			{"torn", torn.Addr().String(), 200, io.ErrUnexpectedEOF, ""},
			{"short", short.Addr().String(), 200, io.ErrUnexpectedEOF, ""},
		} {
			t.Run(c.name, func(t *testing.T) {
				answer := "1h"
				if c.status == 504 {
					answer = "50ms"
				}
				p, addr := startProxyTo(t, c.to, "-http", "-driver", driver, "-answer", answer)
				conn := dial(t, addr)
				io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
				a, _, err := readAnswer(bufio.NewReader(conn), "GET")
				if a == nil || a.StatusCode != c.status || !errors.Is(err, c.err) {
					t.Fatalf("%v, %v; want %d, %v", a, err, c.status, c.err)
				}
				if c.line != "" && !strings.Contains(p.line("request of 127.0.0.1:"), c.line) {
					t.Errorf("no line says %q", c.line)
				}
				conn.Close()
				p.finish()
			})
		}
	})
}

// TestProxyHTTPBare: an answer has no field that the upstream has not said, but Date, which each answer has.
func TestProxyHTTPBare(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		bare := rawBackend(t, "tcp", "127.0.0.1:0", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-A: 1\r\n\r\n<html>")
		p, addr := startProxyTo(t, bare.Addr().String(), "-http", "-driver", driver)
		a, body := get(t, addr, "/")
		a.Header.Del("Date")
		if got := fmt.Sprint(a.Header); got != "map[Content-Length:[6] X-A:[1]]" || body != "<html>" {
			t.Errorf("%s, %s", got, body)
		}
		p.finish()
	})
}

// TestProxyHTTPHints: what comes before an answer passes with its own fields, which are no others' and none of the
// connection, and an upstream is named no agent for a client that has none.
func TestProxyHTTPHints(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		agents := make(chan []string, 1)
		backend(t, ln, func(c net.Conn) {
			r, err := http.ReadRequest(bufio.NewReader(c))
			if err != nil {
				return // a check whether somebody listens
			}
			agents <- r.Header["User-Agent"]
			const hint = "HTTP/1.1 103 Early Hints\r\n"
			io.WriteString(c, hint+"X-One: 1\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 3\r\n"+
				"Proxy-Connection: a\r\nUpgrade: h2c\r\n\r\n"+hint+"X-Two: 2\r\n\r\n"+
				"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>")
		})
		p, addr := startProxyTo(t, ln.Addr().String(), "-http", "-driver", driver)
		c := dial(t, addr)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		r := bufio.NewReader(c)
		for _, want := range []string{"103 map[X-One:[1]]", "103 map[X-Two:[2]]", "200 map[Content-Length:[6]]"} {
			a, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			a.Header.Del("Date")
			if got := fmt.Sprint(a.StatusCode, " ", a.Header); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		if agent := patience.Recv(t, "the request", agents); agent != nil {
			t.Errorf("the upstream is told the agent %q", agent)
		}
		c.Close()
		p.finish()
	})
}

// TestProxyHTTPOld: a client of HTTP/1.0 gets nothing before the answer.
func TestProxyHTTPOld(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		back := rawBackend(t, "tcp", "127.0.0.1:0", "HTTP/1.1 103 Early Hints\r\nX-A: 1\r\n\r\n"+
			"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
		p, addr := startProxyTo(t, back.Addr().String(), "-http", "-driver", driver)
		if a, body := askAt(t, addr, "GET", "GET / HTTP/1.0\r\n\r\n"); a.StatusCode != 200 || body != "x" {
			t.Errorf("%s, %q", a.Status, body)
		}
		p.finish()
	})
}

// TestProxyHTTPTrailers: trailers pass, announced or not, but those that would be of the connection or of the length.
func TestProxyHTTPTrailers(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		for _, announced := range []string{"", "Trailer: X-A, Connection, Keep-Alive\r\n"} {
			back := rawBackend(t, "tcp", "127.0.0.1:0", "HTTP/1.1 200 OK\r\n"+announced+
				"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-A: 1\r\nConnection: x-hop\r\nKeep-Alive: 3\r\n"+
				"X-Hop: 1\r\nContent-Length: 4\r\n\r\n")
			p, addr := startProxyTo(t, back.Addr().String(), "-http", "-driver", driver)
			c := dial(t, addr)
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			all, err := io.ReadAll(c)
			head, body, _ := strings.Cut(string(all), "\r\n\r\n")
			if want := "1\r\nx\r\n0\r\nX-A: 1\r\n\r\n"; body != want || err != nil {
				t.Errorf("announced %q: the body is %q, %v, want %q", announced, body, err, want)
			}
			if strings.Contains(head, "Keep-Alive") {
				t.Errorf("announced %q: the head is %q", announced, head)
			}
			p.finish()
		}
	})
}

// TestProxyHTTPExpect: a body that waits for 100 Continue waits for the upstream's, and is not asked for if that
// refuses it.
func TestProxyHTTPExpect(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		for _, c := range []struct {
			name, says string
			want       []int
		}{
			{"100", "HTTP/1.1 100 Continue\r\n\r\n", []int{103, 100, 200}},
			{"417 without a body", "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n", []int{103, 417}},
			{"417", "HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno", []int{103, 417}},
		} {
			t.Run(c.name, func(t *testing.T) {
				ln, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				hinted := make(chan bool)
				backend(t, ln, func(conn net.Conn) {
					r := bufio.NewReader(conn)
					if a, err := http.ReadRequest(r); err != nil || a.Header.Get("Expect") != "100-continue" {
						t.Errorf("the upstream is asked %v, %v", a, err)
						return
					}
					io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\n\r\n")
					if _, err := patience.Receive(hinted); err != nil {
						return
					}
					io.WriteString(conn, c.says)
					if c.name == "100" {
						io.ReadFull(r, make([]byte, 5))
						io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
					}
				})
				p, addr := startProxyTo(t, ln.Addr().String(), "-http", "-driver", driver)
				client := dial(t, addr)
				r := bufio.NewReader(client)
				io.WriteString(client, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"+
					"Content-Length: 5\r\n\r\n")
				var got []int
				for len(got) < len(c.want) {
					a, err := http.ReadResponse(r, nil)
					if err != nil {
						t.Fatal(got, err)
					}
					switch got = append(got, a.StatusCode); a.StatusCode {
					case 103:
						hinted <- true
					case 100:
						io.WriteString(client, "hello")
					}
					if _, err := io.Copy(io.Discard, a.Body); err != nil {
						t.Error(err)
					}
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("the client gets %v, want %v", got, c.want)
				}
				client.Close()
				p.finish()
			})
		}
	})
}

// TestProxyHTTPUpgrade: another protocol passes both ways, until one side ends it, or is reset.
func TestProxyHTTPUpgrade(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		ended := make(chan error, 1)
		back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") != "echo" || r.Header.Get("Connection") != "Upgrade" {
				t.Errorf("the upstream is asked for %v", r.Header)
			}
			c, buffered, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			c.SetDeadline(patience.Deadline())
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhello")
			_, err = io.Copy(c, buffered)
			ended <- err
		}))
		defer back.Close()
		p, addr := startProxyTo(t, back.Listener.Addr().String()+"?max=1", "-http", "-driver", driver)
		begin := func(method string) (net.Conn, *bufio.Reader) {
			c := dial(t, addr)
			io.WriteString(c, method+" / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			r := bufio.NewReader(c)
			a, err := http.ReadResponse(r, nil)
			if err != nil || a.StatusCode != 101 || a.Header.Get("Upgrade") != "echo" ||
				a.Header["Content-Length"] != nil {
				t.Fatal(a, err)
			}
			return c, r
		}
		c, r := begin("GET")
		body := noise(1 << 20)
		go c.Write(body)
		got := make([]byte, len("hello")+len(body))
		if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, append([]byte("hello"), body...)) {
			t.Errorf("what comes back differs, %v", err)
		}
		c.Close()
		patience.Recv(t, "the upstream's end", ended)
		c, _ = begin("POST") // whose answers have a Content-Length mostly
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
		if err := patience.Recv(t, "the upstream's end", ended); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a reset of the client has not ended the upstream's connection")
		}
		p.finish()
	})
}

// TestProxyHTTPStreams: bodies pass as they come, in both directions.
func TestProxyHTTPStreams(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr, _ := startWeb(t, func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			rc.EnableFullDuplex()
			io.ReadFull(r.Body, make([]byte, 4))
			io.WriteString(w, "pong")
			rc.Flush()
			io.Copy(io.Discard, r.Body)
			io.WriteString(w, "end")
		}, "-driver", driver)
		for _, protocol := range []string{"1", "2"} {
			tr := &http.Transport{Protocols: new(http.Protocols)}
			tr.Protocols.SetHTTP1(protocol == "1")
			tr.Protocols.SetUnencryptedHTTP2(protocol == "2")
			body, send := io.Pipe()
			go io.WriteString(send, "ping")
			a, err := (&http.Client{Transport: tr, Timeout: patience.Max}).Post("http://"+addr+"/", "", body)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 4)
			if _, err := io.ReadFull(a.Body, got); err != nil || string(got) != "pong" {
				t.Errorf("HTTP/%s: %q, %v, while the request goes on", protocol, got, err)
			}
			send.Close()
			if rest, err := io.ReadAll(a.Body); err != nil || string(rest) != "end" {
				t.Errorf("HTTP/%s: %q, %v", protocol, rest, err)
			}
			a.Body.Close()
			tr.CloseIdleConnections()
		}
		p.finish()
	})
}

// TestProxyHTTPPauses: an answer of known length passes as it comes, too: its head, and each piece before a pause, or
// before it breaks off.
func TestProxyHTTPPauses(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		steps := make(chan struct{})
		p, addr, back := startWeb(t, func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			w.Header().Set("Content-Length", "12")
			for _, piece := range []string{"", "four", "more"} {
				io.WriteString(w, piece)
				rc.Flush()
				<-steps
			}
			if r.URL.Path == "/whole" {
				io.WriteString(w, "last")
				return
			}
			panic(http.ErrAbortHandler)
		}, "-driver", driver)
		back.Config.ErrorLog = log.New(io.Discard, "", 0)
		defer close(steps)
		for _, protocol := range []string{"1", "2"} {
			tr := &http.Transport{Protocols: new(http.Protocols)}
			tr.Protocols.SetHTTP1(protocol == "1")
			tr.Protocols.SetUnencryptedHTTP2(protocol == "2")
			for _, path := range []string{"/whole", "/broken"} {
				a, err := (&http.Client{Transport: tr, Timeout: patience.Max}).Get("http://" + addr + path)
				if err != nil {
					t.Fatal(err)
				}
				for _, want := range []string{"four", "more"} {
					steps <- struct{}{}
					got := make([]byte, 4)
					if _, err := io.ReadFull(a.Body, got); err != nil || string(got) != want {
						t.Errorf("HTTP/%s: %q, %v, want %q", protocol, got, err, want)
					}
				}
				steps <- struct{}{}
				rest, err := io.ReadAll(a.Body)
				if (err == nil) != (path == "/whole") || err == nil && string(rest) != "last" {
					t.Errorf("HTTP/%s %s: %q, %v at the end", protocol, path, rest, err)
				}
				a.Body.Close()
			}
			tr.CloseIdleConnections()
		}
		p.finish()
	})
}

// TestProxyHTTPBreaksOff: of an answer that breaks off the client gets what has come.
func TestProxyHTTPBreaksOff(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		back := rawBackend(t, "tcp", "127.0.0.1:0", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour")
		p, addr := startProxyTo(t, back.Addr().String(), "-http", "-driver", driver)
		c := dial(t, addr)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		a, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(a.Body); string(body) != "four" || err != io.ErrUnexpectedEOF {
			t.Errorf("%q, %v, want four bytes and then an unexpected end", body, err)
		}
		p.finish()
	})
}

// TestProxyHTTPSlowReader: one who does not read costs a bounded amount of memory.
func TestProxyHTTPSlowReader(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		const size = 64 << 20
		p, addr, _ := startWeb(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(w, io.LimitReader(zeros{}, size))
		}, "-driver", driver)
		c := dial(t, addr)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		r := bufio.NewReader(c)
		a, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		restsSmall(t, p)
		if n, err := io.Copy(io.Discard, a.Body); n != size || err != nil {
			t.Errorf("%d bytes came of %d: %v", n, size, err)
		}
		p.finish()
	})
}

// TestProxyHTTPLeast: requests under way are what counts, and not the connections that they came by; and they end with
// their clients.
func TestProxyHTTPLeast(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		var at [2]atomic.Int32
		args := []string{"proxy", "-http", "-listen", anyPort, "-driver", driver, "-loops", "2", "-stats", "20ms"}
		for i := range at {
			back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				at[i].Add(1)
				<-r.Context().Done()
			}))
			t.Cleanup(func() { back.CloseClientConnections(); back.Close() })
			args = append(args, "-to", back.Listener.Addr().String())
		}
		p := start(t, tool(t, args...))
		addr := p.addr()
		var clients []net.Conn
		for range 10 {
			clients = append(clients, dial(t, addr))
			io.WriteString(clients[len(clients)-1], "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		}
		patience.Until(t, "ten requests", func() bool { return at[0].Load()+at[1].Load() == 10 })
		if at[0].Load() != 5 {
			t.Errorf("%d requests of 10 are at one upstream", at[0].Load())
		}
		p.word("asking=10")
		for _, c := range clients {
			c.Close()
		}
		asked := false
		if _, ok := p.find(func(line string) bool {
			asked = !strings.HasPrefix(line, "listening") && (asked || strings.Contains(line, " asking=10 "))
			return asked && strings.Contains(line, " asking=0 ")
		}); !ok {
			t.Error("requests are under way whose clients have gone")
		}
		if log := p.finish(); strings.Contains(log, "is answered with") {
			t.Errorf("stderr:\n%s", log)
		}
	})
}

// TestProxyHTTPNoHost: where a client says none, the upstream is asked by its own name.
func TestProxyHTTPNoHost(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr, back := startWeb(t, tellRequest, "-driver", driver)
		_, body := askAt(t, addr, "GET", "GET / HTTP/1.0\r\n\r\n")
		if want := fmt.Sprintf("GET / HTTP/1.1 %v\n", back.Listener.Addr()); !strings.HasPrefix(body, want) {
			t.Errorf("the upstream has got\n%s\nwant\n%s", body, want)
		}
		p.finish()
	})
}

// TestProxyHTTPTrustUnix: a peer without an address says whose the request is, all the same.
func TestProxyHTTPTrustUnix(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		front := filepath.Join(t.TempDir(), "front")
		p, _, _ := startWeb(t, tellRequest, "-driver", driver, "-trust", "-listen", "unix://"+front)
		p.line("listening unix")
		c, err := net.Dial("unix", front)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(patience.Deadline())
		_, body := ask(t, c, "GET", "GET / HTTP/1.1\r\nHost: name\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n")
		c.Close()
		if !strings.Contains(body, "X-Forwarded-For: 1.2.3.4\n") {
			t.Errorf("the upstream has got\n%s", body)
		}
		p.finish()
	})
}

// TestProxyHTTPRefusedAnswers: an answer that is not passed on leaves no connection behind.
func TestProxyHTTPRefusedAnswers(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		for _, says := range []string{"000 Nothing\r\nContent-Length: 1\r\n\r\nx", "099 Nothing\r\n\r\n",
			"101 Switching Protocols\r\n\r\n",
			"101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: third\r\n\r\n",
			"101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo, third\r\n\r\n",
			"101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo,\r\n\r\n"} {
			t.Run(says[:3], func(t *testing.T) {
				ended := make(chan error, 10)
				ln, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				backend(t, ln, func(c net.Conn) {
					if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
						io.WriteString(c, "HTTP/1.1 "+says)
						io.Copy(io.Discard, c)
						ended <- nil
					}
				})
				p, addr := startProxyTo(t, ln.Addr().String(), "-http", "-driver", driver, "-stats", "20ms")
				a, _ := askAt(t, addr, "GET",
					"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo, other\r\n\r\n")
				if a.StatusCode != 502 {
					t.Errorf("the answer is %s, want 502", a.Status)
				}
				patience.Recv(t, "the upstream's end", ended)
				p.word("asking=0")
				p.finish()
			})
		}
	})
}

// TestProxyHTTPUpgradeChoice: of several protocols that a client asks for the upstream takes one, or more.
func TestProxyHTTPUpgradeChoice(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		for _, c := range []struct{ asks, takes string }{
			{"Upgrade: echo, other/2", "Other/2"}, {"Upgrade: echo,other", "echo"},
			{"Upgrade: echo\r\nUpgrade: other", "other"}, {"Upgrade: echo, other", "other, echo"},
		} {
			back := rawBackend(t, "tcp", "127.0.0.1:0", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"+
				"Upgrade: "+c.takes+"\r\n\r\nhello")
			p, addr := startProxyTo(t, back.Addr().String(), "-http", "-driver", driver)
			conn := dial(t, addr)
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"+c.asks+"\r\n\r\n")
			r := bufio.NewReader(conn)
			a, err := http.ReadResponse(r, nil)
			if err != nil || a.StatusCode != 101 || a.Header.Get("Upgrade") != c.takes {
				t.Fatalf("%q answered by %q: %v, %v", c.asks, c.takes, a, err)
			}
			if text, err := io.ReadAll(r); string(text) != "hello" || err != nil {
				t.Errorf("%q answered by %q: %q, %v", c.asks, c.takes, text, err)
			}
			conn.Close()
			p.finish()
		}
	})
}

// TestProxyHTTPUpgradeReset: what has ended an upgraded connection before its end, a peer's reset, -grace or -idle, is
// a reset for whoever has not made it, and the log and metrics say so.
func TestProxyHTTPUpgradeReset(t *testing.T) {
	dir := t.TempDir()
	roots := writeCertificate(t, dir, 1)
	eachDriver(t, func(t *testing.T, driver string) {
		for _, end := range []string{"client", "upstream", "drain", "idle"} {
			for _, secret := range []bool{false, true} {
				t.Run(fmt.Sprint(end, " TLS=", secret), func(t *testing.T) {
					upgradeReset(t, end, secret, roots, dir, "-driver", driver)
				})
			}
		}
	})
}

// upgradeReset has an upgraded connection of a client, by TLS or not, end so.
func upgradeReset(t *testing.T, end string, secret bool, roots *x509.CertPool, dir string, args ...string) {
	name, ended := filepath.Join(t.TempDir(), "log"), make(chan error, 1)
	args = append(args, "-log", name, "-grace", "0s", "-metrics", "0")
	if end == "idle" {
		args = append(args, "-idle", "500ms")
	}
	if secret {
		args = append(args, "-cert", filepath.Join(dir, "cert"), "-key", filepath.Join(dir, "key"))
	}
	p, addr, back := startWeb(t, func(w http.ResponseWriter, r *http.Request) {
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		c.SetDeadline(patience.Deadline())
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhello")
		if end == "upstream" {
			io.ReadFull(buffered, make([]byte, 3))
			c.(*net.TCPConn).SetLinger(0)
			return
		}
		_, err = io.Copy(io.Discard, buffered)
		ended <- err
	}, args...)
	under := dial(t, addr)
	c := net.Conn(under)
	if secret {
		c = tls.Client(under, &tls.Config{RootCAs: roots, ServerName: "ringo.test", NextProtos: []string{"http/1.1"}})
	}
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	r := bufio.NewReader(c)
	if a, err := http.ReadResponse(r, nil); err != nil || a.StatusCode != 101 {
		t.Fatal(a, err)
	}
	if _, err := io.ReadFull(r, make([]byte, len("hello"))); err != nil {
		t.Error(err)
	}
	io.WriteString(c, "abc")
	switch end {
	case "client":
		under.SetLinger(0)
		under.Close()
	case "drain":
		p.signal(syscall.SIGTERM)
	}
	if end != "client" {
		if _, err := io.Copy(io.Discard, r); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the client's end is %v, want a reset", err)
		}
	}
	if end != "upstream" {
		if err := patience.Recv(t, "the upstream's end", ended); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the upstream's end is %v, want a reset", err)
		}
	}
	if end == "upstream" {
		up := `upstream="tcp://` + back.Listener.Addr().String() + `"}`
		socktest.Eventually(t, "the end to be counted", func() bool {
			return p.scrape()["ringo_proxy_duration_seconds_count{"+up] == 1
		})
		if n := p.scrape()[`ringo_proxy_failures_total{cause="reset",`+up]; n != 1 {
			t.Errorf("%v failures are counted, want one", n)
		}
	}
	if end == "drain" {
		p.wait()
	} else {
		p.finish()
	}
	wantLogged(t, name, map[string]any{"end": end, "status": 101, "bytes_out": 5})
}

// TestProxyHTTPStallDrain: an answer that does not go on ends with the grace.
func TestProxyHTTPStallDrain(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr, _ := startWeb(t, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "x")
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "-driver", driver, "-grace", "20ms")
		c := dial(t, addr)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		a, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(a.Body, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		p.finish()
	})
}
