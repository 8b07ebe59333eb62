//go:build linux

package sock_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/sock"
)

// What a program does in Offload for long keeps nobody from a name, a disk, or a connection of another loop.
func TestFullOffloadHoldsUpNobody(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Offload = 1
		onLoop(t, cfg, func(l *ringo.Loop) {
			release := make(chan bool)
			defer close(release)
			l.Go(func() { l.Offload(func(context.Context) error { <-release; return nil }) })
			l.Sleep(0)
			ln := listen(t, l)
			_, port, _ := net.SplitHostPort(ln.Addr().String())
			c, err := sock.Dial(l, "tcp", "localhost:"+port)
			if err != nil {
				t.Fatalf("a dial by name: %v", err)
			}
			defer c.Close()
			dir := filepath.Join(t.TempDir(), "a", "b")
			if err := file.MkdirAll(dir, 0o755); err != nil {
				t.Error(err)
			}
			if err := file.RemoveAll(filepath.Dir(dir)); err != nil {
				t.Error(err)
			}
		})
	})
}

// A dial whose look-up has no slot in time says so, and not that a peer did not answer.
func TestDialWithoutSlotSaysSo(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			release := make(chan bool)
			slow := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
				<-release
				return nil, errors.New("no server")
			}}
			d := sock.Dialer{Resolver: slow}
			looks := func() ringo.LaneStats {
				for _, lane := range l.Stats().Lanes {
					if lane.Name == "names" {
						return lane
					}
				}
				t.Fatal("no lane of names")
				panic("unreachable")
			}
			var dials []*ringo.Task
			for range looks().Max {
				dials = append(dials, l.Go(func() { d.Dial(l, "tcp", "name.invalid:1") }))
			}
			for looks().Running < looks().Max {
				l.Sleep(0)
			}
			late := d
			late.Timeout = 10 * time.Millisecond
			_, err := late.Dial(l, "tcp", "name.invalid:1")
			var op *net.OpError
			var dns *net.DNSError
			if !errors.As(err, &op) || !op.Timeout() ||
				!errors.As(err, &dns) || dns.Name != "name.invalid" || !errors.Is(err, os.ErrDeadlineExceeded) ||
				!strings.Contains(err.Error(), "no slot came free in time for one of the look-ups of names") {
				t.Errorf("a dial whose look-up has no slot: %v", err)
			}
			close(release)
			for _, dial := range dials {
				dial.Wait()
			}
		})
	})
}
