package bench

import (
	"strings"
	"testing"
)

// seen is a ratio with an interval of 0.02 about it, and tied one whose interval has 1 in it.
func seen(v float64) *Ratio { return &Ratio{Figure{v, v - 0.02, v + 0.02, 9}, true} }

func tied(v float64) *Ratio { return &Ratio{Figure{v, min(v, 0.9), max(v, 1.1), 9}, false} }

func around(v float64) *Figure { return &Figure{v, v * 0.98, v * 1.02, 9} }

// rowsOf is a row of servers: CPU a request, thrift beside net and beside auto.
func rowOf(name string, cpu float64, thrift, auto *Ratio) *Row {
	return &Row{Name: name, About: "about " + name, CPU: around(cpu), PerSecond: around(1e6 / cpu), P50: around(100),
		P99: around(200), Thrift: thrift, Speed: thrift, Delay: thrift, Auto: auto}
}

func cellOf(name, base string, rows ...*Row) *Cell {
	return &Cell{Name: name, Title: "Title of " + name, Unit: "request", Base: base, Rows: rows}
}

// Figures in, advice out.
func TestAdvice(t *testing.T) {
	net := rowOf("net", 6, nil, nil)
	for _, c := range []struct {
		name  string
		cells []*Cell
		topic string
		want  []string // in its text; none: no such advice
	}{
		{"auto is best", []*Cell{
			cellOf("tcp", "net", net, rowOf("uring", 5, seen(1.2), nil), rowOf("epoll", 5.5, seen(1.1), seen(0.9)))},
			"driver", []string{"Leave Config.Driver alone: auto takes uring", "No other driver does a request for less",
				"5.00 µs of CPU a request on uring, 5.50 on epoll"}},
		{"no difference between drivers", []*Cell{
			cellOf("tcp", "net", net, rowOf("uring", 5, seen(1.2), nil), rowOf("epoll", 5.05, seen(1.2), tied(0.99)))},
			"driver", []string{"Leave Config.Driver alone", "No difference seen between uring and epoll"}},
		{"a difference too small to care for", []*Cell{
			cellOf("tcp", "net", net, rowOf("uring", 5, seen(1.2), nil), rowOf("epoll", 4.9, seen(1.2),
				&Ratio{Figure{1.02,
					1.01, 1.025, 9}, true}))},
			"driver", []string{"Leave Config.Driver alone",
				"No difference seen between uring and epoll that would be worth"}},
		{"another is better everywhere", []*Cell{
			cellOf("tcp", "net", net, rowOf("uring", 6, tied(1), nil), rowOf("epoll", 5, seen(1.2), seen(1.2))),
			cellOf("udp", "net", net, rowOf("uring", 6, tied(1), nil), rowOf("epoll", 5.5, seen(1.1), seen(1.1)))},
			"driver", []string{`Set Config.Driver to "epoll"`, "Title of tcp, 1.20 times", "Title of udp, 1.10 times",
				"CPU of uring"}},
		{"another is better here and worse there", []*Cell{
			cellOf("tcp", "net", net, rowOf("uring", 6, tied(1), nil), rowOf("epoll", 5, seen(1.2), seen(1.2))),
			cellOf("udp", "net", net, rowOf("uring", 5, seen(1.2), nil), rowOf("epoll", 6, tied(1), seen(0.85)))},
			"driver", []string{"Leave Config.Driver alone"}},
		{"worse here and better there", []*Cell{
			cellOf("tcp", "net", net, rowOf("uring", 5, seen(1.2), nil), rowOf("epoll", 6, tied(1), seen(0.85))),
			cellOf("udp", "net", net, rowOf("uring", 6, tied(1), nil), rowOf("epoll", 5, seen(1.2), seen(1.2)))},
			"driver", []string{"Leave Config.Driver alone"}},
		{"of two that are better the best", []*Cell{
			cellOf("tcp", "net", net, rowOf("epoll", 6, tied(1), nil), rowOf("uring", 5.5, seen(1.1), seen(1.1)),
				rowOf("uring-poll", 5, seen(1.2), seen(1.2)))},
			"driver", []string{`Set Config.Driver to "uring-poll"`}},
		{"only auto was measured", []*Cell{cellOf("tcp", "net", net, rowOf("uring", 5, seen(1.2), nil))}, "driver",
			nil},
		{"nothing was measured", nil, "driver", nil},

		{"Ringo gains", []*Cell{cellOf("tcp", "net", net, rowOf("uring", 5, seen(1.2), nil)),
			cellOf("udp", "net", net, rowOf("uring", 6, tied(1.01), nil))},
			"package net", []string{"gain by Ringo", "1.20 times (1.18 to 1.22)", "Title of udp: no difference seen"}},
		{"Ringo loses", []*Cell{cellOf("tcp", "net", net, rowOf("uring", 7, seen(0.85), nil))},
			"package net", []string{"Stay with package net", "0.85 times"}},
		{"neither", []*Cell{cellOf("tcp", "net", net, rowOf("uring", 6, tied(1), nil))},
			"package net", []string{"Nothing speaks for Ringo", "no difference seen"}},
		{"both", []*Cell{cellOf("tcp", "net", net, rowOf("uring", 7, seen(0.85), nil)),
			cellOf("http", "net", net, rowOf("uring", 5, seen(1.2), nil))}, "package net",
			[]string{"It depends on the load"}},

		{"two loops cost more", []*Cell{cellOf("loops", "one loop", rowOf("one loop", 5, nil, nil),
			rowOf("two loops", 6.5, seen(0.77), nil))}, "loops", []string{"No more loops than CPUs",
			"5.00 µs with one loop and 6.50 with two"}},
		{"two loops cost the same", []*Cell{cellOf("loops", "one loop", rowOf("one loop", 5, nil, nil),
			rowOf("two loops", 5.1, tied(0.98), nil))}, "loops", []string{"Leave Config.Loops alone",
			"No difference seen"}},
		{"two loops cost less", []*Cell{cellOf("loops", "one loop", rowOf("one loop", 5, nil, nil),
			rowOf("two loops", 4, seen(1.25), nil))}, "loops", []string{"More loops than CPUs do no harm"}},
		{"two loops failed", []*Cell{cellOf("loops", "one loop", rowOf("one loop", 5, nil, nil),
			&Row{Name: "two loops", Failed: "no memory"})}, "loops", nil},

		{"spin for CPU", []*Cell{alone(20, 15, seen(1.33), 8, 20, seen(0.4))}, "spin",
			[]string{"pays if latency is what you sell", "15.0 µs for half", "20.0 without", "20.0 µs of CPU and 8.0"}},
		{"spin for nothing", []*Cell{alone(20, 15, seen(1.33), 8, 8, tied(1))}, "spin", []string{"Set Config.Spin"}},
		{"spin in vain", []*Cell{alone(20, 19.8, tied(1.01), 8, 20, seen(0.4))}, "spin",
			[]string{"Leave Config.Spin at 0.", "no difference"}},
		{"spin for harm", []*Cell{alone(20, 30, seen(0.66), 8, 20, seen(0.4))}, "spin",
			[]string{"makes answers later"}},

		{"places pay", []*Cell{cellOf("places", "free", rowOf("free", 6, nil, nil), rowOf("bound", 5, seen(1.2), nil))},
			"place", []string{"Set Config.Place", "5.00 µs of CPU", "free, 6.00"}},
		{"places cost", []*Cell{cellOf("places", "free", rowOf("free", 5, nil, nil), rowOf("bound", 6, seen(0.83),
			nil))},
			"place", []string{"Leave Config.Place at Anywhere: the scheduler"}},
		{"places are nothing", []*Cell{cellOf("places", "free", rowOf("free", 5, nil, nil), rowOf("bound", 5, tied(1),
			nil))},
			"place", []string{"Leave Config.Place at Anywhere.", "No difference seen"}},

		{"direct reads gain", []*Cell{cellOf("direct", "os", rowOf("os", 20, nil, nil), rowOf("file", 10, seen(2), nil),
			rowOf("uring", 8, seen(2.5), nil))}, "reads from disk", []string{"Read past the page cache by package file",
			"Best: in tasks.", "file: for the same CPU 2.00 times"}},
		{"direct reads gain most on a driver that is not to be set", []*Cell{cellOf("direct", "os", rowOf("os", 20, nil,
			nil), rowOf("file", 10, seen(2), nil), rowOf("uring", 12, seen(1.7), nil), rowOf("poll", 8, seen(2.5),
			nil))},
			"reads from disk", []string{"Best: on goroutines.", "poll: for the same CPU 2.50 times"}},
		{"direct reads gain on another driver alone", []*Cell{cellOf("direct", "os", rowOf("os", 20, nil, nil),
			rowOf("uring", 25, seen(0.8), nil), rowOf("poll", 8, seen(2.5), nil))},
			"reads from disk", []string{"Package os is enough"}},
		{"direct reads gain on the driver that is to be set", []*Cell{
			cellOf("tcp", "net", rowOf("net", 9, nil, nil), rowOf("uring", 7, seen(1.3), nil),
				rowOf("epoll", 5, seen(1.8), seen(1.4))),
			cellOf("direct", "os", rowOf("os", 20, nil, nil), rowOf("uring", 12, seen(1.7), nil),
				rowOf("epoll", 8, seen(2.5), nil))},
			"reads from disk", []string{"Best: in tasks.", "epoll: for the same CPU 2.50 times"}},
		{"direct reads lose", []*Cell{cellOf("direct", "os", rowOf("os", 20, nil, nil), rowOf("file", 25, seen(0.8),
			nil))},
			"reads from disk", []string{"Package os is enough"}},
		{"cached reads tie", []*Cell{cellOf("read", "os", rowOf("os", 1, nil, nil), rowOf("file", 1, tied(1), nil))},
			"cached reads", []string{"Take whichever", "file: no difference seen"}},
		{"appends lose", []*Cell{cellOf("append", "os", rowOf("os", 1, nil, nil), rowOf("uring", 5, seen(0.2), nil))},
			"appends", []string{"Package os is enough for appends", "0.20 times"}},
	} {
		t.Run(c.topic+"/"+c.name, func(t *testing.T) {
			auto := "uring"
			if len(c.cells) > 0 && c.cells[0].row("epoll") != nil && c.cells[0].row("epoll").Auto == nil {
				auto = "epoll"
			}
			var got []Advice
			for _, a := range advise(&Report{Auto: auto, Cells: c.cells}) {
				if a.Topic == c.topic {
					got = append(got, a)
				}
			}
			if len(c.want) == 0 {
				if len(got) != 0 {
					t.Errorf("%+v, want none", got)
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("%d pieces of advice, want one: %+v", len(got), got)
			}
			for _, want := range c.want {
				if text := got[0].Advice + " " + got[0].Reason; !strings.Contains(text, want) {
					t.Errorf("%q is not in %q", want, text)
				}
			}
			if got[0].Reason == "" || !strings.ContainsAny(got[0].Reason, "0123456789") &&
				!strings.Contains(got[0].Reason,
					"no difference seen") {
				t.Errorf("it rests on no figure: %q", got[0].Reason)
			}
		})
	}
}

// alone is the cell of one connection: p50 and CPU without Spin and with.
func alone(p50, spinP50 float64, delay *Ratio, cpu, spinCPU float64, thrift *Ratio) *Cell {
	one, spin := rowOf("one loop", cpu, nil, nil), rowOf("spin", spinCPU, thrift, nil)
	one.P50, spin.P50, spin.Delay = around(p50), around(spinP50), delay
	return cellOf("alone", "one loop", one, spin)
}
