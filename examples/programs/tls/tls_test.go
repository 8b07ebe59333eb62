package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"ringo/examples/programs/internal/rig"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// What main does.
func TestRun(t *testing.T) { rig.Prints(t, run, "TLS 1.3: hello\nTLS 1.3: hello\n") }

// A server is the program's, on the first of two loops.
type server struct {
	*rig.Rig
	ln   *sock.Listener
	pool *x509.CertPool
	// ended gets what became of each connection.
	ended chan error
}

func start(t *testing.T, driver string, ends int) *server {
	t.Helper()
	certificate, pool := rig.Certificate(t)
	r := rig.Loops(t, driver, 2)
	s := &server{r, r.Listen(), pool, make(chan error, ends)}
	r.Loop().Post(func() {
		accept(s.ln, func(c *sock.Conn) {
			s.ended <- echo(c, &tls.Config{Certificates: []tls.Certificate{certificate}})
		})
	})
	return s
}

// versions are those of which the handshakes differ.
var versions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// connect gives a connection of the second loop, secured.
func (s *server) connect(version uint16) (*tls.Conn, error) {
	c, err := sock.Dial(s.Loops[1], "tcp", s.ln.Addr().String())
	if err != nil {
		return nil, err
	}
	return tls.Client(c, &tls.Config{RootCAs: s.pool, ServerName: "127.0.0.1", MinVersion: version,
		MaxVersion: version}), nil
}

// Clients send much and read it back, on goroutines of their own for each direction, and half-close.
func TestBulk(t *testing.T) {
	rig.EachDriver(t, rig.AllDrivers, func(t *testing.T, driver string) {
		const clients, size = 8, 1 << 20
		s := start(t, driver, clients)
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() {
				if err := s.bulk(versions[i%len(versions)], size, byte(i)); err != nil {
					t.Error(err)
				}
			})
		}
		rig.Within(t, all.Wait)
		for range clients {
			if err := <-s.ended; err != nil {
				t.Errorf("the server's side: %v", err)
			}
		}
	})
}

func (s *server) bulk(version uint16, size int64, seed byte) error {
	c, err := s.connect(version)
	if err != nil {
		return err
	}
	defer c.Close()
	source := func() io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{seed}), size) }
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(c, source())
		sent <- errors.Join(err, c.CloseWrite())
	}()
	want, got := make([]byte, size), make([]byte, size)
	io.ReadFull(source(), want)
	_, err = io.ReadFull(c, got)
	if err == nil && string(got) != string(want) {
		err = errors.New("other bytes came back")
	}
	if n, e := io.Copy(io.Discard, c); n > 0 || e != nil {
		err = errors.Join(err, e, errors.New("no end where it should be"))
	}
	return errors.Join(err, <-sent)
}

// In a task a client does the same as on a goroutine, by one task for both directions.
func TestTasks(t *testing.T) {
	rig.EachDriver(t, rig.AllDrivers, func(t *testing.T, driver string) {
		s := start(t, driver, len(versions))
		for _, version := range versions {
			var err error
			e := s.Loops[1].Go(func() { err = s.exchange(version) }).Wait()
			if err = errors.Join(e, err, <-s.ended); err != nil {
				t.Error(err)
			}
		}
	})
}

func (s *server) exchange(version uint16) error {
	c, err := s.connect(version)
	if err != nil {
		return err
	}
	defer c.Close()
	p := make([]byte, 100_000)
	for i := range 20 {
		n := 1 + i*len(p)/20
		if _, err := c.Write(p[:n]); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, p[:n]); err != nil {
			return err
		}
	}
	return nil
}

// Clients that stall in their handshakes, each at another byte of it, are cut off in time, and hold up nobody.
func TestStall(t *testing.T) {
	shorten(t, 2*time.Second) // long enough for a handshake that doesn't stall
	rig.EachDriver(t, []string{"uring", "epoll"}, func(t *testing.T, driver string) {
		hello := firstFlight(t)
		const stalled = 100
		s := start(t, driver, stalled+1)
		for i := range stalled {
			c, err := net.Dial("tcp", s.ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.Write(hello[:i*len(hello)/(stalled-1)]) // from nothing to all but the answer to the server's
		}
		if err := s.Loops[1].Go(func() {
			if err := s.exchange(tls.VersionTLS13); err != nil {
				t.Errorf("between those that stall: %v", err)
			}
		}).Wait(); err != nil {
			t.Error(err)
		}
		timeouts := 0
		rig.Within(t, func() {
			for range stalled + 1 {
				if err := <-s.ended; errors.Is(err, os.ErrDeadlineExceeded) {
					timeouts++
				} else if err != nil {
					t.Error(err)
				}
			}
		})
		if timeouts != stalled {
			t.Errorf("%d connections were cut off, want %d", timeouts, stalled)
		}
	})
}

// A client whose server stalls gives up with its context.
func TestStalledServer(t *testing.T) {
	rig.EachDriver(t, rig.AllDrivers, func(t *testing.T, driver string) {
		ln, err := net.Listen("tcp", "127.0.0.1:0") // of which nobody accepts
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		l := rig.Loops(t, driver, 1).Loop()
		c, err := sock.Dial(l, "tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		rig.Within(t, func() {
			err = tls.Client(c, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx)
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Handshake: %v", err)
		}
	})
}

// Who breaks the handshake off, or speaks another protocol, ends its own connection.
func TestNoHandshake(t *testing.T) {
	rig.EachDriver(t, rig.AllDrivers, func(t *testing.T, driver string) {
		hello := firstFlight(t)
		texts := []string{"", "GET / HTTP/1.1\r\n\r\n", string(hello[:len(hello)/2]), string(hello),
			"\x16\x03\x01\xff\xff"}
		s := start(t, driver, len(texts))
		for _, text := range texts {
			c, err := net.Dial("tcp", s.ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(c, text)
			c.Close()
			rig.Within(t, func() { err = <-s.ended })
			if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("after %.10q: %v", text, err)
			}
		}
	})
}

// firstFlight gives what a client says first.
func firstFlight(t *testing.T) []byte {
	t.Helper()
	near, far := net.Pipe()
	go func() {
		tls.Client(near, &tls.Config{ServerName: "127.0.0.1"}).Handshake()
	}()
	defer near.Close()
	defer far.Close()
	p := make([]byte, 1<<14)
	n, err := far.Read(p)
	if err != nil {
		t.Fatal(err)
	}
	return p[:n]
}

func shorten(t *testing.T, d time.Duration) {
	before := patience
	patience = d
	t.Cleanup(func() { patience = before })
}
