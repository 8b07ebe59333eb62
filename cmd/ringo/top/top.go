// Package top implements "ringo top", which shows the answers of a program's console in a terminal.
package top

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringo/cmd/ringo/internal/cli"
)

const help = `usage: ringo top [flag ...] ADDR

Shows the loops of a program that has the console (package debug, or -debug of echo,
proxy and serve), and below them a list: its tasks, connections, operations, what has
held its loops, or its lanes. ADDR is PORT, on this machine, or HOST:PORT, for a console
there at / or at /debug/ringo/; or its URL if it is mounted elsewhere, with or without
http://: localhost:6060/intern/ringo/.

In a terminal it redraws itself, and takes keys:

  1 to 5    the list: tasks, connections, operations, holds, lanes
  s, r      the next column to sort by; the other direction
  space     pause
  q         the end

Where there is no stty, keys need Enter. With -once, or if stdout is no terminal, it
prints once.
`

// options are the flags of ringo top.
type options struct {
	url   string
	every time.Duration
	once  bool
	list  string
	rows  int // of a list that is printed once
}

func parse(args []string, stdout io.Writer) (*options, error) {
	o := new(options)
	fs := flag.NewFlagSet("top", flag.ContinueOnError)
	fs.DurationVar(&o.every, "every", time.Second, "ask each such `period`")
	fs.BoolVar(&o.once, "once", false, "print once, after one period, and end")
	fs.StringVar(&o.list, "list", "tasks", "the list below the loops: "+strings.Join(listNames(), ", "))
	fs.IntVar(&o.rows, "n", 20, "`rows` of the list, if it is printed once")
	if err := cli.ParseNamed(fs, args, stdout, help); err != nil {
		return nil, err
	}
	if fs.NArg() != 1 {
		return nil, cli.Usage("want one address, that of a console")
	}
	var m cli.Mistakes
	var err error
	o.url, err = urlOf(fs.Arg(0))
	m.Want(err == nil, "%v", err)
	m.Want(o.every >= 100*time.Millisecond, "-every %v: want 100ms at least", o.every)
	m.Want(o.rows >= 0 && o.rows <= rowsMax, "-n %d: want 0 to %d", o.rows, rowsMax)
	m.Want(slices.Contains(listNames(), o.list), "-list %q: want %s", o.list, strings.Join(listNames(), ", "))
	return o, m.Err()
}

// Run runs "ringo top" with the arguments after that word, until the user ends it, or prints once. It returns a
// *cli.UsageError for a wrong command line.
func Run(args []string, stdout, _ io.Writer) error {
	o, err := parse(args, stdout)
	if err != nil {
		return err
	}
	ctx, stop := cli.UntilSignal(func(os.Signal) {})
	defer stop()
	c := &client{url: o.url}
	if err := c.find(ctx); err != nil {
		return err
	}
	v := &view{list: slices.Index(listNames(), o.list), sorts: make([]int, len(lists))}
	if out, ok := stdout.(*os.File); ok && !o.once && obeys(out) {
		return watch(ctx, c, v, o.every, out)
	}
	return once(ctx, c, v, o, stdout)
}

// once prints the view once. It asks twice, a period apart, since rates need two answers.
func once(ctx context.Context, c *client, v *view, o *options, stdout io.Writer) error {
	if err := c.ask(ctx, v, o.rows); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(o.every):
	}
	if err := c.ask(ctx, v, o.rows); err != nil {
		return err
	}
	_, err := io.WriteString(stdout, strings.Join(v.lines(c, 0, o.rows+2*len(c.now.Loops)+5), "\n")+"\n")
	return err
}

// watch redraws the terminal until the user ends it.
func watch(ctx context.Context, c *client, v *view, every time.Duration, out *os.File) error {
	if err := c.ask(ctx, v, rowsMax); err != nil {
		return err // while the screen is still the user's
	}
	ctx, end := notifyHangup(ctx)
	defer end()
	stops := make(chan os.Signal, 1)
	notifyStops(stops)
	defer signal.Stop(stops)
	t := takeTerminal(out)
	defer t.giveBack()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		width, height, _ := cli.Terminal(out) // asked each time, since the size may change
		t.draw(v.lines(c, width, height), v.red)
		select {
		case <-ctx.Done():
			return nil
		case key := <-t.keys:
			if v.press(key) {
				return nil
			}
		case <-stops:
			t.giveBack()
			stopProcess()
			t.take()
		case <-tick.C:
		}
		if !v.paused {
			v.err = c.ask(ctx, v, rowsMax)
		}
		if errors.Is(v.err, context.Canceled) {
			return nil
		}
	}
}

// rowsMax is how many rows of a list are asked for, at most.
const rowsMax = 200

// urlOf returns the URL for PORT, :PORT, HOST:PORT, any of them with a path, or a URL.
func urlOf(addr string) (string, error) {
	if strings.HasPrefix(addr, "http://") || strings.HasPrefix(addr, "https://") {
		return strings.TrimSuffix(addr, "/") + "/", nil
	}
	host, path, _ := strings.Cut(addr, "/")
	if !strings.Contains(host, ":") {
		host = ":" + host
	}
	name, port, err := net.SplitHostPort(host)
	if _, wrong := strconv.ParseUint(port, 10, 16); err != nil || wrong != nil || strings.ContainsAny(addr, " ?#@") {
		return "", fmt.Errorf("%q: want PORT, HOST:PORT or a URL", addr)
	}
	if name == "" {
		name = "127.0.0.1"
	}
	if path = strings.Trim(path, "/"); path != "" {
		path += "/"
	}
	return "http://" + net.JoinHostPort(name, port) + "/" + path, nil
}
