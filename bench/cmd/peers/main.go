//go:build linux

package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// libraries serve until they fail, and call ready once they listen.
var libraries = map[string]func(listen string, ready func()) error{
	"gnet":    serveGnet,
	"nbio":    serveNbio,
	"netpoll": serveNetpoll,
}

func main() {
	names := strings.Join(slices.Sorted(maps.Keys(libraries)), ", ")
	on := flag.String("on", "gnet", "`library`: "+names)
	listen := flag.String("listen", "127.0.0.1:7000", "`address` to serve on")
	flag.Parse()
	serve := libraries[*on]
	if serve == nil || flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "peers: -on %q is none of %s, or there are arguments\n", *on, names)
		os.Exit(2)
	}
	err := serve(*listen, func() { fmt.Fprintf(os.Stderr, "listening tcp://%s driver=%s\n", *listen, *on) })
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}
