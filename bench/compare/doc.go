//go:build linux

// Compare measures Ringo beside Go's own net, other network libraries for Go, servers in C and programs that everybody
// knows, on this machine, and writes a page that says who wins where, by how much, and where Ringo loses.
//
//	cd bench && go run ./compare                                # a quarter of an hour
//	go run ./compare -quick                                     # three minutes: fewer cells and servers
//	go run ./compare -install                                   # as root: apt-get install what is missing, then go on
//	go run ./compare -html ../docs/report.html                  # where the page goes
//	go run ./compare -only 'gonet|c-|uring' -cells echo         # some of the servers, some of the cells
//	go run ./compare -from out/compare.jsonl -html page.html    # the page once more, from a run's record
//
// All servers take turns within each round, each measurement has a fresh process on a core of its own, and every byte
// that comes back is verified. Ctrl-C ends a run early: what was measured is kept and reported. Exit code 1 says that a
// server failed or that an answer was wrong.
package main
