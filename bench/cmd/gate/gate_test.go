//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/rig"
)

// A loss of 15 % fails whatever a few disturbed rounds say, and the usual ratio with the noise of a busy machine
// passes. A host on which one yardstick alone does better is no loss.
func TestJudgeRatio(t *testing.T) {
	both := ratioBound{"ringo-uring-request", cell{50, 64, 1}, 1.20, 0.95}
	alone := ratioBound{"ringo-uring-request", cell{50, 64, 1}, 1.20, none}
	noise := []float64{1, 0.97, 1.04, 0.99, 1.01, 0.98, 1.03, 0.6, 1.7, 1, 1.02}
	for _, c := range []struct {
		name       string
		bound      ratioBound
		toNet, toC float64
		ok         bool
		word       string
	}{
		{"as usual", both, 1, 1, true, "  ok"},
		{"2 % lost", both, 0.98, 0.98, true, "  ok"},
		{"15 % more time a request", both, 1 / 1.15, 1 / 1.15, false, "FAILS beside gonet and c-uring"},
		{"20 % more", both, 1 / 1.2, 1 / 1.2, false, "FAILS beside gonet and c-uring"},
		{"15 % fewer requests a second", both, 0.85, 0.85, false, "15 % under the usual 1.20"},
		{"net is cheaper here", both, 0.8, 1, true, "20 % under the usual 1.20"},
		{"C is cheaper here", both, 1, 0.8, true, "20 % under the usual 0.95"},
		{"net is cheaper here, and 15 % lost", both, 0.8, 0.85, false, "FAILS"},
		{"20 % gained", both, 1.2, 1, true, "so much over the usual 1.20 that bounds.go should know"},
		{"lost with one yardstick", alone, 0.87, 1, false, "FAILS beside gonet"},
		{"wakes are dearer here", alone, 0.91, 1, true, "  ok"},
	} {
		ratios := map[string][]float64{}
		for _, n := range noise {
			ratios[contest.Base] = append(ratios[contest.Base], 1.20*c.toNet*n)
			ratios["c-uring"] = append(ratios["c-uring"], 0.95*c.toC*n)
		}
		lines, ok := c.bound.judge(ratios)
		if text := strings.Join(lines, "\n"); ok != c.ok || !strings.Contains(text, c.word) {
			t.Errorf("%s: %v, want %v and %q:\n%s", c.name, ok, c.ok, c.word, text)
		}
		delete(ratios, contest.Base)
		if lines, ok := c.bound.judge(ratios); ok {
			t.Errorf("%s: no rounds beside net pass: %s", c.name, lines)
		}
	}
}

// Each bound is of a server that rig knows, and no driver is forgotten.
func TestBounds(t *testing.T) {
	var bed rig.Rig
	seen := map[string]bool{}
	for _, r := range ratioBounds {
		known := *r.cell.load()
		known.Servers = []string{r.server}
		for _, y := range r.yardsticks() {
			known.Servers = append(known.Servers, y.name)
		}
		if err := bed.Check([]contest.Cell{known}); err != nil || !strings.HasPrefix(r.server, "ringo-") {
			t.Errorf("%v: %v", r, err)
		}
		if name := fmt.Sprint(r.server, r.cell); seen[name] {
			t.Errorf("%v has two bounds", r)
		} else {
			seen[name] = true
		}
		if len(r.yardsticks()) == 0 {
			t.Errorf("%v is compared with nobody", r)
		}
		for _, y := range r.yardsticks() {
			if y.usual < 0.5 || y.usual > 3 {
				t.Errorf("%v is usually %v of %s", r, y.usual, y.name)
			}
		}
	}
	for driver := range callBounds {
		if len(boundsOn([]string{driver})) == 0 {
			t.Errorf("driver %s has bounds for its calls and none for its time", driver)
		}
	}
	if n := len(boundsOn([]string{"uring", "epoll"})); n != len(ratioBounds) {
		t.Errorf("%d bounds of %d are on uring and epoll", n, len(ratioBounds))
	}
}

// What a change could add to a request fails, and what comes with connections, turns and time passes.
func TestJudgeCalls(t *testing.T) {
	const requests, conns = 20000, 50
	for _, c := range []struct {
		name, driver string
		counts       map[string]int
		ok           bool
		fails        string
	}{
		{"as usual", "uring", map[string]int{"io_uring_enter": 1000, "futex": 700, "accept4": 50, "close": 60,
			"setsockopt": 50}, true, ""},
		{"a send for each", "uring", map[string]int{"sendto": 20000, "io_uring_enter": 1000}, false, "sendto"},
		{"a send for one request of twenty", "uring", map[string]int{"sendto": 1000, "io_uring_enter": 1000}, false,
			"sendto"},
		{"a send less for one request of twenty", "epoll", map[string]int{"sendto": 19000, "recvfrom": 20000,
			"epoll_pwait2": 400}, false, "sendto"},
		{"an enter for each", "uring", map[string]int{"io_uring_enter": 20000}, false,
			"io_uring_enter"},
		{"another call", "uring", map[string]int{"io_uring_enter": 1000, "fcntl": 20000}, false,
			"fcntl"},
		{"a receive", "uring", map[string]int{"io_uring_enter": 1000, "recvfrom": 20000}, false,
			"recvfrom"},
		{"a clock", "uring", map[string]int{"io_uring_enter": 1000, "clock_gettime": 20000}, false,
			"with time"},
		{"as usual", "epoll", map[string]int{"sendto": 20000, "recvfrom": 20050, "epoll_pwait2": 400, "epoll_pwait": 40,
			"epoll_ctl": 101, "futex": 500}, true, ""},
		{"a receive more", "epoll", map[string]int{"sendto": 20000, "recvfrom": 40000, "epoll_pwait2": 400}, false,
			"recvfrom"},
		{"told of each again", "epoll", map[string]int{"sendto": 20000, "recvfrom": 20000, "epoll_pwait2": 400,
			"epoll_ctl": 20000}, false, "epoll_ctl"},
	} {
		lines, ok := judgeCalls(callBounds[c.driver], c.counts, requests, conns, time.Second)
		text := strings.Join(lines, "\n")
		if ok != c.ok {
			t.Errorf("%s, %s: %v, want %v:\n%s", c.driver, c.name, ok, c.ok, text)
		}
		for _, line := range lines {
			if strings.HasSuffix(line, "FAILS") != (c.fails != "" && strings.HasPrefix(line, c.fails)) {
				t.Errorf("%s, %s: want %q to fail and nothing else:\n%s", c.driver, c.name, c.fails, line)
			}
		}
	}
	if lines, ok := judgeCalls(callBounds["uring"], map[string]int{"sendto": 200}, 200, conns, time.Second); ok {
		t.Errorf("a count of 200 requests passes: %v", lines)
	}
	// What was counted on a machine that was busy with other things.
	busy := map[string]int{"sendto": 5183, "recvfrom": 5195, "epoll_pwait": 1580, "futex": 852, "nanosleep": 871,
		"clock_gettime": 809, "process_vm_readv": 591, "openat": 126, "read": 133, "close": 134, "tgkill": 102,
		"rt_sigreturn": 102, "getpid": 102, "accept4": 51, "getpeername": 50, "epoll_ctl": 59}
	if lines, ok := judgeCalls(callBounds["epoll"], busy, 5183, conns, 2*time.Second); !ok {
		t.Errorf("a busy machine fails:\n%s", strings.Join(lines, "\n"))
	}
	busy["clock_gettime"] += 5183
	if lines, ok := judgeCalls(callBounds["epoll"], busy, 5183, conns, 2*time.Second); ok {
		t.Errorf("a clock for each request passes on a busy machine:\n%s", strings.Join(lines, "\n"))
	}
}
