package ringokitex_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/connpool"
	"github.com/cloudwego/kitex/pkg/kerrors"
	"github.com/cloudwego/kitex/transport"

	"ringo"
	ringokitex "ringo/adapters/kitex"
	"ringo/internal/test/socktest"
)

// dialled runs f on a goroutine with an option for clients whose connections belong to a loop.
func dialled(t *testing.T, cfg ringo.Config, f func(on client.Option)) {
	t.Helper()
	socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
		socktest.Offloaded(t, l, func() error {
			f(client.WithDialer(ringokitex.NewDialer(l, nil)))
			return nil
		})
	})
}

// Clients on Ringo call servers of netpoll's.
func TestDialer(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		addr, stop := started(new(service))
		defer stop()
		dialled(t, cfg, func(on client.Option) {
			for _, p := range append(protocols, struct {
				name string
				of   transport.Protocol
			}{"grpc", transport.GRPC}) {
				c := called(addr, on, client.WithTransportProtocol(p.of))
				var all sync.WaitGroup
				for i := range 20 {
					all.Go(func() {
						for _, n := range []int{0, 100, 100_000, 1 << 20 / (i + 1)} {
							if err := wantEcho(c, strings.Repeat(fmt.Sprint(i), n)); err != nil {
								t.Errorf("%s, %d bytes: %v", p.name, n, err)
							}
						}
					})
				}
				all.Wait()
				c.close()
			}
		})
	})
}

// A call that takes too long fails in time, and one behind it has an answer of its own.
func TestDialerTimeout(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		s := &service{slow: make(chan struct{})}
		addr, stop := started(s)
		defer stop()
		dialled(t, cfg, func(on client.Option) {
			c := called(addr, on, client.WithTransportProtocol(transport.Framed),
				client.WithTimeoutProvider(slowOnly{}))
			defer c.close()
			if _, err := c.call(context.Background(), "Slow", "text"); !errors.Is(err, kerrors.ErrRPCTimeout) {
				t.Errorf("a slow call: %v", err)
			}
			if err := wantEcho(c, "behind"); err != nil {
				t.Error(err)
			}
		})
		close(s.slow)
	})
}

// A connection at rest that its server has closed is not used.
func TestDialerStale(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
				s := new(service)
				at := "127.0.0.1:0"
				if network == "unix" {
					at = filepath.Join(t.TempDir(), "s")
				}
				dialled(t, cfg, func(on client.Option) {
					addr, stop := startedAt(at, s)
					c := called(addr, on, client.WithTransportProtocol(transport.Framed),
						client.WithLongConnection(connpool.IdleConfig{MaxIdlePerAddress: 4, MaxIdleGlobal: 4}))
					defer c.close()
					if err := wantEcho(c, "first"); err != nil {
						t.Error(err)
					}
					if err := stop(); err != nil {
						t.Error(err)
					}
					_, stop = startedAt(addr, s)
					defer stop()
					if err := wantEcho(c, "second"); err != nil {
						t.Error(err)
					}
				})
			})
		})
	}
}
