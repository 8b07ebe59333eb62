package event_test

import (
	"io"
	"net"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
)

// Echo allocates nothing, on any driver, of any size. It is not parallel, because it counts.
func TestAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	echoes := map[string]func(c *event.Conn, p []byte) int{
		"Write": func(c *event.Conn, p []byte) int {
			c.Write(p)
			return len(p)
		},
		"a little and the rest": func(c *event.Conn, p []byte) int {
			c.Write(p[:1])
			c.Write(p[1:])
			return len(p)
		},
		"WriteLease": func(c *event.Conn, p []byte) int {
			if lease, err := c.Keep(); err == nil {
				c.WriteLease(lease)
			}
			return len(p)
		},
		"what is unused": func(c *event.Conn, p []byte) int {
			if len(p) < 300 {
				return 0
			}
			c.Write(p)
			return len(p)
		},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, echo := range echoes {
			for _, size := range []int{300, 20_000, 50_000} {
				countAllocs(t, cfg, name, size, &funcs{data: echo})
			}
		}
		countAllocs(t, cfg, "with timeouts", 20_000, &funcs{data: echoes["Write"],
			open:    func(c *event.Conn) { c.SetTimeouts(time.Millisecond, time.Millisecond) },
			timeout: func(*event.Conn, event.Timeout) {}})
	})
}

func countAllocs(t *testing.T, cfg ringo.Config, name string, size int, h event.Handler) {
	t.Helper()
	onLoop(t, cfg, func(l *event.Loop) {
		addr := listenOnce(t, l, h)
		outside(t, l, func() error {
			c, err := net.DialTimeout("tcp", addr, patience.Max)
			if err != nil {
				return err
			}
			defer c.Close()
			c.SetDeadline(patience.Deadline())
			p := make([]byte, size)
			var failed error
			round := func() {
				for _, part := range [][]byte{p[:100], p[100:]} {
					if _, err := c.Write(part); err != nil {
						failed = err
					}
				}
				if _, err := io.ReadFull(c, p); err != nil {
					failed = err
				}
			}
			if least := alloctest.Least(200, 0.05, round); least > 0.05 { // some are the runtime's own
				t.Errorf("%s, %d bytes: %.2f allocations a round", name, size, least)
			}
			return failed
		})
	})
}
