package metrics_test

import (
	"net"
	"os"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/socktest"
	"ringo/metrics"
	"ringo/sock"
)

// acceptedAt is what listeners at an address have accepted, and since when that counts; -1 if none is told of.
func acceptedAt(address string) (n float64, begun time.Time) {
	n = -1
	metrics.Each(func(s metrics.Sample) {
		if s.Metric.Name == "ringo_listener_accepted_total" && s.Labels[3] == address {
			n, begun = s.Value, s.Begun
		}
	})
	return n, begun
}

// accepts has a listener accept so many connections.
func accepts(t *testing.T, ln *sock.Listener, n int) {
	t.Helper()
	for range n {
		peer, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		defer peer.Close()
		c, err := ln.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		c.Close()
	}
}

// Where there are too many listeners for an address each, those that are told of together stay so: what they have
// counted does not go down when one of them is closed, or one of those that have their own.
func TestListenersWithoutOwnLabels(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			var all []*sock.Listener
			listens := func() *sock.Listener {
				ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, ln)
				return ln
			}
			defer func() {
				for _, ln := range all {
					ln.Close()
				}
			}()
			const own = 200
			for range own {
				listens()
			}
			acceptedAt("other") // so that each has its labels
			many, few := listens(), listens()
			accepts(t, many, 5)
			accepts(t, few, 1)
			want := func(when string, address string, want float64) {
				t.Helper()
				if n, _ := acceptedAt(address); n != want {
					t.Errorf("%s: %v, want %v", when, n, want)
				}
			}
			want("two together", "other", 6)
			few.Close()
			want("one of them is closed", "other", 6)
			all[0].Close()
			all[1].Close()
			want("two with their own labels are closed", "other", 6)
			want("it has no labels of its own", many.Addr().String(), -1)
			next := listens()
			accepts(t, next, 2)
			want("one that was made later", next.Addr().String(), 2)
			want("of the others", "other", 6)
			many.Close()
			want("the last is closed", "other", -1)
		})
	})
}

// Listeners that share an address count together. What they have counted stays until the last is closed; the next one
// begins at 0, at a later time.
func TestListenersThatShareAnAddress(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		shared, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer shared.Close()
		var files []*os.File
		for range 3 {
			f, err := shared.(*net.TCPListener).File()
			if err != nil {
				t.Skipf("no two can have one listener here: %v", err)
			}
			files = append(files, f)
		}
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			adopts := func() *sock.Listener {
				ln, err := sock.Adopt[*sock.Listener](l, files[0], nil)
				if err != nil {
					t.Fatal(err)
				}
				files = files[1:]
				return ln
			}
			address := shared.Addr().String()
			a, b := adopts(), adopts()
			accepts(t, a, 3)
			n, begun := acceptedAt(address)
			if n != 3 || begun.Before(metrics.Begun()) {
				t.Errorf("two accepted %v, since %v", n, begun)
			}
			a.Close()
			if n, since := acceptedAt(address); n != 3 || since != begun {
				t.Errorf("one of two is closed: %v since %v, want 3 since %v", n, since, begun)
			}
			b.Close()
			c := adopts()
			defer c.Close()
			if n, since := acceptedAt(address); n != 0 || !since.After(begun) {
				t.Errorf("another: %v since %v, those before since %v", n, since, begun)
			}
		})
	})
}
