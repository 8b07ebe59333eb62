//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/report"
	"ringo/bench/internal/rig"
)

// defaultServers are the servers that run and idle measure.
const defaultServers = "c-uring c-epoll gonet ringo-uring-request ringo-uring-conn ringo-epoll-request ringo-epoll-conn"

// run measures echo servers under loads.
func run(ctx context.Context, o *options) error {
	o.rounds = 9
	return o.run(ctx, "50x64 1000x64 50x16384")
}

// idle measures the memory of connections that have exchanged one message and then rest for ten seconds.
func idle(ctx context.Context, o *options) error {
	o.rounds, o.warmup, o.seconds = 1, 1, 10
	return o.run(ctx, "idle:10000x64 idle:10000x16384")
}

func (o *options) run(ctx context.Context, defaultCells string) error {
	servers := o.String("servers", defaultServers, "`names`, as docs/benchmarks.md has them, or those of -add")
	loads := o.String("cells", defaultCells,
		"`loads` of the form [MODE:]CONNSxBYTES[xDEPTH], with a mode of cmd/load: echo, crowd, churn, idle, slow, ...")
	base := o.String("base", "c-uring,gonet", "`servers` that the others are compared with")
	ringo := o.String("ringo", "", "more `flags` for ringo echo")
	markdown := o.Bool("markdown", false, "print tables as documentation has them")
	added := o.added()
	var cells []contest.Cell
	if err := o.parse(o.none, func() error { return addCells(&cells, "", strings.Fields(*loads)) }); err != nil {
		return err
	}
	for i := range cells {
		cells[i].Servers, cells[i].Command = strings.Fields(*servers), added
	}
	o.setUp = func(r *rig.Rig) { r.RingoArgs = strings.Fields(*ringo) }
	rec, err := o.measure(ctx, cells)
	if err != nil {
		return err
	}
	form := report.Table
	if *markdown {
		form = report.Markdown
	}
	o.tables(rec, strings.FieldsFunc(*base, func(r rune) bool { return r == ',' }), form)
	return o.end(rec)
}

// addCells parses loads and adds their cells.
func addCells(cells *[]contest.Cell, kind contest.Kind, loads []string) error {
	for _, load := range loads {
		c, err := contest.Parse(kind, load)
		if err != nil {
			return err
		}
		*cells = append(*cells, c)
	}
	return nil
}

// added adds the flag -add, and returns the servers that it will have.
func (o *options) added() map[string]contest.Command {
	added := map[string]contest.Command{}
	o.Func("add", "one more server, `NAME=COMMAND`; {port} and {size} are filled in, and it must print \"listening\" "+
		"when it serves. Repeatable", func(text string) error {
		name, command, _ := strings.Cut(text, "=")
		argv := strings.Fields(command)
		if len(argv) == 0 {
			return fmt.Errorf("want NAME=COMMAND")
		}
		added[name] = contest.Command{Argv: argv}
		return nil
	})
	return added
}
