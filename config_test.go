package ringo_test

import (
	"context"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/driver/open"
)

// refusal is the error of a Run that must not begin.
func refusal(t *testing.T, cfg *ringo.Config) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		ended <- ringo.Run(context.Background(), cfg, func(*ringo.Loop) error {
			t.Error("fn ran")
			return nil
		})
	}()
	return receive(t, "Run's refusal", ended)
}

// Each field has a bound on either side.
func TestConfigBounds(t *testing.T) {
	driver := anyDriver(t).Driver
	for _, c := range []struct {
		field string
		set   func(c *ringo.Config, n int)
		bad   []int
		good  []int
	}{
		{"Loops", func(c *ringo.Config, n int) { c.Loops = n }, []int{-1, 1025, math.MaxInt}, []int{1, 2}},
		{"Entries", func(c *ringo.Config, n int) {
			c.Entries = n
		}, []int{-1, 1, 32769, math.MinInt}, []int{2, 3, 33, 4096}},
		{"Buffers", func(c *ringo.Config, n int) {
			c.Buffers = n
			c.BufferSize = 64
		}, []int{-1, 1, 32769}, []int{2, 3, 100, 32768}},
		{"BufferSize", func(c *ringo.Config, n int) {
			c.BufferSize = n
			c.Buffers = 2
		}, []int{-1, 1, 63, 1<<20 + 1}, []int{64, 65, 1 << 20}},
		{"Leases", func(c *ringo.Config, n int) { c.Leases = n; c.Buffers = 8 }, []int{-1, 9}, []int{1, 8}},
		{"Budget", func(c *ringo.Config, n int) { c.Budget = n }, []int{-1, 65537}, []int{1, 65536}},
		{"Offload", func(c *ringo.Config, n int) { c.Offload = n }, []int{-1, 65537}, []int{1, 65536}},
		{"Spin", func(c *ringo.Config, n int) {
			c.Spin = time.Duration(n)
		}, []int{-1, 1_000_000_001}, []int{0, 1, 1_000_000_000}},
		{"SQPoll", func(c *ringo.Config, n int) {
			c.SQPoll = time.Duration(n) * time.Microsecond
		}, []int{-1, 1, 999, 10_000_001}, []int{0, 1000, 10_000_000}},
		{"Grace", func(c *ringo.Config, n int) { c.Grace = time.Duration(n) }, nil, []int{-1, 0, math.MaxInt}},
		{"StallLimit", func(c *ringo.Config, n int) {
			c.StallLimit = time.Duration(n)
		}, nil, []int{-1, 0, 1, math.MaxInt}},
		{"HoldLimit", func(c *ringo.Config, n int) {
			c.HoldLimit = time.Duration(n)
		}, []int{1, 999_999}, []int{-1, 0, 1_000_000, math.MaxInt}},
	} {
		t.Run(c.field, func(t *testing.T) {
			for _, n := range c.bad {
				cfg := small(driver)
				c.set(&cfg, n)
				err := refusal(t, &cfg)
				if err == nil || !strings.HasPrefix(err.Error(), "ringo: Config."+c.field+" is ") {
					t.Errorf("%d: %v, want an error that names the field", n, err)
				}
			}
			for _, n := range c.good {
				cfg := small(driver)
				c.set(&cfg, n)
				if cfg.SQPoll != 0 && os.Getenv("RINGO_MASK") != "" {
					t.Skip("a mask does not see what a thread of the kernel's takes")
				}
				if err := run(t, cfg, func(*ringo.Loop) error { return nil }); err != nil {
					t.Errorf("%d: %v", n, err)
				}
			}
		})
	}
}

func TestConfigMistakesComeTogether(t *testing.T) {
	t.Setenv("RINGO_DRIVER", "")
	err := refusal(t, &ringo.Config{
		Driver: "iocp", Loops: -1, Entries: -2, Buffers: -3, BufferSize: -4, Leases: -5,
		Budget: -6, Offload: -7, Spin: -8, HoldLimit: 9, SQPoll: 10,
	})
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	for _, field := range []string{"Driver", "Loops", "Entries", "Buffers", "BufferSize", "Leases",
		"Budget", "Offload", "Spin", "HoldLimit", "SQPoll"} {
		found := 0
		for _, line := range lines {
			if strings.HasPrefix(line, "ringo: Config."+field+" ") ||
				strings.HasPrefix(line, "ringo: Config."+field+":") {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%d lines about %s, want 1:\n%v", found, field, err)
		}
	}
	equal(t, "mistakes", len(lines), 11)
}

// The environment decides over the configuration, and a wrong word in it is an
// error, not a default.
func TestRINGO_DRIVER(t *testing.T) {
	for _, env := range append(open.Names(), "") {
		for _, name := range append(open.Names(), "") {
			want := env
			if env == "" {
				want = name
			}
			if want == "" {
				want = open.Auto
			}
			if want != open.Auto && usable()[want] != nil {
				continue
			}
			t.Setenv("RINGO_DRIVER", env)
			err := run(t, small(name), func(l *ringo.Loop) error {
				info := l.Info()
				if want != open.Auto && info.Name != want || info.Reason == "" {
					t.Errorf("RINGO_DRIVER=%s, Config.Driver=%s: driver %s, because %s", env, name,
						info.Name, info.Reason)
				}
				origin := "Config.Driver asks for it"
				if env != "" {
					origin = "RINGO_DRIVER asks for it"
				}
				if asked := want != open.Auto; asked != (info.Reason == origin) {
					t.Errorf("RINGO_DRIVER=%s, Config.Driver=%s: because %s", env, name, info.Reason)
				}
				return nil
			})
			if err != nil {
				t.Errorf("RINGO_DRIVER=%s, Config.Driver=%s: %v", env, name, err)
			}
		}
	}
	t.Setenv("RINGO_DRIVER", "Uring")
	cfg := small("epoll")
	err := refusal(t, &cfg)
	if err == nil || !strings.Contains(err.Error(), "RINGO_DRIVER") || !strings.Contains(err.Error(), `"Uring"`) ||
		!strings.Contains(err.Error(), "auto, uring, epoll") {
		t.Errorf("RINGO_DRIVER=Uring: %v, want what is wrong where, and the words to choose from", err)
	}
	for env, words := range map[string][]string{ // a wrong word that is overridden is still wrong
		"auto":  {"Config.Driver", `"iocp"`},
		"Uring": {"Config.Driver", `"iocp"`, "RINGO_DRIVER", `"Uring"`},
	} {
		t.Setenv("RINGO_DRIVER", env)
		cfg := small("iocp")
		err := refusal(t, &cfg)
		for _, word := range words {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("RINGO_DRIVER=%s, Config.Driver=iocp: %v, want %s in it", env, err, word)
			}
		}
	}
}

// What the sizes are rounded to shows where they are used.
func TestConfigEntriesAreRoundedUp(t *testing.T) {
	if other := forced(); other != "" && other != "uring" {
		t.Skip("only rings have entries, and RINGO_DRIVER is ", other)
	}
	if err := usable()["uring"]; err != nil {
		t.Skip("no ring here: ", err)
	}
	for entries, want := range map[int]int{0: 1024, 33: 64, 64: 64, 1000: 1024} {
		cfg := small("uring")
		cfg.Entries = entries
		equal(t, "error", run(t, cfg, func(l *ringo.Loop) error {
			equal(t, "entries of the ring", l.Info().Entries, want)
			return nil
		}), nil)
	}
}

// Each word that Drivers has is one that Config.Driver takes, whether the driver works here or not.
func TestDrivers(t *testing.T) {
	all := ringo.Drivers()
	if len(all) < 2 || all[0] != "auto" || !slices.Contains(all, "epoll") {
		t.Fatalf("Drivers = %q", all)
	}
	for _, name := range all {
		err := ringo.Run(context.Background(), &ringo.Config{Driver: name, Loops: 1}, func(l *ringo.Loop) error {
			if got := l.Info().Name; got == "auto" || !slices.Contains(all, got) {
				t.Errorf("%s runs on %q, which is none of %q", name, got, all)
			}
			return nil
		})
		if setup := (*ringo.SetupError)(nil); err != nil && !errors.As(err, &setup) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
