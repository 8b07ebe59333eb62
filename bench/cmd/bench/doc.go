//go:build linux

// Bench measures servers and programs beside others, on this machine. In the folder bench:
//
//	go run ./cmd/bench compare     Ringo beside all others, and a page that shows who wins where
//	go run ./cmd/bench run         echo servers, by name, under loads
//	go run ./cmd/bench idle        memory of idle connections
//	go run ./cmd/bench sockets     programs on Ringo's sockets, beside package net and C
//	go run ./cmd/bench files       files over HTTP, by ringo serve, nginx and http.FileServer
//	go run ./cmd/bench beside      an echo beside cold reads
//	go run ./cmd/bench disk        reads, writes and syncs of package file, beside package os and fio
//	go run ./cmd/bench ring        package uring, beside liburing in C
//	go run ./cmd/bench strace      system calls a request
//
// and -h after a command lists its flags. docs/benchmarks.md says what the figures mean.
//
// All servers take turns within each round, each measurement has a fresh process on a core of its own, and every byte
// of the answers is verified. Ctrl-C ends a run early: what was measured is kept and reported. Exit code 1 means that
// a server failed or that an answer was wrong.
// server failed or that an answer was wrong.
package main
