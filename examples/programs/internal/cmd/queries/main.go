//go:build linux

// Command queries measures a service that makes one database query for each request, in three ways to wait for the
// answer: net/http and the driver's pool, both on package net; sockhttp with handlers on goroutines and the same pool;
// sockhttp with handlers in tasks and sessions of their loop. The databases are real servers, which it starts; the
// service has processors of its own.
//
//	cd examples/programs && go build -o /tmp/queries ./internal/cmd/queries && taskset -c 1 /tmp/queries -server 0
//
// Rounds are interleaved: each measures all ways, one after the other. The table has medians, with intervals.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/examples/programs/internal/cluster"
	"ringo/internal/measure"
	"ringo/sock"
)

var (
	serve    = flag.String("serve", "", "be the service, a `database/way`, until stdin ends")
	where    = flag.String("where", "", "`address` of the service's database")
	cpus     = flag.String("server", "0", "`processors` of the service, as taskset wants them")
	conns    = flag.Int("conns", 64, "connections, each with a request under way")
	sessions = flag.Int("sessions", 16, "sessions with the database at most")
	rounds   = flag.Int("rounds", 7, "rounds")
	lasts    = flag.Duration("lasts", time.Second, "how long a round asks a service")
	only     = flag.String("only", "postgres,mysql,redis", "`databases`")
	ways     = flag.String("ways", "net,goroutines,tasks", "`ways` to wait, compared with the first")
)

func main() {
	flag.Parse()
	err := error(nil)
	if *serve != "" {
		err = be(*serve, *where)
	} else {
		err = compare()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "queries:", err)
		os.Exit(1)
	}
}

func compare() (err error) {
	servers, err := cluster.StartAll()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, servers.Remove()) }()
	at := map[string]string{"postgres": servers.Postgres.URL("TCP"), "mysql": servers.MariaDB.DSN("TCP"),
		"redis": servers.Redis.URL("TCP")}
	fmt.Printf("%d connections, %d sessions, %d rounds of %v\n", *conns, *sessions, *rounds, *lasts)
	fmt.Printf("%-20s %10s %8s   %s\n", "", "requests/s", "µs CPU", "requests for the same CPU, of the first")
	for database := range strings.SplitSeq(*only, ",") {
		if err := compareWays(database, at[database], strings.Split(*ways, ",")); err != nil {
			return err
		}
	}
	return nil
}

// compareWays prints what each way to wait for a database costs.
func compareWays(database, at string, ways []string) error {
	rates, costs := map[string][]float64{}, map[string][]float64{}
	for range *rounds {
		for _, way := range ways {
			rate, cost, err := round(database+"/"+way, at)
			if err != nil {
				return fmt.Errorf("%s/%s: %w", database, way, err)
			}
			rates[way], costs[way] = append(rates[way], rate), append(costs[way], cost)
		}
	}
	for _, way := range ways {
		ratios := make([]float64, *rounds)
		for i := range ratios {
			ratios[i] = costs[ways[0]][i] / costs[way][i]
		}
		fmt.Printf("%-20s %10.0f %8.1f   %v\n", database+"/"+way, measure.Estimate(rates[way]).Median,
			measure.Estimate(costs[way]).Median, measure.Estimate(ratios))
	}
	return nil
}

// round starts a service, and returns its requests per second, and its CPU time for each request in µs.
func round(name, at string) (rate, cost float64, err error) {
	cmd := exec.Command("taskset", "-c", *cpus, os.Args[0], "-serve", name, "-where", at, "-sessions",
		fmt.Sprint(*sessions))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	defer cmd.Wait()
	defer in.Close()
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return 0, 0, err
	}
	l := begin(strings.TrimSpace(addr))
	time.Sleep(*lasts / 2)
	before, err := measure.CPU(cmd.Process.Pid)
	requests, since := l.answered.Load(), time.Now()
	time.Sleep(*lasts)
	requests, took := l.answered.Load()-requests, time.Since(since)
	after, err2 := measure.CPU(cmd.Process.Pid)
	if err := errors.Join(err, err2, l.stop()); err != nil || requests == 0 {
		return 0, 0, errors.Join(err, fmt.Errorf("%d requests were answered", requests))
	}
	return float64(requests) / took.Seconds(), (after - before).Seconds() * 1e6 / float64(requests), nil
}

// A load is connections that send requests, each in a task of a loop.
type load struct {
	answered atomic.Int64
	end      context.CancelFunc
	ended    chan error
	failed   chan error
}

func begin(addr string) *load {
	ctx, end := context.WithCancel(context.Background())
	l := &load{end: end, ended: make(chan error, 1), failed: make(chan error, *conns)}
	go func() {
		l.ended <- ringo.Run(ctx, &ringo.Config{Loops: 1, Grace: -1}, func(loop *ringo.Loop) error {
			for range *conns {
				loop.Go(func() {
					if err := l.ask(ctx, loop, addr); ctx.Err() == nil {
						l.failed <- err //ringo:offloaded there is room for each
					}
				})
			}
			return nil
		})
	}()
	return l
}

// stop ends the load, and returns the error of the loop and of a connection that failed.
func (l *load) stop() error {
	l.end()
	err := <-l.ended
	select {
	case failed := <-l.failed:
		return errors.Join(err, failed)
	default:
		return err
	}
}

var (
	request = []byte("GET /7 HTTP/1.1\r\nHost: a\r\n\r\n")
	answer  = []byte("user 7\n")
)

// ask sends requests until ctx ends.
func (l *load) ask(ctx context.Context, loop *ringo.Loop, addr string) error {
	c, err := sock.Dial(loop, "tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	p := make([]byte, 4096)
	for ctx.Err() == nil {
		if _, err := c.Write(request); err != nil {
			return err
		}
		n := 0
		for !bytes.HasSuffix(p[:n], answer) {
			got, err := c.Read(p[n:])
			if err != nil {
				return fmt.Errorf("%w behind %q", err, p[:n])
			}
			n += got
		}
		if !bytes.HasPrefix(p, []byte("HTTP/1.1 200 ")) {
			return fmt.Errorf("answered %q", p[:n])
		}
		l.answered.Add(1)
	}
	return nil
}
