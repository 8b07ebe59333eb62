// Package echo implements "ringo echo", which serves echo over TCP, UDP and Unix sockets.
package echo

import (
	"flag"
	"io"
	"slices"

	"ringo/cmd/ringo/internal/cli"
	"ringo/cmd/ringo/internal/server"
)

const help = `usage: ringo echo [flag ...]

Serves echo over TCP, UDP and Unix sockets: what a peer sends, it gets back. When
all loops listen, a line per address tells the real port on stderr:

  listening tcp://127.0.0.1:7000 driver=uring loops=2

and if the driver is not uring, one more line says why.

` + server.Ending + `With -handler request a drain closes idle connections at once.
`

// options are the flags of ringo echo.
type options struct {
	server.Options
	handler string
}

// The handlers, by their names in -handler.
const (
	perRequest   = "request"
	perConn      = "conn"
	perGoroutine = "goroutine"
	perEvent     = "event"
)

func parse(args []string, stdout io.Writer) (*options, error) {
	o := new(options)
	fs := flag.NewFlagSet("echo", flag.ContinueOnError)
	fs.Var(o.Listen.Flag(server.AllNetworks), "listen",
		"serve on `HOST:PORT`, the same as tcp://HOST:PORT, port 0 for any, udp://HOST:PORT, "+
			"or unix:///PATH, unixpacket:///PATH, unixgram:///PATH, of which @NAME in place of /PATH makes no file; "+
			"repeatable, and all loops serve all, but for the last, which is the first loop's (default "+
			"tcp://127.0.0.1:7000)")
	o.Flags(fs)
	fs.StringVar(&o.handler, "handler", perRequest, "`kind` of handler: request, a task while there is input; conn, "+
		"a task per connection; goroutine, one per connection, as with package net; event, callbacks, in one task")
	if err := o.Parse(fs, args, 0, "127.0.0.1:7000", stdout, help+"\n"+server.StatsHelp()); err != nil {
		return nil, err
	}
	var m cli.Mistakes
	o.Check(&m)
	m.Want(slices.Contains([]string{perRequest, perConn, perGoroutine, perEvent}, o.handler),
		"-handler: unknown handler %q: want %s, %s, %s or %s", o.handler, perRequest, perConn, perGoroutine, perEvent)
	return o, m.Err()
}

// Run runs "ringo echo" with the arguments after that word. It blocks until a signal ends the server, and returns a
// *cli.UsageError for a wrong command line.
func Run(args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stdout)
	if err != nil {
		return err
	}
	return o.Run(stderr, func(s *server.Server) { newEchoer(s, o.handler) })
}
