// Package proxy implements "ringo proxy", which passes connections, or requests of HTTP, on to other addresses.
package proxy

import (
	"flag"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"ringo/cmd/ringo/internal/cli"
	"ringo/cmd/ringo/internal/server"
)

const help = `usage: ringo proxy -to ADDRESS [-to ADDRESS ...] [flag ...]

Passes connections on: for each that comes, one is opened to an upstream, an address of
-to, and what either side sends, the other gets. The end of one direction is passed on,
too, and the other goes on. Bulk goes from socket to socket by splice(2), without TLS. When all
loops listen, a line per address tells the real port on stderr:

  listening tcp://127.0.0.1:7000 driver=uring loops=2

and if the driver is not uring, one more line says why.

-balance says which upstream is the next connection's, of all loops: the one that has the
fewest connections (least), of two that are drawn the one that has fewer (two: proxies side
by side don't all choose the same), or the one that the hash of the client's address says
(hash: a client stays with its upstream, and if one goes, only its clients change). If an
upstream can't be reached, another is tried, up to three. If none can be, the connection is
reset, and a line says why.

-to takes options: -to 'HOST:PORT?weight=3&max=100'. An upstream with weight=3 (1 to 256, 1 if
nothing is said) gets three times what one with 1 gets. One that has max connections, or with
-http requests, gets no more. If all have their max, a connection or request waits for one,
in order of arrival, for -dial at most: then it is as if none could be reached, and with -http
the client gets 503, as it does at once if 1024 wait already. One with backup=true gets nothing
as long as another for the same is in that was not tried in vain.

-to also says what goes to an upstream. sni=shop.example is for connections whose TLS begins
with that name; without -cert TLS passes unread. With -http, host=shop.example and path=/cart are
for requests of that host, whatever the port, and with that path or one below it.
*.shop.example is for names that have one label more. Upstreams that say the same are a group,
for -balance, health and max. The most specific group is taken: of a name, then of one with *,
then of none; then of the longest path. If none is for it, a connection is reset, and a request
gets 421 if it is the host's fault, and 404 if the path's. With a path=, a request whose path
has . or .. in it, also as %2e, gets 400, since servers differ in what it means.

An upstream that has failed -fall times in a row is out, and gets no connections until it
is in again; a line tells of both. One connection tries it after -out, and another after
twice as long, up to 64 times -out, until one succeeds. With -check it is asked each time
and without a client, and is in again when -rise checks in a row have succeeded: by a
connection or, with -check-http, by a GET whose answer is 2xx or 3xx. If all are out,
connections go to any.

With -accept-proxy each connection begins with a header of the PROXY protocol, version 1
or 2, by which the peer says whose it is. So no other than proxies must be able to connect.
A connection that begins with something else, or with a header that is longer than 107
bytes (version 1) or 1040 (version 2), is reset. -send-proxy says it to the upstreams: it
passes on what -accept-proxy has got, or tells of the connection itself.

With -cert and -key clients speak TLS, and with -to-tls upstreams do. With -client-ca clients
have to have a certificate of theirs. SIGHUP reads the files of certificates and authorities
again.

With -http it is requests of HTTP/1.0, 1.1 and 2 that are passed on, by HTTP/1.1, and
-balance, -fall and the others are about these. Upstreams get Host as it came, and
X-Forwarded-For, -Host and -Proto, without what the client has said of these. Connections to
them are kept and used again. WebSocket and other upgrades pass, but not to HTTP/2. A
request that nothing was sent of, or one without a body that may come twice (GET, HEAD,
OPTIONS, TRACE, PUT, DELETE), and that has no answer, goes to another upstream. If none
answers the client gets 502, or 504 if a time was over, and a line says why. The certificate
of -client-ca upstreams get in Client-Cert, as RFC 9440 has it; what clients say there goes
no further.
-set-header 'NAME: VALUE' and -del-header NAME change what upstreams get, as the last, and
-set-answer-header and -del-answer-header what clients get of their answers.

-log has an object of JSON on a line for each connection that has ended, or with -http for
each request: time, client, upstream, bytes, microseconds until there was a connection to
the upstream (wait_us), until its answer began (first_us) and until the end (total_us), and
how it has ended: done, or client, upstream, dial, timeout, idle, drain, refused, shortage.
SIGHUP opens the FILE again: rename it, send the signal, and later lines are in a new one.
-metrics has, beside the loops' metrics, those of each upstream: whether it is in, requests
or connections, failures, bytes and times.

` + server.Ending

const statsHelp = `and here also:

  asking       with -http: requests that upstreams have not answered yet to the end
  requests     with -http: requests, since the line before
  waiting      connections that are accepted and wait for -max, and those, or requests, that
               wait for an upstream's max
  dialing      connections whose other side is not there yet
  out          upstreams that are out
  retried      those that found nobody at an upstream and went to another, since the line
               before
  failed       those that found nobody, since the line before
  idled        connections, or requests, that -idle has ended, since the line before
`

// checkMin is the shortest -check: shorter intervals would be a load of their own.
const checkMin = 10 * time.Millisecond

// idleMin is the shortest -idle: a shorter one would look at connections so often that this is a load of its own.
const idleMin = 10 * time.Millisecond

// aheadMax is the largest -ahead: without a bound the first client could make the proxy use up all memory.
const aheadMax = 10_000

// options are the flags of ringo proxy.
type options struct {
	server.Options
	to         targets
	balance    string
	check      time.Duration
	checkHTTP  string
	rise, fall int
	out        time.Duration
	accept     bool
	send       string
	header     time.Duration
	http       bool
	cert       server.CertificateFiles
	tls        secure // to upstreams
	log        string
	trust      bool
	asked      rules // of requests
	answered   rules // of answers
	answer     time.Duration
	idle       time.Duration
	max        int
	dial       time.Duration
	ahead      int
}

func parse(args []string, stdout io.Writer) (*options, error) {
	o := new(options)
	fs := flag.NewFlagSet("proxy", flag.ContinueOnError)
	fs.Var(o.Listen.Flag(server.ConnNetworks), "listen", "serve on `HOST:PORT`, the same as tcp://HOST:PORT, port 0 "+
		"for any, or unix:///PATH, or unix://@NAME without a file, or unixpacket likewise, for records, of which one "+
		"without bytes counts as the end of its direction; repeatable, and all loops serve all (default "+
		"tcp://127.0.0.1:7000)")
	fs.Var(&o.to, "to", "pass connections on to `HOST:PORT`, the same as tcp://HOST:PORT, unix:///PATH or "+
		"unix://@NAME, with options behind a ?, see above; repeatable")
	fs.StringVar(&o.balance, "balance", balanceLeast, "`how` an upstream is chosen, see above: "+
		strings.Join(balances, ", "))
	fs.DurationVar(&o.check, "check", 0, "check each upstream after such an `interval`; 0: never")
	fs.StringVar(&o.checkHTTP, "check-http", "", "check by a GET of this `path`; \"\": by a connection")
	fs.IntVar(&o.rise, "rise", 2, "`number` of checks in a row by which an upstream is in again")
	fs.IntVar(&o.fall, "fall", 3, "`number` of failures in a row, of checks or of connections, by which it is out")
	fs.DurationVar(&o.out, "out", time.Second, "`time` without a connection for an upstream that is out, if there is "+
		"no -check; it grows to 64 times that")
	fs.BoolVar(&o.accept, "accept-proxy", false, "want a header of the PROXY protocol from each peer, see above")
	fs.StringVar(&o.send, "send-proxy", "", "send upstreams such a header, of `version` v1 or v2; \"\": none")
	fs.DurationVar(&o.header, "header", 10*time.Second, "`time` in which the header of -accept-proxy must come, "+
		"the ClientHello if there is a sni, TLS of -cert begin, or with -http the head of a request come")
	fs.BoolVar(&o.http, "http", false, "pass on requests of HTTP, see above, and not connections")
	o.cert.Flags(fs)
	o.tls.flags(fs)
	server.LogFlag(fs, &o.log, "per connection that has ended, or with -http per request, in JSON, see above")
	fs.BoolVar(&o.trust, "trust", false, "pass on what clients of -http say in X-Forwarded-*, X-Real-IP and Forwarded"+
		", since they are proxies themselves")
	ruleFlags(fs, &o.asked, &o.answered)
	fs.DurationVar(&o.answer, "answer", time.Minute, "`time` in which an upstream of -http must begin to answer")
	fs.DurationVar(&o.idle, "idle", 0, "`time` for which a connection may move no byte in either direction, before it "+
		"is reset, up to a quarter later; 0: any. With -http, for which a body, an answer or an upgraded connection "+
		"may move none, and for which a connection may have no request; 0: any, and 1m for the latter")
	fs.IntVar(&o.max, "max", 0, "pass on this `number` of connections at once; the others wait, a few accepted, the "+
		"rest in the kernel's queue; 0: no limit")
	fs.DurationVar(&o.dial, "dial", 10*time.Second, "`time` in which a connection to an upstream must be "+
		"made, with the look-up of its name and TLS, and in which a -check must succeed")
	fs.IntVar(&o.ahead, "ahead", 0, "have this `number` of connections to each upstream ready on each loop, from its "+
		"first client on, 10000 at most: the next need not wait for theirs")
	o.Flags(fs)
	if err := o.Parse(fs, args, 0, "127.0.0.1:7000", stdout, help+"\n"+server.StatsHelp()+"\n"+statsHelp); err != nil {
		return nil, err
	}
	var m cli.Mistakes
	m.Want(len(o.to) > 0, "-to is missing: the address that connections are passed on to")
	o.to.check(&m, o)
	m.Want(slices.Contains(balances, o.balance), "-balance %q: want %s", o.balance, strings.Join(balances, ", "))
	m.Want(o.check == 0 || o.check >= checkMin, "-check %v: want 0, or %v at least", o.check, checkMin)
	if o.checkHTTP != "" {
		_, err := url.ParseRequestURI(o.checkHTTP)
		m.Want(err == nil && o.checkHTTP[0] == '/', "-check-http %q: want a path that begins with /", o.checkHTTP)
	}
	m.Want(o.rise > 0, "-rise %d: want 1 or more", o.rise)
	m.Want(o.fall > 0, "-fall %d: want 1 or more", o.fall)
	m.Want(o.out > 0, "-out %v: want more than 0", o.out)
	m.Want(slices.Contains([]string{"", sendV1, sendV2}, o.send), "-send-proxy %q: want v1 or v2", o.send)
	o.checkHTTPFlags(&m)
	o.cert.Check(fs, &m)
	for _, a := range o.Listen {
		m.Want(o.cert.Cert == "" || a.Network != "unixpacket", "-cert: not over unixpacket, which is no stream")
	}
	o.tls.check(fs, &m, o)
	for _, name := range []string{"check-http", "rise"} {
		m.WantBeside(fs, name, "-check", o.check > 0)
	}
	for _, name := range append([]string{"trust", "answer"}, ruleNames...) {
		m.WantBeside(fs, name, "-http", o.http)
	}
	m.WantBeside(fs, "header", "-accept-proxy, -cert, -http or an upstream's sni",
		o.accept || o.cert.Cert != "" || o.http || o.to.haveNames())
	m.Want(o.idle == 0 || o.idle >= idleMin, "-idle %v: want 0, or %v at least", o.idle, idleMin)
	m.Want(o.header > 0, "-header %v: want more than 0", o.header)
	m.Want(o.max >= 0, "-max %d: want 0 or more", o.max)
	m.Want(o.dial > 0, "-dial %v: want more than 0", o.dial)
	m.Want(o.ahead >= 0 && o.ahead <= aheadMax, "-ahead %d: want 0 to %d", o.ahead, aheadMax)
	o.Check(&m)
	return o, m.Err()
}

// checkHTTPFlags adds to m the mistakes of -http, and of flags that don't go with it.
func (o *options) checkHTTPFlags(m *cli.Mistakes) {
	m.Want(o.answer > 0, "-answer %v: want more than 0", o.answer)
	if !o.http {
		return
	}
	for _, a := range slices.Concat(o.Listen, o.to.addresses()) {
		m.Want(a.Network != "unixpacket", "-http: not over unixpacket, which is no stream")
	}
	m.Want(!o.accept, "-accept-proxy is not for -http, which is asked by X-Forwarded-For")
	m.Want(o.send == "", "-send-proxy is not for -http, whose connections are of many clients")
	m.Want(o.max == 0, "-max is not for -http: use -conns")
	m.Want(o.ahead == 0, "-ahead is not for -http, which keeps connections that were used")
}

// Run runs "ringo proxy" with the arguments after that word. It blocks until a signal ends the proxy, and returns a
// *cli.UsageError for a wrong command line.
func Run(args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stdout)
	if err != nil {
		return err
	}
	cert, err := o.cert.Open(o.http)
	if err != nil {
		return err
	}
	toTLS, err := o.tls.open()
	if err != nil {
		return err
	}
	log, err := server.OpenLog(o.log, stderr)
	if err != nil {
		return err
	}
	defer log.Close()
	return o.Run(stderr, func(s *server.Server) {
		if toTLS != nil {
			s.Side.Go(func() { toTLS.Run(s) })
		}
		if o.http {
			newWebRelay(o, s, log, cert)
		} else {
			newStreamRelay(o, s, log, cert)
		}
	})
}
