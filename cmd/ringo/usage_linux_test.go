//go:build linux

package main

import (
	"net"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"ringo"
)

// TestUsage: mistakes on the command line give 2 and say what is wrong, before
// anything is served.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want string }{
		{"", "usage: ringo COMMAND"},
		{"bogus", `unknown command "bogus"`},
		{"-bogus", `unknown command "-bogus"`},
		{"help bogus", `unknown command "bogus"`},
		{"echo -bogus", "not defined: -bogus"},
		{"echo tcp://127.0.0.1:0", `unexpected argument "tcp://127.0.0.1:0"`},
		{"echo -listen", "needs an argument: -listen"},
		{"echo -listen 127.0.0.1", `invalid value "127.0.0.1" for flag -listen: want HOST:PORT or tcp://HOST:PORT`},
		{"echo -listen 127.0.0.1:", "no port: want HOST:PORT"},
		{"echo -listen 127.0.0.1:http", "port http: want 0 to 65535"},
		{"echo -listen 127.0.0.1:0/path", "port 0/path: want 0 to 65535"},
		{"echo -listen me@127.0.0.1:0", "-listen: want HOST:PORT"},
		{"echo -listen /run/x:7012", "-listen: want HOST:PORT"},
		{"echo -listen tcp:127.0.0.1:7012", "-listen: want HOST:PORT"},
		{"echo -listen localhost", "want HOST:PORT or tcp://HOST:PORT"},
		{"echo -listen sctp://127.0.0.1:7000",
			`network "sctp": want tcp, tcp4, tcp6, udp, udp4, udp6, unix, unixpacket, unixgram`},
		{"proxy -to tcp://h:1 -listen http://h:1",
			`network "http": want tcp, tcp4, tcp6, unix, unixpacket`},
		{"proxy -to http://h:1", `network "http": want tcp, tcp4, tcp6, unix, unixpacket`},
		{"serve -listen http://h:1 .", `network "http": want tcp, tcp4, tcp6, unix`},
		{"echo -listen udp://127.0.0.1", "no port"},
		{"echo -listen unix://", "want unix:///PATH"},
		{"echo -listen unixpacket://@", "want unix:///PATH"},
		{"echo -listen tcp://127.0.0.1", "no port"},
		{"echo -listen tcp://127.0.0.1:65536", "port 65536: want 0 to 65535"},
		{"echo -listen tcp://127.0.0.1:-1", "invalid port"},
		{"echo -listen tcp://127.0.0.1:-1", "want HOST:PORT or tcp://HOST:PORT"},
		{"echo -listen tcp://127.0.0.1:http", "invalid port"},
		{"echo -listen tcp://127.0.0.1:0/path", "want HOST:PORT or tcp://HOST:PORT"},
		{"echo -listen tcp://127.0.0.1:0?", "want HOST:PORT or tcp://HOST:PORT"},
		{"echo -listen tcp://me@127.0.0.1:0", "want HOST:PORT or tcp://HOST:PORT"},
		{"echo -listen tcp://[::1:0", "-listen"},
		{"echo -debug x", `-debug "x": want PORT or HOST:PORT`},
		{"proxy -to h:1 -metrics x", `-metrics "x": want PORT or HOST:PORT`},
		{"proxy -to h:1 -http -to-ca x", "-to-ca: want -to-tls, too"},
		{"proxy -to h:1 -http -to-name x", "-to-name: want -to-tls, too"},
		{"proxy -to unix:///x -http -to-tls", "unix:///x has no name that its certificate could be of: want -to-name"},
		{"serve -debug h:99999 .", "with a port of 0 to 65535"},
		{"top", "want one address"},
		{"top -every 1ms 6060", "-every 1ms: want 100ms at least"},
		{"echo -driver iocp", `-driver: unknown driver "iocp": want auto, uring, epoll`},
		{"echo -driver=", `-driver: unknown driver ""`},
		{"echo -handler thread", `-handler: unknown handler "thread": want request, conn, goroutine or event`},
		{"echo -loops -1", "-loops -1: want 0 to 1024"},
		{"echo -conns -1", "-conns -1: want 0 or more"},
		{"echo -peer-conns -1", "-peer-conns -1: want 0 or more"},
		{"echo -accepts -1", "-accepts -1: want 0 to 1e+09"},
		{"echo -accepts inf", "-accepts +Inf: want 0 to 1e+09"},
		{"echo -accepts 1e10", "-accepts 1e+10: want 0 to 1e+09"},
		{"echo -accepts nan", "-accepts NaN: want 0 to 1e+09"},
		{"proxy -to h:1 -ahead 10001", "-ahead 10001: want 0 to 10000"},
		{"proxy -to h:0", "port 0: want 1 to 65535"},
		{"proxy -to tcp4://127.0.0.1:0?weight=2", "port 0: want 1 to 65535"},
		{"proxy -to a\x7fb:80", "want HOST:PORT or tcp://HOST:PORT"},
		{"echo -loops 1025", "-loops 1025: want 0 to 1024"},
		{"echo -loops two", "-loops"},
		{"echo -loops 1024 -place cpu", "-place cpu with -loops 1024: the process may use "},
		{"serve -place socket .", `-place "socket": want any, cpu, core or node`},
		{"proxy -to tcp://h:1 -reserve 4096", "-reserve 4096: the process may use "},
		{"echo -reserve -1", "-reserve -1: the process may use "},
		{"echo -spin -1us", "-spin -1µs: want 0 to 1s"},
		{"echo -spin 2s", "-spin 2s: want 0 to 1s"},
		{"echo -spin 5", `invalid value "5" for flag -spin`},
		{"echo -grace -5s", "-grace -5s: want 0 or more"},
		{"echo -stats -1s", "-stats -1s: want 0, or 10ms at least"},
		{"echo -stats 1ns", "-stats 1ns: want 0, or 10ms at least"},
		{"proxy", "-to is missing: the address that connections are passed on to"},
		{"proxy -to tcp://h:1 -to h:1", "-to tcp://h:1: is there twice"},
		{"proxy -to h:1?", "want weight=N, max=N, backup=true, sni=NAME, host=NAME or path=/PREFIX behind the ?"},
		{"proxy -to h:1?backup=yes", `backup "yes": want true or false`},
		{"proxy -to h:1?backup=true", "-to tcp://h:1: backup: want another -to for the same, without backup"},
		{"proxy -http -to h:1?backup=true&path=/a -to h:2", "backup: want another -to for the same, without backup"},
		{"proxy -to h:1?weight=0", `weight "0": want 1 to 256`},
		{"proxy -to h:1?weight=257", `weight "257": want 1 to 256`},
		{"proxy -to h:1?weight=x", `weight "x": want 1 to 256`},
		{"proxy -to h:1?weight=1&weight=2", "weight is there twice"},
		{"proxy -to h:1?max=0", `max "0": want 1 or more`},
		{"proxy -to h:1?wait=3", `"wait" is no option: want weight=N, max=N`},
		{"proxy -to h:1?max=1;weight=2", "invalid semicolon separator in query"},
		{"proxy -to h:1?weight=2 -to tcp://h:1", "-to tcp://h:1: is there twice"},
		{"proxy -to h:1 -set-header X:1", "-set-header: want -http, too"},
		{"proxy -to h:1 -del-answer-header X", "-del-answer-header: want -http, too"},
		{"proxy -to h:1 -http -set-header X", "want 'NAME: VALUE'"},
		{"proxy -to h:1 -http -set-header :1", `"" is no name of a field`},
		{"proxy -to h:1 -http -del-header a(b", `"a(b" is no name of a field`},
		{"proxy -to h:1 -http -set-header X:\x01", `value "\x01": want no control characters`},
		{"proxy -to h:1 -http -set-header content-length:1", "Content-Length is for the proxy alone to say"},
		{"proxy -to h:1 -http -set-header Transfer_Encoding:x", "Transfer-Encoding is for the proxy alone to say"},
		{"proxy -to h:1 -http -del-header connection", "Connection is for the proxy alone to say"},
		{"proxy -to h:1 -http -del-header host", "Host is for the proxy alone to say"},
		{"proxy -to h:1 -http -set-answer-header te:x", "Te is for the proxy alone to say"},
		{"proxy -to h:1 -http -set-header Host:a/b", `value "a/b" of Host: want a host, or HOST:PORT`},
		{"proxy -to h:1 -http -set-header Host:a -set-header host:b", "Host is there twice"},
		{"proxy -to h:1 -http -set-header x-a:1 -del-header X-A", "it is set and deleted"},
		{"proxy -to h:1 -http -del-header x-a -set-header X-A:1", "it is set and deleted"},
		{"proxy -to h:1?sni=a&sni=b", "sni is there twice"},
		{"proxy -to h:1?sni=a.b -http", "tcp://h:1?sni=a.b: sni is not for -http"},
		{"proxy -to h:1?host=a.b", "-to tcp://h:1?host=a.b: host: want -http, too, or use sni"},
		{"proxy -to h:1?path=/a", "-to tcp://h:1?path=/a: path: want -http, too"},
		{"proxy -to h:1?host= -http", `host "": want a name`},
		{"proxy -to h:1?host=a:80 -http", `host "a:80": want a name`},
		{"proxy -to h:1?sni=*", `sni "*": want a name`},
		{"proxy -to h:1?sni=a.*.b", `sni "a.*.b": want a name`},
		{"proxy -to h:1?path=a -http", `path "a": want one that begins with /`},
		{"proxy -to h:1?path=/a/ -http", `path "/a/": want /a`},
		{"proxy -to h:1?path=/a/../b -http", `path "/a/../b": want /b`},
		{"proxy -to h:1?host=A.b -to h:1?host=a.B -http", "-to tcp://h:1?host=a.b: is there twice"},
		{"proxy -to h:1?sni=a -listen unixpacket://@x", "sni is not over unixpacket"},
		{"proxy -to h:1?max=2 -ahead 1", "-to tcp://h:1: max is not beside -ahead"},
		{"proxy -to tcp://h:1 -balance best", `-balance "best": want least, two, hash`},
		{"proxy -to tcp://h:1 -check 1ns", "-check 1ns: want 0, or 10ms at least"},
		{"proxy -to tcp://h:1 -check 1s -check-http x", `-check-http "x": want a path that begins with /`},
		{"proxy -to tcp://h:1 -check-http /x", "-check-http: want -check, too"},
		{"proxy -to tcp://h:1 -rise 0", "-rise 0: want 1 or more"},
		{"proxy -to tcp://h:1 -fall 0", "-fall 0: want 1 or more"},
		{"proxy -to tcp://h:1 -out 0s", "-out 0s: want more than 0"},
		{"proxy -to tcp://h:1 -send-proxy 1", `-send-proxy "1": want v1 or v2`},
		{"proxy -to tcp://h:1 -header 0s", "-header 0s: want more than 0"},
		{"proxy -to tcp://h:1 -cert x", "-cert and -key: want both, or none"},
		{"proxy -to tcp://h:1 -listen unixpacket:///x -cert x -key x",
			"-cert: not over unixpacket, which is no stream"},
		{"proxy -to unixpacket:///x -to-tls -to-name x", "-to-tls: not over unixpacket, which is no stream"},
		{"proxy -to tcp://h:1 -trust", "-trust: want -http, too"},
		{"proxy -to unixpacket:///x -http", "-http: not over unixpacket"},
		{"proxy -to tcp://h:1 -http -accept-proxy", "-accept-proxy is not for -http"},
		{"proxy -to tcp://h:1 -http -send-proxy v1", "-send-proxy is not for -http"},
		{"proxy -to tcp://h:1 -http -max 1", "-max is not for -http"},
		{"proxy -to tcp://h:1 -http -ahead 1", "-ahead is not for -http"},
		{"proxy -to tcp://h:1 -rise 2", "-rise: want -check, too"},
		{"proxy -to tcp://h:1 -answer 1s", "-answer: want -http, too"},
		{"proxy -to tcp://h:1 -header 1s", "-header: want -accept-proxy, -cert, -http or an upstream's sni, too"},
		{"proxy -to tcp://h:1 -answer 0s", "-answer 0s: want more than 0"},
		{"proxy -to tcp://h:1 -idle -1s", "-idle -1s: want 0, or 10ms at least"},
		{"proxy -to localhost", "for flag -to: want HOST:PORT or tcp://HOST:PORT"},
		{"proxy -to tcp://h:1 -max -1", "-max -1: want 0 or more"},
		{"proxy -to tcp://h:1 -dial 0s", "-dial 0s: want more than 0"},
		{"proxy -to tcp://h:1 -loops -1", "-loops -1: want 0 to 1024"},
		{"probe -bogus", "not defined: -bogus"},
		{"probe json", `unexpected argument "json"`},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := runTool(t, tool(t, strings.Fields(c.args)...))
			if code != 2 || stdout != "" || !strings.Contains(stderr, c.want) {
				t.Errorf("exit code %d, want 2; stdout %q, want none; stderr %q, want %q in it", code,
					stdout, stderr, c.want)
			}
		})
	}
}

// TestUsageAllAtOnce: a command line with several mistakes is told all of them.
func TestUsageAllAtOnce(t *testing.T) {
	t.Parallel()
	_, stderr, code := runTool(t, tool(t, "echo", "-loops", "-1", "-grace", "-1s", "-driver", "x", "-handler", "y"))
	want := `ringo echo: -driver: unknown driver "x": want ` + strings.Join(ringo.Drivers(), ", ") + `
ringo echo: -loops -1: want 0 to 1024
ringo echo: -grace -1s: want 0 or more
ringo echo: -handler: unknown handler "y": want request, conn, goroutine or event
"ringo echo -h" describes the flags.
`
	if code != 2 || stderr != want {
		t.Errorf("exit code %d, stderr:\n%swant 2 and:\n%s", code, stderr, want)
	}
}

// TestVersion: all words for it tell module, Go and revision, and take no arguments.
func TestVersion(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(`^ringo    \S+\ngo       ` +
		regexp.QuoteMeta(runtime.Version()+" linux/"+runtime.GOARCH) +
		`\nrevision ([0-9a-f]{40}( and changes)?|not known: the build has no stamp)\n$`)
	for _, args := range []string{"version", "--version", "-version"} {
		stdout, stderr, code := runTool(t, tool(t, args))
		if code != 0 || stderr != "" || !pattern.MatchString(stdout) {
			t.Errorf("%s: exit code %d, stderr %q, stdout:\n%s", args, code, stderr, stdout)
		}
	}
	if _, stderr, code := runTool(t, tool(t, "version", "1")); code != 2 {
		t.Errorf("version 1: exit code %d, stderr %q", code, stderr)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want string }{
		{"-h", "echo    serve echo over TCP, UDP and Unix sockets"},
		{"--help", "usage: ringo COMMAND"},
		{"help", "usage: ringo COMMAND"},
		{"echo -h", "usage: ringo echo"},
		{"help echo", "-listen HOST:PORT"},
		{"echo -loops 1 -help", "-spin duration"},
		{"probe -h", "usage: ringo probe"},
		{"version -h", "usage: ringo version"},
		{"-h", "version "},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := runTool(t, tool(t, strings.Fields(c.args)...))
			if code != 0 || stderr != "" || !strings.Contains(stdout, c.want) {
				t.Errorf("exit code %d, want 0; stderr %q, want none; stdout %q, want %q in it", code,
					stderr, stdout, c.want)
			}
		})
	}
}

// TestPortBusy: a port that somebody serves is an error, also if that is another
// ringo, which shares it among its loops.
func TestPortBusy(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, other := startEcho(t, "-listen", anyPort)
	for _, addr := range []string{ln.Addr().String(), other} {
		_, stderr, code := runTool(t, tool(t, "echo", "-listen", anyPort, "-listen", "tcp://"+addr))
		want := "ringo echo: listen tcp " + addr + ": bind: address already in use\n"
		if code != 1 || stderr != want {
			t.Errorf("exit code %d, stderr %q; want 1, %q", code, stderr, want)
		}
	}
	exchangeAll(t, other, 64)
}

// TestFailure: what is wrong with the machine and not with the command line gives 1.
func TestFailure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, env, args, want string }{
		{"unknown driver in the environment", "RINGO_DRIVER=iocp", "echo -listen " + anyPort,
			`ringo echo: ringo: RINGO_DRIVER: unknown driver "iocp": want auto, uring, epoll`},
		{"unknown driver in the environment of probe", "RINGO_DRIVER=iocp", "probe",
			`ringo probe: ringo: RINGO_DRIVER: unknown driver "iocp"`},
		{"driver of simulated worlds in the environment", "RINGO_DRIVER=sim", "echo -listen " + anyPort,
			`ringo echo: ringo: RINGO_DRIVER: driver "sim" runs only in worlds in memory, which sim.Run makes`},
		{"address of another family", "", "echo -listen tcp4://[::1]:0", "listen tcp4: address ::1: "},
		{"address of another machine", "", "echo -listen tcp://192.0.2.1:0",
			"listen tcp 192.0.2.1:0: bind: cannot assign requested address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cmd := tool(t, strings.Fields(c.args)...)
			cmd.Env = append(cmd.Env, c.env)
			_, stderr, code := runTool(t, cmd)
			if code != 1 || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "listening") {
				t.Errorf("exit code %d, want 1; stderr %q, want %q in it", code, stderr, c.want)
			}
		})
	}
}
