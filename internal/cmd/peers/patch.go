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
	"write_unix_test.go": {
		{`func TestEndlessWrite`, `func endlessWrite`}, // of internal/poll
		{`withTCPConnPair\(t, client, server\)`, `_, _ = client, server`},
	},
	"main_test.go": { // of net/http: Ringo's own goroutines are no leak
		{`strings\.Contains\(stack, "created by runtime\.gc"\)`,
			`$0 || strings.Contains(stack, "created by ringo/") || ` +
				`strings.Contains(stack, "ringo/internal/loop.Run.func1") || ` +
				`strings.Contains(stack, "ringo/internal/loop.(*Loop).newWorker")`},
	},
	"leakcheck.go": { // of gRPC, likewise
		{`goroutinesToIgnore = \[\]string\{`,
			`$0"created by ringo/", "ringo/internal/loop.Run.func1", "ringo/internal/loop.(*Loop).newWorker",`},
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
