package sock_test

import (
	"io"
	"net"
	"sync"
	"testing"

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
			var peers []*net.TCPConn
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
