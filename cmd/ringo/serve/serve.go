// Package serve implements "ringo serve", which serves the files of a directory over HTTP.
package serve

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"mime"
	"slices"
	"strings"
	"time"

	"ringo/cmd/ringo/internal/cli"
	"ringo/cmd/ringo/internal/server"
	"ringo/file"
)

const help = `usage: ringo serve [flag ...] DIR

Serves the files below DIR over HTTP/1.0 and 1.1, or with -cert and -key over TLS 1.2 and
1.3, where clients may speak HTTP/2: GET and HEAD, ranges, and conditional requests by date
and by entity tag, which is made of a file's size and time. A directory is its index.html.
Only regular files are opened, and no name or symbolic link leads out of DIR. When all
loops listen, a line per address tells the real port on stderr:

  listening tcp://127.0.0.1:8080 driver=uring loops=2

and if the driver is not uring, one more line says why.

Files that were asked for stay open, and their names are looked up again after -fresh: so
DIR may change under the server. But replace files by renaming: one that is truncated
while it is sent ends its connection. What is in memory is sent by the loop; the disk is
waited for on the ring or on goroutines.

With -precompressed br,gz a client whose Accept-Encoding has it gets app.js.br or app.js.gz
in the place of app.js, the first in the list among those that it wants equally. They are
made by others (brotli -k, zstd -k, gzip -k) and not sent if they are older than app.js:
write the original first, or replace all by renaming. Times don't tell of an original that
was replaced by an older file: remove what lies beside it before. Each is one of -files.

A line of -log is in the common log format; in the combined one, with Referer and
User-Agent, as nginx and Apache have it; or an object of JSON with the names that ringo
proxy has: time, client, method, host, uri, proto, status, bytes_out (of the body), and
referer and user_agent. What a client has sent can't end a line or a field.

SIGHUP opens the FILE of -log again: rename it, send the signal, and later lines are in a
new one. No line is lost or cut in two. And it reads -cert, -key and -client-ca again, for
later connections, unless something is wrong with them.

With -client-ca nobody gets anything who has no certificate by one of these authorities. Whose
it is makes no difference: all get the same files, and the log has no word of it.

` + server.Ending + `A connection that waits for its next request may send one more, for half of -grace, five
seconds at most, and is closed then, as is one that has had no request yet.
`

const statsHelp = `and here also, since the line before:

  requests     requests that were answered
  bytes        bytes of files that were sent
  lookups      requests whose file was not open, or not what lies compressed beside it
`

// options are the flags of ringo serve.
type options struct {
	server.Options
	dir   string
	files int
	fresh time.Duration
	list  bool
	// precompressed are the endings for sockhttp.Files.Precompressed.
	precompressed endings
	log           string
	logFormat     string // a name of formats
	cert          server.CertificateFiles
	header, idle  time.Duration
}

// endings is the value of -precompressed.
type endings []string

func (e *endings) String() string { return strings.Join(*e, ",") }

// Set parses a list of endings, separated by commas.
func (e *endings) Set(list string) error {
	if *e = nil; list == "" {
		return nil
	}
	for ending := range strings.SplitSeq(list, ",") {
		switch {
		case ending != "br" && ending != "zst" && ending != "gz":
			return fmt.Errorf("unknown ending %q: want br, zst and gz, with commas between", ending)
		case slices.Contains(*e, ending):
			return fmt.Errorf("%s is there twice", ending)
		}
		*e = append(*e, ending)
	}
	return nil
}

func parse(args []string, stdout io.Writer) (*options, error) {
	o := new(options)
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	fs.Var(o.Listen.Flag(server.StreamNetworks), "listen", "serve on `HOST:PORT`, the same as tcp://HOST:PORT, port 0 "+
		"for any, or unix:///PATH, or unix://@NAME without a file; repeatable, and all loops serve all (default "+
		"tcp://127.0.0.1:8080)")
	o.Flags(fs)
	fs.StringVar(&o.dir, "dir", "", "the directory, in the place of `DIR` behind the flags: for a file of -config")
	fs.IntVar(&o.files, "files", 1000, "keep this `number` of files open between requests, for each loop")
	fs.DurationVar(&o.fresh, "fresh", time.Second,
		"`time` after which the name of an open file is looked up again")
	fs.BoolVar(&o.list, "list", false, "list directories without an index.html, which are refused otherwise")
	fs.Var(&o.precompressed, "precompressed", "send files that lie compressed beside others, see above: a `list` of "+
		"br, zst and gz, the best first; \"\": none")
	server.LogFlag(fs, &o.log, "per request, as -log-format says")
	fs.StringVar(&o.logFormat, "log-format", "common", "`name` of the format of -log's lines: common, combined or json")
	o.cert.Flags(fs)
	fs.DurationVar(&o.header, "header", 10*time.Second, "`time` in which the head of a request must come")
	fs.DurationVar(&o.idle, "idle", time.Minute,
		"`time` for which a connection may do nothing: between requests, or not take what is sent; and in which a "+
			"request's body must come")
	if err := o.Parse(fs, args, 1, "127.0.0.1:8080", stdout, help+"\n"+server.StatsHelp()+"\n"+statsHelp); err != nil {
		return nil, err
	}
	var m cli.Mistakes
	m.Want(o.dir != "" || fs.NArg() == 1, "want a directory, DIR or that of -dir")
	m.Want(o.dir == "" || fs.NArg() == 0, "want one directory, and not that of -dir, too")
	o.dir = cmp.Or(o.dir, fs.Arg(0))
	m.Want(o.files >= 0 && o.files <= 1<<20, "-files %d: want 0 to %d", o.files, 1<<20)
	m.Want(o.fresh >= 0, "-fresh %v: want 0 or more", o.fresh)
	m.Want(o.header > 0, "-header %v: want more than 0", o.header)
	m.Want(o.idle > 0, "-idle %v: want more than 0", o.idle)
	o.cert.Check(fs, &m)
	m.Want(o.log != "", "-log: want off, stderr or a file")
	_, known := formats[o.logFormat]
	m.Want(known, "-log-format %q: want common, combined or json", o.logFormat)
	o.Check(&m)
	return o, m.Err()
}

// Run runs "ringo serve" with the arguments after that word. It blocks until a signal ends the server, and returns a
// *cli.UsageError for a wrong command line.
func Run(args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stdout)
	if err != nil {
		return err
	}
	root, err := file.OpenRoot(o.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	log, err := server.OpenLog(o.log, stderr)
	if err != nil {
		return err
	}
	defer log.Close()
	cert, err := o.cert.Open(true)
	if err != nil {
		return err
	}
	if err := loadTypes(func() { mime.TypeByExtension(".html") }); err != nil {
		return err
	}
	var served *files
	defer func() {
		if served != nil {
			served.handler.Close()
		}
	}()
	return o.Run(stderr, func(s *server.Server) {
		served = newFiles(s, o, root, log, cert)
		if log != nil {
			s.Side.Go(func() { log.Run(s.Quit) })
		}
		if cert != nil {
			s.Side.Go(func() { cert.Run(s) })
		}
	})
}

// loadTypes calls load, by which package mime reads the system's files of types: a loop must not wait for that. It
// turns the panic of package mime, if a file can't be read, into an error.
func loadTypes(load func()) (err error) {
	defer func() {
		if why := recover(); why != nil {
			err = fmt.Errorf("the system's types of files: %v", why)
		}
	}()
	load()
	return nil
}
