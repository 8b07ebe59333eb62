package sock_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// ServeSets serves several addresses, of several networks and configurations, from all loops, and at the end all who
// had connected.
func TestServeSets(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		var sets []*sock.ListenerSet
		for _, a := range [][2]string{{"tcp", "127.0.0.1:0"}, {"tcp", "127.0.0.1:0"},
			{"unix", filepath.Join(t.TempDir(), "s")}} {
			set, err := (&sock.ListenConfig{Backlog: 50}).Reserve(a[0], a[1])
			if err != nil {
				t.Fatal(err)
			}
			sets = append(sets, set)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- sock.ServeSets(ctx, &cfg, sets, func(c *sock.Conn) {
				io.WriteString(c, c.LocalAddr().String()+"\n")
				io.Copy(c, c)
			})
		}()
		var peers []net.Conn
		for range 3 {
			for _, set := range sets {
				peer, err := net.Dial(set.Addr().Network(), set.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer peer.Close()
				want := set.Addr().String() + "\n"
				p := make([]byte, len(want))
				if _, err := io.ReadFull(peer, p); err != nil || string(p) != want {
					t.Errorf("greeting %q, %v, want %q", p, err, want)
				}
				peers = append(peers, peer)
			}
		}
		var late []net.Conn
		for _, set := range sets { // who has connected by the end of ctx is served
			peer, err := net.Dial(set.Addr().Network(), set.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			late = append(late, peer)
		}
		cancel()
		for _, peer := range late {
			peer.SetDeadline(patience.Deadline())
			if n, err := peer.Read(make([]byte, 100)); n == 0 {
				t.Errorf("one that had connected to %v got no greeting: %v", peer.RemoteAddr(), err)
			}
			peer.Close()
		}
		for _, peer := range peers { // the grace
			peer.SetDeadline(patience.Deadline())
			send(t, peer, "x")
			if _, err := io.ReadFull(peer, make([]byte, 1)); err != nil {
				t.Errorf("echo in the drain: %v", err)
			}
			peer.Close()
		}
		patience.Within(t.Name(), func() {
			if err := <-done; err != nil {
				t.Errorf("ServeSets: %v", err)
			}
		})
		for _, set := range sets {
			if c, err := net.Dial(set.Addr().Network(), set.Addr().String()); err == nil {
				c.Close()
				t.Errorf("%v is still served", set.Addr())
			}
		}
	})
}

func TestServeSetsMisuse(t *testing.T) {
	fn := func(*sock.Conn) {}
	for want, got := range map[string]error{
		"ServeSets of a nil function":     sock.ServeSets(t.Context(), nil, []*sock.ListenerSet{{}}, nil),
		"ServeSets without a ListenerSet": sock.ServeSets(t.Context(), nil, nil, fn),
		"or with a nil one":               sock.ServeSets(t.Context(), nil, []*sock.ListenerSet{nil}, fn),
	} {
		if got == nil || !strings.Contains(got.Error(), want) {
			t.Errorf("%v, want %q", got, want)
		}
	}
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	set.Close()
	if err := sock.ServeSets(t.Context(), nil, []*sock.ListenerSet{set}, fn); !errors.Is(err, net.ErrClosed) {
		t.Errorf("ServeSets of one that is closed: %v", err)
	}
}
