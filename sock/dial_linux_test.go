//go:build linux

package sock_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// fullListener makes a listener whose backlog is full, so that a dial gets no
// answer.
func fullListener(t *testing.T) (addr string, cleanUp func()) {
	t.Helper()
	ap, cleanUp, err := swallow(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	return ap.String(), cleanUp
}

// late reports whether a dial's time was over before it came to a connect.
func late(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded)
}

// A dial that waits ends at its timeout, by cancel, and when the name takes too
// long, and leaves no descriptor.
func TestDialThatWaits(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		addr, full := fullListener(t)
		defer full()
		before := sockets(t)
		onLoop(t, cfg, func(l *ringo.Loop) {
			name := "localhost" + addr[strings.LastIndexByte(addr, ':'):]
			for timeout, address := range map[time.Duration]string{10 * time.Millisecond: addr,
				11 * time.Millisecond: name} {
				d := sock.Dialer{Timeout: timeout}
				begin := time.Now()
				c, err := d.Dial(l, "tcp4", address)
				for tries := 0; tries < 20 && late(err); tries++ { // before the connect: it is a slow day
					d.Timeout *= 2
					c, err = d.Dial(l, "tcp4", address)
				}
				if err == nil {
					c.Close()
					t.Fatalf("the dial to a full listener went through after %v", time.Since(begin))
				}
				wantTimeout(t, "Dial", err)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Dial: %v, want context.DeadlineExceeded too", err)
				}
				var op *net.OpError
				if !errors.As(err, &op) || op.Op != "dial" || op.Addr == nil || op.Addr.String() != addr {
					t.Errorf("Dial: %v", err)
				}
				if took := time.Since(begin); took < timeout || took > patience/3 {
					t.Errorf("the timeout of %v came after %v", timeout, took)
				}
			}
			var err error
			task := l.Go(func() { _, err = sock.Dial(l, "tcp", addr) })
			others(l)
			task.Cancel()
			task.Wait()
			wantCanceled(t, "Dial", err)
			if os.IsTimeout(err) {
				t.Error("a cancelled dial looks like a timeout")
			}

			d := sock.Dialer{Timeout: time.Nanosecond}
			_, err = d.Dial(l, "tcp", "name-that-does-not-exist.invalid:80")
			var dns *net.DNSError
			if !late(err) || !errors.As(err, &dns) || dns.Name != "name-that-does-not-exist.invalid" {
				t.Errorf("Dial of a name: %v, want a look-up's timeout", err)
			}
			_, err = sock.Dial(l, "tcp", freeAddr(t))
			if !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("Dial: %v, want ECONNREFUSED", err)
			}
			eventuallyOn(t, l, "no socket left", func() bool { return sockets(t) == before })
		})
	})
}
