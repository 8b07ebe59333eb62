package main

import "regexp"

// patches change net's tests where they use unexported parts of net, so that they can test other sockets; and they
// disable tests that are only about those parts.
var patches = map[string][]struct{ from, to string }{
	"listen_test.go": {
		{`func \((\w+) \*(TCPListener|UDPConn)\) port\(\) string`, `func ringoPort$2($1 *$2) string`},
		{`(\bln\w*(?:\[0\]|\.\(\*TCPListener\)))\.port\(\)`, `ringoPortTCPListener($1)`},
		{`(\bc\w*(?:\[0\]|\.\(\*UDPConn\)))\.port\(\)`, `ringoPortUDPConn($1)`},
		{`\bln\.\(\*(?:TCPListener|UDPConn)\)\.fd\b`, `ringoFD(ln.(syscall.Conn))`},
	},
	"protoconn_test.go": {
		{`ln\.Accept(?:TCP|Unix)\(\)`, `ringoAccept(ln)`},
	},
	"dial_test.go": { // what the connection has, not what a hook got
		{`c\.Close\(\)\n(\t\tif got != test\.expected)`, "got = ringoKeepAlive(c)\n\t\tc.Close()\n$1"},
	},
	"tcpconn_keepalive_test.go": { // what a new socket has, not what a hook saw
		{`testPreHookSetKeepAlive = func\(nfd \*netFD\) \{` +
			`\n(\t\toldCfg, errHook = getCurrentKeepAliveSettings)\(nfd\.pfd\.Sysfd\)\n\t\}`, "$1(ringoNewSocket())"},
	},
	// Package net calls hooks of internal/poll when it splices, Ringo does not. That all bytes arrive is still tested.
	"splice_linux_test.go": {
		{`\tif tc\.limitReadSize == 0 \|\|`, "\tif RingoDial != nil {\n\t\treturn\n\t}\n$0"},
		{`(?m)^\tif n > 0 && !hook\.called`, "\tif RingoDial != nil {\n\t\treturn\n\t}\n$0"},
		{`t\.Run\("no-unix(?:packet|gram)", testSpliceNoUnix(?:packet|gram)\)`, ""}, // these call spliceFrom directly
	},
	"tcpsock_test.go": { // what the connection has, not what a hook got
		{`\tif got != 0 \{\n\t\tt\.Errorf\("got keepalive`, "\tgot = ringoKeepAlive(c)\n$0"},
	},
	"sendfile_test.go": { // see splice_linux_test.go
		{`func expectSendfile\(.*\{\n\tt\.Helper\(\)`, "$0\n\tif RingoDial != nil {\n\t\tf()\n\t\treturn\n\t}"},
	},
	"write_unix_test.go": {
		{`func TestEndlessWrite`, `func endlessWrite`}, // about internal/poll
		{`withTCPConnPair\(t, client, server\)`, `_, _ = client, server`},
	},
	"main_test.go": { // in net/http: Ringo's goroutines are not leaked
		{`strings\.Contains\(stack, "created by runtime\.gc"\)`,
			`$0 || strings.Contains(stack, "created by ringo/") || ` +
				`strings.Contains(stack, "ringo/internal/loop.(*life).run(") || ` +
				`strings.Contains(stack, "ringo/internal/loop.newWorker")`},
	},
	"leakcheck.go": { // in gRPC, likewise
		{`goroutinesToIgnore = \[\]string\{`,
			`$0"created by ringo/", "ringo/internal/loop.(*life).run(", "ringo/internal/loop.newWorker",`},
	},
	"serve_test.go": { // counts connections of net/http's own server
		{`states\[StateActive\] != 1`, `RingoNewServer == nil && $0`},
	},
	"mptcpsock_linux_test.go": {
		{`isUsingMPTCPProto\(tcp\.fd\)`, `isUsingMPTCPProto(ringoFD(tcp))`},
	},
}

func patch(base string, text []byte) []byte {
	for _, p := range patches[base] {
		text = regexp.MustCompile(p.from).ReplaceAll(text, []byte(p.to))
	}
	return text
}
