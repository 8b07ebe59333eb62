package ringokitex_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/transport"

	"ringo"
)

// protocols are those that go one message after the other.
var protocols = []struct {
	name string
	of   transport.Protocol
}{{"plain", transport.PurePayload}, {"framed", transport.Framed}, {"ttheader", transport.TTHeader},
	{"ttheader framed", transport.TTHeaderFramed}}

// Messages of all sizes get there and back, by all protocols.
func TestEcho(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		s := new(service)
		addr := serve(t, cfg, way, s)
		for _, p := range protocols {
			t.Run(p.name, func(t *testing.T) {
				c := callFor(t, addr, client.WithTransportProtocol(p.of))
				for _, n := range []int{0, 1, 100, 4000, 16 << 10, 16<<10 + 1, 100_000, 1 << 20} {
					if err := wantEcho(c, strings.Repeat("e", n)); err != nil {
						t.Errorf("%d bytes: %v", n, err)
					}
				}
			})
		}
		if got := s.inTask.Load() > 0; got != (way == "task") {
			t.Errorf("calls in tasks: %v", s.inTask.Load())
		}
	})
}

// A hundred callers at a time have answers of their own.
func TestMany(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		c := callFor(t, serve(t, cfg, way, new(service)), client.WithTransportProtocol(transport.TTHeader))
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				for j := range 20 {
					if err := wantEcho(c, fmt.Sprint(i, " ", j, strings.Repeat("x", i*j))); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
	})
}
