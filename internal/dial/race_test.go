package dial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"ringo/internal/driver"
	"ringo/internal/driver/open"
	"ringo/internal/loop"
	"ringo/internal/posix"
	"ringo/internal/test/patience"
)

// A stage is a race with names and connects of its own, and a clock that stands still until it is moved.
type stage struct {
	t     *testing.T
	l     *loop.Loop
	race  *Race
	epoch time.Time
	at    atomic.Int64 // since then

	names map[string]func(context.Context) ([]string, error) // by network
	peers map[string]func(s *stage, end time.Time) error     // by address; silent if there is none

	log    []string // attempts, and when they were
	under  int      // way
	most   int
	closed []string
	done   bool
	left   int // under way when it was done
	won    io.Closer
	err    error
}

// play runs a race, and script beside it, which moves the clock.
func play(t *testing.T, set func(s *stage), script func(s *stage)) *stage {
	t.Helper()
	s := &stage{t: t, epoch: time.Now().Round(0)}
	s.names, s.peers = map[string]func(context.Context) ([]string, error){}, map[string]func(*stage, time.Time) error{}
	name := cmp.Or(os.Getenv("RINGO_DRIVER"), open.Auto)
	cfg := &loop.Config{
		Loops: 1, Entries: 32, Buffers: 2, BufferSize: 64, Leases: 2, Budget: 256, Offload: 16,
		Grace: time.Second, Stall: -1, HardStop: time.Second, Clock: s.now,
		Open:    func(cfg driver.Config) (driver.Driver, error) { return open.Open(name, cfg) },
		OnPanic: func(*loop.Loop, any, []byte) {},
		Warn:    func(string, ...any) {},
	}
	err := loop.Run(context.Background(), cfg, func(l *loop.Loop) error {
		s.l = l
		s.race = &Race{Loop: l, Network: "tcp", Host: "a.test", Port: 80, Lookup: s.lookup, Connect: s.connect,
			clock: s.now}
		set(s)
		l.Go(func() {
			s.won, s.err = s.race.Run()
			s.done, s.left = true, s.under+len(s.race.lookups)
		})
		script(s)
		s.until("the race is over", func() bool { return s.done })
		if s.left != 0 {
			t.Errorf("%d attempts and look-ups outlive the race", s.left)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return s
}

func (s *stage) now() time.Time { return s.epoch.Add(time.Duration(s.at.Load())) }

func (s *stage) lookup(ctx context.Context, network, host string) (addrs []netip.Addr, err error) {
	var list []string
	if f := s.names[network]; f != nil {
		list, err = f(ctx)
	} else {
		err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	for _, a := range list {
		addrs = append(addrs, netip.MustParseAddr(a))
	}
	return addrs, err
}

type peer struct {
	s  *stage
	ap netip.AddrPort
}

func (p peer) Close() error {
	p.s.closed = append(p.s.closed, p.ap.Addr().String())
	return nil
}

func (s *stage) connect(ap netip.AddrPort, end time.Time) (io.Closer, error) {
	if ap.Port() != 80 {
		s.t.Errorf("port %d", ap.Port())
	}
	name := ap.Addr().String()
	s.log = append(s.log, fmt.Sprintf("%d %s", time.Duration(s.at.Load()).Milliseconds(), name))
	s.under++
	s.most = max(s.most, s.under)
	defer func() { s.under-- }()
	act := s.peers[name]
	if act == nil {
		act = silent
	}
	if err := act(s, end); err != nil {
		return nil, Error("tcp", TCPAddr(ap), err)
	}
	return peer{s, ap}, nil
}

// silent is a peer that swallows all.
func silent(s *stage, end time.Time) error {
	wait := time.Hour
	if !end.IsZero() {
		wait = end.Sub(s.now())
	}
	if s.l.Sleep(wait) < 0 {
		return s.l.Cause()
	}
	return Slow
}

func refuses(*stage, time.Time) error { return posix.ECONNREFUSED }

// serves connects after so many milliseconds.
func serves(ms int) func(*stage, time.Time) error {
	return func(s *stage, _ time.Time) error {
		if ms > 0 && s.l.Sleep(time.Duration(ms)*time.Millisecond) < 0 {
			return s.l.Cause()
		}
		return nil
	}
}

// known is a name's addresses of a family.
func known(addrs ...string) func(context.Context) ([]string, error) {
	return func(context.Context) ([]string, error) { return addrs, nil }
}

// held is the same when it is told.
func held(tell <-chan bool, addrs ...string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		select {
		case <-tell:
			return addrs, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// until lets the race go on until ok.
func (s *stage) until(what string, ok func() bool) {
	s.t.Helper()
	if err := patience.Poll(func() { s.l.Sleep(0) }, ok); err != nil {
		s.t.Errorf("%s: %v; attempts %q", what, err, s.log)
		s.l.Task().Cancel()
		panic("the script can't go on")
	}
}

// moves sets the clock, and wants these attempts by then, and no more.
func (s *stage) moves(ms int, want ...string) {
	s.t.Helper()
	s.at.Store(int64(ms) * int64(time.Millisecond))
	s.until(fmt.Sprintf("attempts %q at %d ms", want, ms), func() bool { return len(s.log) >= len(want) })
	for range 10 {
		s.l.Sleep(0)
	}
	if !slices.Equal(s.log, want) {
		s.t.Errorf("at %d ms: attempts %q, want %q", ms, s.log, want)
	}
}

// looked waits until so many look-ups are still under way.
func (s *stage) looked(left int) {
	s.t.Helper()
	// The race is a task that has yet to begin, perhaps.
	s.until("the look-ups", func() bool { return s.race.task != nil && len(s.race.lookups) == left })
}

func (s *stage) wantWinner(addr string) {
	s.t.Helper()
	if p, ok := s.won.(peer); s.err != nil || !ok || p.ap.Addr().String() != addr {
		s.t.Errorf("%v, %v won; want %s", s.won, s.err, addr)
	}
	if slices.Contains(s.closed, addr) {
		s.t.Error("the winner was closed")
	}
}

// The families take turns, IPv6 first, each attempt 250 ms behind the one before.
func TestRaceInTurns(t *testing.T) {
	s := play(t, func(s *stage) {
		s.names["tcp6"] = known("2001:db8::1", "2001:db8::2")
		s.names["tcp4"] = known("192.0.2.1", "192.0.2.2", "192.0.2.3")
		s.peers["192.0.2.2"] = serves(100)
	}, func(s *stage) {
		want := []string{"0 2001:db8::1", "250 192.0.2.1", "500 2001:db8::2", "750 192.0.2.2"}
		s.looked(0)
		for i := range want {
			if i > 0 {
				s.moves(250*i-1, want[:i]...)
			}
			s.moves(250*i, want[:i+1]...)
		}
		s.moves(849, want...)
		if s.done {
			t.Error("it is over before anybody has connected")
		}
		s.moves(850, want...)
	})
	s.wantWinner("192.0.2.2")
}

// Behind an attempt that fails the next is made at once, and the error names all.
func TestRaceFailsFast(t *testing.T) {
	s := play(t, func(s *stage) {
		s.names["tcp6"], s.names["tcp4"] = known("2001:db8::1"), known("192.0.2.1", "192.0.2.2")
		for _, a := range []string{"2001:db8::1", "192.0.2.1", "192.0.2.2"} {
			s.peers[a] = refuses
		}
	}, func(s *stage) { s.moves(0, "0 2001:db8::1", "0 192.0.2.1", "0 192.0.2.2") })
	play(t, func(s *stage) { // also beside one that is silent
		s.names["tcp6"], s.names["tcp4"] = known("2001:db8::1"), known("192.0.2.1", "192.0.2.2")
		s.peers["192.0.2.1"], s.peers["192.0.2.2"] = refuses, serves(0)
	}, func(s *stage) {
		s.looked(0)
		s.moves(0, "0 2001:db8::1")
		s.moves(250, "0 2001:db8::1", "250 192.0.2.1", "250 192.0.2.2")
	}).wantWinner("192.0.2.2")
	want := "dial tcp [2001:db8::1]:80: connection refused; 192.0.2.1:80: connection refused; " +
		"192.0.2.2:80: connection refused"
	if s.err == nil || s.err.Error() != want || !errors.Is(s.err, posix.ECONNREFUSED) {
		t.Errorf("%v, want %s", s.err, want)
	}
}

// Addresses of IPv4 that come first wait 50 ms for those of IPv6.
func TestRaceWaitsForIPv6(t *testing.T) {
	for name, script := range map[string]func(s *stage, found func()){
		"in time": func(s *stage, found func()) {
			s.moves(49)
			found()
			s.moves(49, "49 2001:db8::1")
			s.moves(50, "49 2001:db8::1")
		},
		"too late": func(s *stage, found func()) {
			s.moves(49)
			s.moves(50, "50 192.0.2.1")
			s.moves(60, "50 192.0.2.1")
			found()
			s.moves(299, "50 192.0.2.1")
			s.moves(300, "50 192.0.2.1", "300 2001:db8::1")
			s.moves(301, "50 192.0.2.1", "300 2001:db8::1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			tell := make(chan bool)
			play(t, func(s *stage) {
				s.names["tcp6"], s.names["tcp4"] = held(tell, "2001:db8::1"), known("192.0.2.1")
				s.peers["2001:db8::1"] = serves(1)
			}, func(s *stage) {
				s.looked(1)
				script(s, func() {
					close(tell)
					s.looked(0)
				})
			}).wantWinner("2001:db8::1")
		})
	}
}

// With little time the head starts are shorter, so that all addresses are tried.
func TestRaceWithLittleTime(t *testing.T) {
	s := play(t, func(s *stage) {
		s.names["tcp4"] = known("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")
		s.race.End = s.now().Add(400 * time.Millisecond)
	}, func(s *stage) {
		want := []string{"0 192.0.2.1", "100 192.0.2.2", "200 192.0.2.3", "300 192.0.2.4"}
		s.looked(0)
		for i := range want {
			s.moves(100*i, want[:i+1]...)
		}
		s.moves(400, want...)
	})
	if !errors.Is(s.err, context.DeadlineExceeded) || !errors.Is(s.err, os.ErrDeadlineExceeded) ||
		!os.IsTimeout(s.err) {
		t.Errorf("%v, want a timeout", s.err)
	}
}

// One after the other, each has its part of the time, but two seconds if there are as many.
func TestRaceOneAfterTheOther(t *testing.T) {
	s := play(t, func(s *stage) {
		s.names["tcp4"] = known("192.0.2.1", "192.0.2.2", "192.0.2.3")
		s.race.Delay, s.race.End = -1, s.now().Add(5*time.Second)
	}, func(s *stage) {
		s.looked(0)
		s.moves(0, "0 192.0.2.1")
		s.moves(1999, "0 192.0.2.1")
		s.moves(2000, "0 192.0.2.1", "2000 192.0.2.2")
		s.moves(3999, "0 192.0.2.1", "2000 192.0.2.2")
		s.moves(4000, "0 192.0.2.1", "2000 192.0.2.2", "4000 192.0.2.3")
		s.moves(5000, "0 192.0.2.1", "2000 192.0.2.2", "4000 192.0.2.3")
	})
	if s.most != 1 || !os.IsTimeout(s.err) {
		t.Errorf("%d at once, %v", s.most, s.err)
	}
	s = play(t, func(s *stage) { // for the third there is no time left
		s.names["tcp4"] = known("192.0.2.1", "192.0.2.2", "192.0.2.3")
		s.race.Delay, s.race.End = -1, s.now().Add(4*time.Second)
	}, func(s *stage) {
		s.looked(0)
		s.moves(0, "0 192.0.2.1")
		s.moves(2000, "0 192.0.2.1", "2000 192.0.2.2")
		s.moves(4000, "0 192.0.2.1", "2000 192.0.2.2")
	})
	if !os.IsTimeout(s.err) {
		t.Error(s.err)
	}
}

// Ten connects are under way at most: the oldest makes way, and the error counts those that it does not name.
func TestRaceBound(t *testing.T) {
	var addrs, want []string
	for i := range 15 {
		addrs = append(addrs, fmt.Sprintf("192.0.2.%d", i+1))
		want = append(want, fmt.Sprintf("%d 192.0.2.%d", 10*i, i+1))
	}
	s := play(t, func(s *stage) {
		s.names["tcp4"], s.race.Delay = known(addrs...), 10*time.Millisecond
		s.race.End = s.now().Add(time.Hour)
	}, func(s *stage) {
		s.looked(0)
		for i := range want {
			s.moves(10*i, want[:i+1]...)
		}
		s.moves(int(time.Hour/time.Millisecond), want...)
	})
	if s.most != 10 || !os.IsTimeout(s.err) {
		t.Errorf("%d at once, %v", s.most, s.err)
	}
	var f *failures
	if !errors.As(s.err, &f) || len(f.errs) != failuresMax || f.more != 15-failuresMax {
		t.Fatalf("%v", s.err)
	}
	for _, e := range f.errs {
		if e.Err != Slow {
			t.Errorf("%v: %v, want that it was too slow", e.Addr, e.Err)
		}
	}
}

// Of two that connect in the same turn one wins, and the other is closed.
func TestRaceTwoWinners(t *testing.T) {
	s := play(t, func(s *stage) {
		s.names["tcp4"] = known("192.0.2.1", "192.0.2.2")
		s.peers["192.0.2.1"], s.peers["192.0.2.2"] = serves(300), serves(50)
	}, func(s *stage) {
		s.looked(0)
		s.moves(0, "0 192.0.2.1")
		s.moves(250, "0 192.0.2.1", "250 192.0.2.2")
		s.moves(300, "0 192.0.2.1", "250 192.0.2.2")
	})
	if len(s.closed) != 1 {
		t.Errorf("%q were closed, want one", s.closed)
	}
	s.wantWinner(map[string]string{"192.0.2.1": "192.0.2.2", "192.0.2.2": "192.0.2.1"}[s.closed[0]])
}

// Who is cancelled has neither look-ups nor attempts left.
func TestRaceCanceled(t *testing.T) {
	s := play(t, func(s *stage) {
		s.names["tcp6"], s.names["tcp4"] = held(nil), known("192.0.2.1")
	}, func(s *stage) {
		s.looked(1)
		s.moves(50, "50 192.0.2.1")
		s.race.task.Cancel()
	})
	if !errors.Is(s.err, context.Canceled) || len(s.race.lookups) != 0 {
		t.Errorf("%v, %d look-ups", s.err, len(s.race.lookups))
	}
}

// A look-up that a cancel ends says of which name.
func TestRaceCanceledLookup(t *testing.T) {
	for _, network := range []string{"tcp", "tcp4"} {
		s := play(t, func(s *stage) {
			s.race.Network = network
			s.names["tcp6"], s.names["tcp4"] = held(nil), held(nil)
		}, func(s *stage) {
			s.until("the look-ups", func() bool { return s.race.task != nil && len(s.race.lookups) > 0 })
			s.race.task.Cancel()
		})
		var dns *net.DNSError
		if !errors.As(s.err, &dns) || dns.Name != "a.test" || dns.IsTimeout || !errors.Is(s.err, context.Canceled) {
			t.Errorf("%s: %v, want a cancelled look-up of a.test", network, s.err)
		}
	}
}

// A look-up that comes to no answer ends with the time.
func TestRaceLooksUpTooLong(t *testing.T) {
	s := play(t, func(s *stage) {
		s.names["tcp6"], s.names["tcp4"] = held(nil), held(nil)
		s.race.End = s.now().Add(time.Minute)
	}, func(s *stage) {
		s.moves(59_999)
		if s.done {
			t.Error("it is over too early")
		}
		s.moves(60_000)
	})
	var dns *net.DNSError
	if !errors.As(s.err, &dns) || !dns.IsTimeout || dns.Name != "a.test" ||
		!errors.Is(s.err, context.DeadlineExceeded) {
		t.Errorf("%v, want a look-up's timeout", s.err)
	}
}

// What Connect or Lookup panics with is the error.
func TestRacePanics(t *testing.T) {
	for name, set := range map[string]func(*stage){
		"Connect": func(s *stage) {
			s.names["tcp4"] = known("192.0.2.1")
			s.peers["192.0.2.1"] = func(*stage, time.Time) error { panic("a mistake") }
		},
		"Lookup": func(s *stage) {
			s.race.Network = "tcp4"
			s.names["tcp4"] = func(context.Context) ([]string, error) { panic("a mistake") }
		},
	} {
		s := play(t, set, func(*stage) {})
		var p *loop.PanicError
		var oe *net.OpError
		if !errors.As(s.err, &p) || p.Value != "a mistake" || !errors.As(s.err, &oe) {
			t.Errorf("%s: %v", name, s.err)
		}
	}
}

// Only the families are looked up that the network and the address of this end allow.
func TestRaceFamilies(t *testing.T) {
	for _, test := range []struct{ network, local, want string }{
		{"tcp4", "", "192.0.2.1"}, {"tcp6", "", "2001:db8::1"}, {"tcp", "192.0.2.9:0", "192.0.2.1"},
		{"tcp", "[2001:db8::9]:0", "2001:db8::1"}, {"tcp4", "[2001:db8::9]:0", ""},
	} {
		s := play(t, func(s *stage) {
			s.names["tcp6"], s.names["tcp4"] = known("2001:db8::1"), known("192.0.2.1")
			s.peers["2001:db8::1"], s.peers["192.0.2.1"] = serves(0), serves(0)
			s.race.Network = test.network
			if test.local != "" {
				s.race.Local, s.race.LocalName = netip.MustParseAddrPort(test.local).Addr(), test.local
			}
		}, func(*stage) {})
		if test.want != "" {
			s.wantWinner(test.want)
			continue
		}
		var a *net.AddrError
		if !errors.As(s.err, &a) || len(s.log) != 0 {
			t.Errorf("%s from %s: %v, attempts %q", test.network, test.local, s.err, s.log)
		}
	}
}

// A name with addresses of the other family only is not one that there is not.
func TestRaceUnsuitable(t *testing.T) {
	for _, test := range []struct{ local, known string }{
		{"192.0.2.9:0", "tcp6"}, {"[2001:db8::9]:0", "tcp4"}, {"192.0.2.9:0", ""},
	} {
		s := play(t, func(s *stage) {
			if test.known != "" {
				s.names[test.known] = known(map[string]string{"tcp6": "2001:db8::1", "tcp4": "192.0.2.1"}[test.known])
			}
			s.race.Local, s.race.LocalName = netip.MustParseAddrPort(test.local).Addr(), test.local
		}, func(*stage) {})
		var unfit *net.AddrError
		var dns *net.DNSError
		if test.known != "" && (!errors.As(s.err, &unfit) || unfit.Addr != test.local) ||
			test.known == "" && (!errors.As(s.err, &dns) || !dns.IsNotFound) || len(s.log) != 0 {
			t.Errorf("from %s to a name of %q: %v, attempts %q", test.local, test.known, s.err, s.log)
		}
	}
}

// A name without addresses is the error of the look-up that says more.
func TestRaceUnknownName(t *testing.T) {
	s := play(t, func(s *stage) {
		s.names["tcp6"] = func(context.Context) ([]string, error) {
			return nil, &net.DNSError{Err: "server misbehaving", Name: "a.test", IsTemporary: true}
		}
	}, func(*stage) {})
	var dns *net.DNSError
	if !errors.As(s.err, &dns) || dns.IsNotFound || dns.Err != "server misbehaving" {
		t.Errorf("%v", s.err)
	}
}
