package socktls_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
	"ringo/sock/socktls"
)

// bulk is how many bytes go each way in TestBulk:
//
//	go test ./sock/socktls -run Bulk -bulk 10000000000 -timeout 30m
var bulk = flag.Int("bulk", 1<<20, "bytes each way")

// A plain tls.Conn on package net, as client and as server, and a Conn send each other much at the same time, by two
// tasks or other callers for each end, and see it come as it was, and end.
func TestBulk(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, version uint16) {
		limit := patience.Max + time.Duration(*bulk/1e7)*time.Second
		eachCallersFor(t, limit, func(t *testing.T, l *ringo.Loop, read, write starter) {
			for _, serve := range []bool{true, false} {
				raw, peer := connect(t, l)
				raw.SetWriteBuffer(1 << 20) // with what connect sets, much would take for ever: on package net as well
				var far *tls.Conn
				var near *socktls.Conn
				if serve {
					near = socktls.Server(raw, only(version, serverConfig()))
					far = tls.Client(peer, clientConfig())
				} else {
					near = socktls.Client(raw, clientConfig())
					far = tls.Server(peer, only(version, serverConfig()))
				}
				peer.SetDeadline(time.Time{})
				var errs [4]error
				ends := []func(){
					read(func() { errs[0] = verify(near, *bulk) }),
					write(func() { errs[1] = produce(near, *bulk) }),
					asGoroutine(l)(func() { errs[2] = verify(far, *bulk) }),
					asGoroutine(l)(func() { errs[3] = produce(far, *bulk) }),
				}
				for _, end := range ends {
					end()
				}
				if err := errors.Join(errs[:]...); err != nil {
					t.Errorf("as server %v: %v", serve, err)
				}
				if v := near.ConnectionState().Version; v != version {
					t.Errorf("spoke %s", tls.VersionName(v))
				}
				if err := near.Close(); err != nil {
					t.Error(err)
				}
				if err := near.Close(); err != net.ErrClosed {
					t.Errorf("the second Close: %v", err)
				}
				far.Close()
			}
		})
	})
}

type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// produce writes the stream in pieces of all sizes, and its end.
func produce(c halfCloser, size int) error {
	sizes := []int{1, 100, 4096, 16384, 16385, 65536, 65537, 300_000}
	p := make([]byte, 300_000)
	for at, i := 0, 0; at < size; i++ {
		piece := p[:min(size-at, sizes[i%len(sizes)])]
		socktest.Pattern(piece, at)
		n, err := c.Write(piece)
		if at += n; err != nil {
			return fmt.Errorf("written %d: %w", at, err)
		}
	}
	return c.CloseWrite()
}

// verify reads the stream to its end.
func verify(c io.Reader, size int) error {
	p := make([]byte, 20_000)
	for at := 0; ; {
		n, err := c.Read(p)
		if bad := socktest.Mismatch(p[:n], at); bad >= 0 {
			return fmt.Errorf("wrong byte at %d", bad)
		}
		if at += n; err != nil {
			if err == io.EOF && at == size {
				return nil
			}
			return fmt.Errorf("read %d of %d: %w", at, size, err)
		}
	}
}

// The methods and errors of a tls.Conn.
func TestAsTLS(t *testing.T) {
	t.Parallel()
	eachCallers(t, func(t *testing.T, l *ringo.Loop, call, _ starter) {
		handshake := func(config *tls.Config, peer func(net.Conn) error) (c *socktls.Conn, err, far error) {
			raw, other := connect(t, l)
			defer other.Close()
			c = socktls.Server(raw, config)
			end := call(func() {
				err = c.Handshake()
				if err != nil {
					c.Close()
				}
			})
			socktest.Offloaded(t, l, func() error { far = peer(other); return nil })
			end()
			return c, err, far
		}
		hello := func(config *tls.Config) func(net.Conn) error {
			return func(c net.Conn) error { return tls.Client(c, config).Handshake() }
		}
		text := func(s string) func(net.Conn) error {
			return func(c net.Conn) error { _, err := io.WriteString(c, s); return err }
		}

		// It is no TLS: the error has the connection.
		c, err, _ := handshake(serverConfig(), text("GET / HTTP/1.1\r\n\r\n"))
		var header tls.RecordHeaderError
		if !errors.As(err, &header) || header.Conn != c.NetConn() || string(header.RecordHeader[:]) != "GET /" {
			t.Errorf("of HTTP: %v", err)
		}
		if again := c.Handshake(); again == nil {
			t.Error("a handshake after one that failed")
		}

		// No trust: the alert comes.
		stranger := &tls.Config{ServerName: "127.0.0.1", RootCAs: x509.NewCertPool()}
		_, err, far := handshake(serverConfig(), hello(stranger))
		var untrusted *tls.CertificateVerificationError
		if !errors.As(far, &untrusted) || !alerted("remote error")(err) {
			t.Errorf("to a stranger: %v and %v", err, far)
		}

		// No client's certificate.
		config := serverConfig()
		config.ClientAuth = tls.RequireAndVerifyClientCert
		_, err, _ = handshake(config, func(c net.Conn) error {
			client := tls.Client(c, clientConfig())
			client.Handshake()
			_, err := client.Read(make([]byte, 1))
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "didn't provide a certificate") {
			t.Errorf("without a certificate: %v", err)
		}

		// What is agreed on, while it is, and after.
		config = serverConfig()
		config.NextProtos = []string{"a", "b"}
		certificate, pool := certified()
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, pool
		client := clientConfig()
		client.NextProtos, client.Certificates = []string{"b"}, []tls.Certificate{certificate}
		c, err, far = handshake(config, hello(client))
		if err := errors.Join(err, far); err != nil {
			t.Error(err)
		}
		s := c.ConnectionState()
		if !s.HandshakeComplete || s.NegotiatedProtocol != "b" || len(s.PeerCertificates) != 1 {
			t.Errorf("agreed on %+v", s)
		}
		if err := c.VerifyHostname("x"); err == nil {
			t.Error("VerifyHostname of a server")
		}
		if c.OCSPResponse() != nil || c.LocalAddr().String() == c.RemoteAddr().String() {
			t.Error("no such response, or addresses")
		}
		if n, err := c.Write(nil); n != 0 || err != nil {
			t.Errorf("Write(nil): %d, %v", n, err)
		}
		c.Close()

		// The handshake ends with a context, and with a deadline.
		for _, limit := range []func(c *socktls.Conn) error{
			func(c *socktls.Conn) error {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
				defer cancel()
				if err := c.HandshakeContext(ctx); err != context.DeadlineExceeded {
					return fmt.Errorf("with a context: %w", err)
				}
				return nil
			},
			func(c *socktls.Conn) error {
				c.SetDeadline(time.Now().Add(10 * time.Millisecond))
				if err := c.Handshake(); !errors.Is(err, os.ErrDeadlineExceeded) {
					return fmt.Errorf("with a deadline: %w", err)
				}
				return c.Close()
			},
		} {
			raw, peer := connect(t, l)
			c := socktls.Client(raw, clientConfig())
			if err := c.CloseWrite(); err == nil {
				t.Error("CloseWrite before the handshake")
			}
			call(func() {
				if err := limit(c); err != nil {
					t.Error(err)
				}
			})()
			raw.Close()
			peer.Close()
		}
	})
}

// A context ends also a wait for somebody else's handshake, and then that.
func TestContextBehindHandshake(t *testing.T) {
	t.Parallel()
	eachCallers(t, func(t *testing.T, l *ringo.Loop, first, second starter) {
		c, peer := pair(t, l, serverConfig())
		defer peer.Close()
		var one, two error
		wait := first(func() { one = c.Handshake() })
		socktest.Offloaded(t, l, func() error { _, err := peer.Write([]byte{typeHandshake}); return err })
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		second(func() { two = c.HandshakeContext(ctx) })()
		wait()
		if two != context.DeadlineExceeded || one == nil {
			t.Errorf("%v and %v", one, two)
		}
		c.Close()
	})
}

// Before Go 1.26 the caller of a handshake waits until the connection is closed, if the context ends: a task does so on
// the thread of the connection's loop.
func TestContextClosesBesideItsLoop(t *testing.T) {
	t.Parallel()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			for _, wrap := range []func(c net.Conn) net.Conn{
				func(c net.Conn) net.Conn { return c },
				func(c net.Conn) net.Conn { return struct{ net.Conn }{c} },
			} {
				raw, peer := connect(t, l)
				c := socktls.Server(wrap(raw), serverConfig())
				closed := make(chan error, 1)
				go func() { closed <- c.CloseBelow() }()
				if !patience.Done(t, "the Close, whose end the loop's thread waits for", closed) {
					continue
				}
				socktest.Offloaded(t, l, func() error {
					if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
						t.Errorf("the peer reads %v", err)
					}
					return peer.Close()
				})
				raw.Close()
			}
		})
	})
}

func TestRenegotiationIsRefused(t *testing.T) {
	config := clientConfig()
	config.Renegotiation = tls.RenegotiateOnceAsClient
	near, far := net.Pipe()
	defer far.Close()
	c := socktls.Client(near, config)
	defer c.Close()
	_, written := c.Write([]byte("x"))
	_, read := c.Read(make([]byte, 1))
	for _, err := range []error{c.Handshake(), written, read} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Error(err)
		}
	}
}

// Listen, Dial and ListenAndServe, with tickets that resume sessions.
func TestListenAndDial(t *testing.T) {
	t.Parallel()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			if _, err := socktls.Listen(l, "tcp", "127.0.0.1:0", &tls.Config{}); err == nil {
				t.Error("a listener without a certificate")
			}
			ln, err := socktls.Listen(l, "tcp", "127.0.0.1:0", serverConfig())
			if err != nil {
				t.Error(err)
				return
			}
			l.Go(func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					l.Go(func() { io.Copy(c, c); c.Close() })
				}
			})
			config := clientConfig()
			config.ServerName = "" // it is the address's
			config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			d := &socktls.Dialer{NetDialer: &sock.Dialer{Timeout: patience.Max}, Config: config}
			for i := range 3 {
				c, err := d.Dial(l, "tcp", ln.Addr().String())
				if err != nil {
					t.Error(err)
					break
				}
				p := []byte("hello")
				c.Write(p)
				if _, err := io.ReadFull(c, p); err != nil || string(p) != "hello" {
					t.Errorf("%q, %v", p, err)
				}
				if c.ConnectionState().DidResume != (i > 0) {
					t.Errorf("dial %d: resumed %v", i, i == 0)
				}
				c.Close()
			}
			if _, err := socktls.Dial(l, "tcp", ln.Addr().String(), nil); err == nil {
				t.Error("a certificate of nobody's is good")
			}
			ln.Close()
			if _, err := d.Func(l)(context.Background(), "tcp", ln.Addr().String()); err == nil {
				t.Error("dialled a listener that is closed")
			}
		})
	})
}

func TestListenAndServe(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		if err := socktls.ListenAndServe(context.Background(), nil, "tcp", "127.0.0.1:0", nil, nil); err == nil {
			t.Error("served without a configuration")
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		ended := make(chan error)
		address := filepath.Join(t.TempDir(), "s")
		go func() {
			ended <- socktls.ListenAndServe(ctx, &cfg, "unix", address, serverConfig(), func(c *socktls.Conn) {
				io.Copy(c, c)
			})
		}()
		socktest.Eventually(t, "an echo", func() bool {
			c, err := tls.Dial("unix", address, clientConfig())
			if err != nil {
				return false // it does not listen yet
			}
			defer c.Close()
			p := []byte("hello")
			c.Write(p)
			_, err = io.ReadFull(c, p)
			return err == nil
		})
		cancel()
		patience.Within("the end", func() {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	})
}

// ServeSets secures the connections of several addresses.
func TestServeSets(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		if err := socktls.ServeSets(t.Context(), nil, nil, nil, func(*socktls.Conn) {}); err == nil {
			t.Error("served without a configuration")
		}
		if err := socktls.ServeSets(t.Context(), nil, nil, serverConfig(), nil); err == nil {
			t.Error("served without a function")
		}
		var sets []*sock.ListenerSet
		for range 2 {
			set, err := sock.Reserve("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			sets = append(sets, set)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		ended := make(chan error)
		go func() {
			ended <- socktls.ServeSets(ctx, &cfg, sets, serverConfig(), func(c *socktls.Conn) { io.Copy(c, c) })
		}()
		for _, set := range sets {
			c, err := tls.Dial("tcp", set.Addr().String(), clientConfig())
			if err != nil {
				t.Fatal(err)
			}
			p := []byte("hello")
			c.Write(p)
			if _, err := io.ReadFull(c, p); err != nil || string(p) != "hello" {
				t.Errorf("echo: %q, %v", p, err)
			}
			c.Close()
		}
		cancel()
		patience.Within("the end", func() {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	})
}

// OpenSSL's client speaks with it, and asks for new keys.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip(err)
	}
	eachVersion(t, func(t *testing.T, version uint16) {
		socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
			socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
				ln, err := socktls.Listen(l, "tcp", "127.0.0.1:0", only(version, serverConfig()))
				if err != nil {
					t.Error(err)
					return
				}
				defer ln.Close()
				var out []byte
				client := asGoroutine(l)(func() {
					cmd := exec.Command(openssl, "s_client", "-connect", ln.Addr().String(), "-quiet")
					in, _ := cmd.StdinPipe()
					said := new(bytes.Buffer)
					cmd.Stderr = said
					lines, err := cmd.StdoutPipe()
					if err == nil {
						err = cmd.Start()
					}
					if err != nil {
						t.Error(err)
						return
					}
					r := bufio.NewReader(lines)
					io.WriteString(in, "hello\n")
					out, _ = r.ReadBytes('\n')
					in.Close()
					if err := cmd.Wait(); err != nil {
						t.Logf("openssl: %v\n%s", err, said)
					}
				})
				c, err := ln.AcceptConn()
				if err != nil {
					t.Error(err)
					return
				}
				p := make([]byte, 100)
				n, err := c.Read(p)
				if _, werr := c.Write(p[:n]); err != nil || werr != nil {
					t.Errorf("%v, %v", err, werr)
				}
				c.Close()
				client()
				if string(out) != "hello\n" {
					t.Errorf("got %q", out)
				}
			})
		})
	})
}

// plain hides from net/http that its connections are secured, of which it knows only those of crypto/tls.
type plain struct{ net.Listener }

func (p plain) Accept() (net.Conn, error) {
	c, err := p.Listener.Accept()
	return struct{ net.Conn }{c}, err
}

// net/http serves over a Listener, HTTP/1.1, and HTTP/2 to those who have agreed on it, which it takes for HTTP/2 in
// the clear.
func TestHTTP(t *testing.T) {
	t.Parallel()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			config := serverConfig()
			config.NextProtos = []string{"h2", "http/1.1"}
			ln, err := socktls.Listen(l, "tcp", "127.0.0.1:0", config)
			if err != nil {
				t.Error(err)
				return
			}
			server := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(
				func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					fmt.Fprintf(w, "%s %s", r.Proto, body)
				})}
			server.Protocols.SetHTTP1(true)
			server.Protocols.SetUnencryptedHTTP2(true)
			served := asGoroutine(l)(func() { server.Serve(plain{ln}) })
			body := strings.Repeat("x", 100_000)
			for _, two := range []bool{false, true} {
				transport := &http.Transport{TLSClientConfig: clientConfig(), ForceAttemptHTTP2: two}
				proto := "HTTP/2.0 "
				if !two {
					transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
					proto = "HTTP/1.1 "
				}
				client := &http.Client{Transport: transport, Timeout: patience.Max}
				socktest.Offloaded(t, l, func() error {
					defer transport.CloseIdleConnections()
					for range 10 {
						url := "https://" + ln.Addr().String()
						response, err := client.Post(url, "text/plain", strings.NewReader(body))
						if err != nil {
							return err
						}
						got, err := io.ReadAll(response.Body)
						response.Body.Close()
						if err != nil || string(got) != proto+body {
							return fmt.Errorf("%.20q, %w", got, err)
						}
					}
					return nil
				})
			}
			socktest.Offloaded(t, l, func() error { return server.Shutdown(context.Background()) })
			served()
		})
	})
}

// Each CloseWrite behind one that has failed fails, too, and so does Close.
func TestCloseWriteFails(t *testing.T) {
	t.Parallel()
	eachCallers(t, func(t *testing.T, l *ringo.Loop, _, write starter) {
		c, peer := pair(t, l, serverConfig())
		defer peer.Close()
		far := asGoroutine(l)(func() { tls.Client(peer, clientConfig()).Handshake() })
		write(func() {
			if err := c.Handshake(); err != nil {
				t.Error(err)
			}
			c.SetWriteDeadline(time.Unix(1, 0))
			for _, end := range []func() error{c.CloseWrite, c.CloseWrite, c.Close} {
				if err := end(); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error(err)
				}
			}
		})()
		far()
	})
}

// A function of the Config that does not return from a Read or a Write keeps nobody else waiting, and breaks nothing.
func TestConfigDoesNotReturn(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(){"panic": func() { panic("oops") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			eachCallers(t, func(t *testing.T, l *ringo.Loop, read, write starter) {
				raw, peer := connect(t, l)
				defer peer.Close()
				config := clientConfig()
				config.ClientSessionCache = unkept(end)
				c := socktls.Client(raw, config)
				far := asGoroutine(l)(func() { echoOf(t, tls.Server(peer, serverConfig())) })
				read(func() {
					defer func() { recover() }()
					c.Read(make([]byte, 1))
					t.Error("Read returned without having kept the ticket")
				})()
				write(func() { c.Write([]byte("x")) })()
				read(func() {
					if n, err := c.Read(make([]byte, 2)); n != 1 || err != nil {
						t.Errorf("Read = %d, %v", n, err)
					}
				})()
				c.Close()
				far()

				raw, peer = connect(t, l)
				defer peer.Close()
				config = only(tls.VersionTLS12, clientConfig())
				config.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
				random := &endingRand{}
				config.Rand = random
				c = socktls.Client(raw, config)
				server := serverConfig()
				server.CipherSuites = config.CipherSuites
				far = asGoroutine(l)(func() { echoOf(t, tls.Server(peer, server)) })
				write(func() {
					defer func() { recover() }()
					if err := c.Handshake(); err != nil {
						t.Error(err)
					}
					random.end = end
					c.Write([]byte("x"))
					t.Error("Write returned without randomness")
				})()
				random.end = nil
				write(func() {
					if n, err := c.Write([]byte("x")); n != 1 || err != nil {
						t.Errorf("Write = %d, %v", n, err)
					}
				})()
				if n, err := c.Read(make([]byte, 2)); n != 1 || err != nil {
					t.Errorf("Read = %d, %v", n, err)
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				far()
			})
		})
	}
}

// unkept is a cache that ends whoever puts a ticket.
type unkept func()

func (unkept) Get(string) (*tls.ClientSessionState, bool) { return nil, false }
func (u unkept) Put(string, *tls.ClientSessionState)      { u() }

// endingRand is a source of randomness that ends whoever reads it, once it has an end.
type endingRand struct{ end func() }

func (r *endingRand) Read(p []byte) (int, error) {
	if r.end != nil {
		r.end()
	}
	return rand.Read(p)
}

// echoOf sends back what comes until close_notify.
func echoOf(t *testing.T, c *tls.Conn) {
	p := make([]byte, 10)
	for {
		n, err := c.Read(p)
		if err == io.EOF {
			return
		}
		if err == nil {
			_, err = c.Write(p[:n])
		}
		if err != nil {
			t.Errorf("the peer: %v", err)
			return
		}
	}
}
