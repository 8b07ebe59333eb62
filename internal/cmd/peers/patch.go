package main

import "regexp"

// patches say in public words what net's own tests say in those of its inside, so that they can be about others'
// sockets; and leave out a test that is about the inside alone.
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
	"dial_test.go": { // what a connection has in place of what a hook was told
		{`c\.Close\(\)\n(\t\tif got != test\.expected)`, "got = ringoKeepAlive(c)\n\t\tc.Close()\n$1"},
	},
	"tcpconn_keepalive_test.go": { // what a new socket has in place of what a hook was shown
		{`testPreHookSetKeepAlive = func\(nfd \*netFD\) \{` +
			`\n(\t\toldCfg, errHook = getCurrentKeepAliveSettings)\(nfd\.pfd\.Sysfd\)\n\t\}`, "$1(ringoNewSocket())"},
	},
	// How bytes are moved is told to hooks of internal/poll, by package net alone. That they all come is left to test.
	"splice_linux_test.go": {
		{`\tif tc\.limitReadSize == 0 \|\|`, "\tif RingoDial != nil {\n\t\treturn\n\t}\n$0"},
		{`(?m)^\tif n > 0 && !hook\.called`, "\tif RingoDial != nil {\n\t\treturn\n\t}\n$0"},
		{`t\.Run\("no-unix(?:packet|gram)", testSpliceNoUnix(?:packet|gram)\)`, ""}, // call spliceFrom themselves
	},
	"tcpsock_test.go": { // what a connection has in place of what a hook was told
		{`\tif got != 0 \{\n\t\tt\.Errorf\("got keepalive`, "\tgot = ringoKeepAlive(c)\n$0"},
	},
	"sendfile_test.go": { // as for splices
		{`func expectSendfile\(.*\{\n\tt\.Helper\(\)`, "$0\n\tif RingoDial != nil {\n\t\tf()\n\t\treturn\n\t}"},
	},
	"write_unix_test.go": {
		{`func TestEndlessWrite`, `func endlessWrite`}, // of internal/poll
		{`withTCPConnPair\(t, client, server\)`, `_, _ = client, server`},
	},
	"main_test.go": { // of net/http: Ringo's own goroutines are no leak
		{`strings\.Contains\(stack, "created by runtime\.gc"\)`,
			`$0 || strings.Contains(stack, "created by ringo/") || ` +
				`strings.Contains(stack, "ringo/internal/loop.(*life).run(") || ` +
				`strings.Contains(stack, "ringo/internal/loop.newWorker")`},
	},
	"leakcheck.go": { // of gRPC, likewise
		{`goroutinesToIgnore = \[\]string\{`,
			`$0"created by ringo/", "ringo/internal/loop.(*life).run(", "ringo/internal/loop.newWorker",`},
	},
	"serve_test.go": { // the connections that net/http's own server has
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
