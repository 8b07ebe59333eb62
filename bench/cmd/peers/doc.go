//go:build linux

// Peers is a TCP echo server on other network libraries for Go. Each is used as its documentation shows for an echo,
// with one poller, since it gets one core:
//
//	peers -on gnet -listen 127.0.0.1:7000
//	peers -on netpoll -listen 127.0.0.1:7000
//	peers -on nbio -listen 127.0.0.1:7000
//
// GOMAXPROCS is what the runtime derives from the CPUs that it may use. Once it serves, it prints a line on stderr:
//
//	listening tcp://127.0.0.1:7000 driver=gnet
package main
