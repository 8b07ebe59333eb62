package sock_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// The smallest rings under load: the submission queue is full, the completion queue
// overflows, buffers run out, and every byte arrives all the same.
func TestTinyRings(t *testing.T) {
	t.Parallel()
	handlers := map[string]func(*ringo.Loop, *sock.Listener) error{
		"io.Copy":  perConn(func(c *sock.Conn) { io.Copy(c, c) }),
		"requests": perRequest(&sock.Handler{Request: frames}),
		"leases": perConn(func(c *sock.Conn) {
			for {
				lease, err := c.Next()
				if err != nil {
					return
				}
				_, err = c.Write(lease.Bytes())
				lease.Release()
				if err != nil {
					return
				}
			}
		}),
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Entries, cfg.Buffers, cfg.BufferSize, cfg.Leases, cfg.Budget = 2, 2, 512, 1, 3
		var total ringo.Stats
		lends := false
		for name, fn := range handlers {
			t.Run(name, func(t *testing.T) {
				s := serve(t, cfg, fn)
				var wg sync.WaitGroup
				for i := range 40 {
					peer := s.dial()
					wg.Go(func() {
						sizes := make([]int, 30)
						for j := range sizes {
							sizes[j] = (i*j*37 + j) % 5000
						}
						msg := framed(sizes...)
						sent := make(chan error, 1)
						go func() {
							_, err := peer.Write(msg)
							peer.CloseWrite()
							sent <- err
						}()
						got, err := io.ReadAll(peer)
						if err != nil || string(got) != string(msg) {
							t.Errorf("%d bytes of %d came back: %v", len(got), len(msg), err)
						}
						if err := <-sent; err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				lends = s.loops[0].Info().Lends
				st := s.stats()
				total.Driver.Overflows += st.Driver.Overflows
				total.Driver.NoBuffers += st.Driver.NoBuffers
			})
		}
		t.Logf("completion queue overflows %d, buffers missing %d", total.Driver.Overflows, total.Driver.NoBuffers)
		if lends && total.Driver.NoBuffers == 0 { // TestQueuesFull is about the other
			t.Error("no buffer was ever missing: the test did not test")
		}
	})
}

// More ops begin in one turn than the submission queue has room for, and more end
// in one than the completion queue has.
func TestQueuesFull(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Entries = 2
		onLoop(t, cfg, func(l *ringo.Loop) {
			if n := l.Info().Entries; cfg.Driver == "uring" && n > 2 {
				t.Fatalf("the submission queue has %d entries", n)
			}
			ln := listen(t, l)
			defer ln.Close()
			const conns = 100
			var tasks []*ringo.Task
			var peers []tcpPeer
			var open []*sock.Conn
			got := 0
			for range conns {
				c, peer := accept(t, ln)
				defer peer.Close()
				open, peers = append(open, c), append(peers, peer)
			}
			for _, c := range open {
				tasks = append(tasks, l.Go(func() {
					defer c.Close()
					wantAll(t, c, "all at once")
					got++
				}))
			}
			others(l)
			for _, peer := range peers {
				send(t, peer, "all at once")
			}
			for _, task := range tasks {
				task.Wait()
			}
			if got != conns {
				t.Errorf("%d of %d connections got their bytes", got, conns)
			}
			s := l.Stats().Driver
			t.Logf("%d ops in %d enters, %d overflows", s.Submitted, s.Enters, s.Overflows)
			if cfg.Driver == "uring" && s.Overflows == 0 {
				t.Error("the completion queue did not overflow: the test did not test")
			}
		})
	})
}

// certificate makes one for 127.0.0.1, and who trusts it.
func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

// TLS is computed on a goroutine where it is dear, in the handshake, and spoken in a
// task from then on; both ends are connections of a loop.
func TestTLS(t *testing.T) {
	cert, roots := certificate(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const size = 300_000
		s := serve(t, cfg, perConn(func(raw *sock.Conn) {
			c := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{cert}})
			if err := raw.Loop().Compute(c.HandshakeContext); err != nil {
				t.Error("the server's handshake:", err)
				return
			}
			io.Copy(c, c)
			c.Close()
		}))
		onLoop(t, cfg, func(l *ringo.Loop) {
			raw, err := sock.Dial(l, "tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			c := tls.Client(raw, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})
			if err := l.Offload(func(ctx context.Context) error { return c.HandshakeContext(ctx) }); err != nil {
				t.Fatal("the client's handshake:", err)
			}
			sent := make([]byte, size)
			pattern(sent, 0)
			writing := l.Go(func() {
				if _, err := c.Write(sent); err != nil {
					t.Error(err)
				}
			})
			got := make([]byte, size)
			if _, err := io.ReadFull(c, got); err != nil || mismatch(got, 0) >= 0 {
				t.Errorf("wrong byte at %d, %v", mismatch(got, 0), err)
			}
			writing.Wait()
		})
		s.stop()
	})
}
