package page

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/host"
	"ringo/bench/internal/sample"
	"ringo/internal/measure"
)

// testRecord is a run of so many rounds in which each server takes the same CPU in all of them, but for a wobble.
func testRecord(rounds int) *contest.Record {
	rec := &contest.Record{
		About: contest.About{Begin: time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC), Rounds: rounds, Seconds: 0.3,
			Quiet: 0.1, Commit: "abc1234", Command: "bench compare",
			Host: host.Host{CPU: "A <CPU>", CPUs: 2, Kernel: "6.18",
				Mitigations: map[string]string{"retbleed": "Mitigation: x"},
				Versions:    map[string]string{"Go": "go1.26"}},
			Charges: host.Charges{"getppid": 150, "wake": 5200},
			LeftOut: []contest.LeftOut{{Server: "haproxy", Why: "haproxy is not installed: apt-get install haproxy"}}},
		End: contest.End{Minutes: 12, Charges: host.Charges{"getppid": 160}},
	}
	cpus := map[string]float64{contest.Base: 6, contest.Control: 6.06, "c-uring": 4, "gnet": 5, "nbio": 7,
		"ringo-uring-request": 4.5, "ringo-epoll-request": 6.02, "ringo-uring-goroutine": 8}
	for round := 1; round <= rounds; round++ {
		for _, s := range contest.Servers() {
			cpu := cpus[s.Name] * (1 + 0.01*float64(round%3))
			if cpu == 0 {
				continue
			}
			closed := sample.Sample{Round: round, Cell: "echo/50x64", Server: s.Name, CPUMicros: cpu,
				PerSecond: 1e6 / cpu, P50: 10 * cpu, P99: 50 * cpu}
			open := closed
			open.Cell, open.PerSecond, open.Rate, open.LateP99 = "open/50x64@60", 99_000, 100_000, 3
			if s.Name == "nbio" {
				open.PerSecond = 80_000
			}
			rec.Samples = append(rec.Samples, closed, open)
		}
	}
	rec.Samples = append(rec.Samples, sample.Sample{Round: 1, Cell: "echo/50x64", Server: "netpoll",
		Failed: "died & <gone>"})
	return rec
}

func write(t *testing.T, rec *contest.Record) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, rec); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// section is a part of the page, without its tags.
func section(t *testing.T, page, id string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, `<h2 id="`+id+`">`)
	if !ok {
		t.Fatalf("the page has no section %q", id)
	}
	text, _, _ := strings.Cut(rest, "<h2 ")
	return strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(text, " ")), " ")
}

func wants(t *testing.T, name, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s lacks %q:\n%s", name, w, text)
		}
	}
}

func TestPageSaysWhoWinsAndWhoLoses(t *testing.T) {
	page := write(t, testRecord(9))
	wants(t, "glance", section(t, page, "glance"),
		"Beside Go&#39;s standard library: less CPU under 1 of 1 loads, more under 0.",
		"Beside the best other Go library: less CPU under 1 of 1 loads, more under 0.",
		"Beside the best in C: less CPU under 0 of 1 loads, more under 1.",
		"50 connections, 64 B Go net 1.33× 1.33 – 1.33", "C, io_uring 0.89×")
	losses := section(t, page, "losses")
	wants(t, "losses", losses,
		"Ringo uring, goroutines 50 connections, 64 B CPU a request: 60 % more than gnet (60 – 60); "+
			"33 % more than Go net",
		"14 % more than nbio", "Ringo uring, handlers 50 connections, 64 B CPU a request: 12 % more than C, io_uring",
		"open loop, 60 % of Go net&#39;s peak")
	if strings.Contains(losses, "epoll, handlers 50 connections, 64 B CPU a request: 0 % more than Go net") {
		t.Errorf("what is within the noise counts as lost:\n%s", losses)
	}
	wants(t, "cells", section(t, page, "cells"), "Least CPU: C, io_uring.", "Differences of less than 1.0 %",
		"Ringo epoll, handlers no difference seen 1.00×", "netpoll failed in 1 of 1 rounds: died &amp; &lt;gone&gt;")
	wants(t, "open", section(t, page, "open"), "60 % of Go net&#39;s peak: 100.0 k requests a second",
		"answered only 80 % of the rate", "no later than 3 µs", "µs of CPU; 1.33× better (1.33 – 1.33)",
		"Ringo uring, goroutines 8.08 µs of CPU; 1.33× worse (1.33 – 1.33)")
	wants(t, "host", section(t, page, "host"), "A &lt;CPU&gt;", "retbleed", "150 ns 160 ns", "5.2 µs –", "abc1234")
	wants(t, "method", section(t, page, "method"), "9 rounds", "12.0 minutes",
		"HAProxy haproxy is not installed: apt-get")
}

func TestPageDoesNotConcludeFromFewRounds(t *testing.T) {
	page := write(t, testRecord(measure.RoundsMin-1))
	wants(t, "page", page, "5 rounds conclude nothing: it takes 6.")
	wants(t, "glance", section(t, page, "glance"), "too few rounds for 1")
	wants(t, "losses", section(t, page, "losses"), "This run shows no loss beyond its noise, which says nothing")
}

func TestPageTellsOfItsRun(t *testing.T) {
	quick := testRecord(9)
	quick.About.Quick, quick.End.Interrupted = true, true
	killed := testRecord(9)
	killed.End = contest.End{}
	loud := testRecord(9)
	for i := range loud.Samples {
		loud.Samples[i].OtherBusy = 0.5
	}
	bare := testRecord(9)
	bare.About.Charges, bare.About.LeftOut, bare.About.Host = nil, nil, host.Host{}
	for name, c := range map[string]struct {
		rec  *contest.Record
		want []string
	}{
		"quick":  {quick, []string{"This is a quick run", "The run was interrupted"}},
		"killed": {killed, []string{"The run has no end"}},
		"loud":   {loud, []string{"The machine was not quiet: during 144 of 145 measurements"}},
		"bare":   {bare, []string{"there was no C compiler"}},
	} {
		wants(t, name, write(t, c.rec), c.want...)
	}
	calm := write(t, testRecord(9))
	for _, word := range []string{"quick run", "interrupted", "no end", "not quiet"} {
		if strings.Contains(calm, word) {
			t.Errorf("the page of a calm, full run says %q", word)
		}
	}
}

// The page stands alone, its tags are closed, and all that is drawn is drawn on the page.
func TestPageIsWhole(t *testing.T) {
	for name, rec := range map[string]*contest.Record{"a run": testRecord(9), "one sample": {
		About:   contest.About{Begin: time.Now()},
		Samples: []sample.Sample{{Round: 1, Cell: "echo/50x64", Server: contest.Base, CPUMicros: 1}},
	}} {
		page := write(t, rec)
		for _, bad := range []string{"<script", "http://", "https://", "url(", "@import", "NaN", "Inf", "ZgotmplZ",
			"%!"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s: the page has %q", name, bad)
			}
		}
		d := xml.NewDecoder(strings.NewReader(page))
		d.Entity = xml.HTMLEntity
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if e, ok := token.(xml.StartElement); ok {
				checkPlace(t, name, e)
			}
		}
	}
}

func checkPlace(t *testing.T, name string, e xml.StartElement) {
	for _, a := range e.Attr {
		var at float64
		if n, _ := fmt.Sscanf(a.Value, "%f%%", &at); n == 1 && strings.HasSuffix(a.Value, "%") && (at < 0 || at > 100) {
			t.Errorf("%s: <%s %s=%q> is off the chart", name, e.Name.Local, a.Name.Local, a.Value)
		}
	}
}

func TestScale(t *testing.T) {
	s := scaleOf([]measure.Interval{{Rounds: 9, Median: 0.5, Low: 0.45, High: 0.6},
		{Rounds: 9, Median: 2, Low: 0.01, High: 50},
		{Rounds: 0, Median: math.NaN(), Low: math.NaN(), High: math.NaN()}}, 1)
	// Intervals get no more room than a third beyond the medians.
	if s.low < 0.5/1.5 || s.low > 0.45 || s.high < 2.2 || s.high > 3 {
		t.Errorf("scale %+v", s)
	}
	if a, b, c := s.at(0.001), s.at(1), s.at(1000); a != 0 || b <= 30 || b >= 70 || c != 100 {
		t.Errorf("at %v, %v, %v", a, b, c)
	}
	for _, s := range []scale{s, {0.9, 1.1}, {0.98, 1.02}, {0.01, 100}, {0.7, 6}, {0.94, 1.4}} {
		ticks := s.ticks(ratioTicks, ratioText)
		one := false
		for i, tick := range ticks {
			one = one || tick.Text == "1×"
			if i > 0 && tick.At-ticks[i-1].At < 12 {
				t.Errorf("%+v: ticks %+v are too close", s, ticks)
			}
		}
		if !one {
			t.Errorf("%+v: ticks %+v lack 1", s, ticks)
		}
	}
}

func TestTimes(t *testing.T) {
	cases := map[float64]string{0.5: "0.5 µs", 58.4: "58.4 µs", 999.9: "1 ms", 57_300: "57.3 ms", 2e6: "2 s"}
	for us, want := range cases {
		if got := timeText(us); got != want {
			t.Errorf("%v is %q, want %q", us, got, want)
		}
	}
}
