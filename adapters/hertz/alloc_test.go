package ringohertz_test

import (
	"io"
	"testing"

	"github.com/cloudwego/hertz/pkg/network/standard"

	ringohertz "ringo/adapters/hertz"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
)

// A request on a kept connection allocates nothing that hertz itself does not.
func TestAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		s := serve(t, cfg, routes)
		ours := allocs(t, s.addr, 0)
		others := started(t, standard.NewTransporter, routes)
		theirs := allocs(t, others.addr, ours)
		others.Close()
		<-others.ended
		if ours > theirs+0.1 {
			t.Errorf("%.2f allocations a request, %.2f with package standard", ours, theirs)
		}
	})
}

// allocs counts those of a request, by a client that has none.
func allocs(t *testing.T, addr string, enough float64) float64 {
	p := dial(t, "tcp", addr)
	ask := []byte("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
	p.Write(ask)
	first := make([]byte, 1000)
	n, err := p.Read(first)
	if err != nil {
		t.Fatal(err)
	}
	answer := first[:n]
	return alloctest.Least(500, enough, func() {
		p.Write(ask)
		if _, err := io.ReadFull(p, answer); err != nil {
			t.Fatal(err)
		}
	})
}
