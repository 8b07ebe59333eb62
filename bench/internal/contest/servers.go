package contest

import "slices"

// Family says what kind of implementation a server is.
type Family int

// The families.
const (
	Std      Family = iota // package net, net/http, package os
	Ringo                  // runs on Ringo
	Library                // another library for Go
	C                      // the references in bench/c
	Program                // nginx, HAProxy, redis-server, fio
	families               // the number of families
)

func (f Family) String() string {
	return [families]string{"Go's standard library", "Ringo", "other Go libraries", "tuned C", "programs in C"}[f]
}

// Server is a competitor. From its name package rig knows how to start it.
type Server struct {
	Name   string
	Title  string
	Family Family
	Needs  string // the program without which it is left out
	Apt    string // the package that has the program
}

// Base is Go net. Control is Go net once more: its difference from Base is noise.
const (
	Base    = "gonet"
	Control = "gonet-again"
)

var servers = []Server{
	{Name: Base, Title: "Go net"},
	{Name: Control, Title: "Go net, once more"},
	{Name: "c-uring", Title: "C, io_uring", Family: C, Needs: "gcc", Apt: "gcc libc6-dev"},
	{Name: "c-epoll", Title: "C, epoll", Family: C, Needs: "gcc", Apt: "gcc libc6-dev"},
	{Name: "gnet", Title: "gnet", Family: Library},
	{Name: "netpoll", Title: "netpoll", Family: Library},
	{Name: "nbio", Title: "nbio", Family: Library},
	{Name: "ringo-uring-request", Title: "Ringo uring, handlers", Family: Ringo},
	{Name: "ringo-uring-conn", Title: "Ringo uring, tasks", Family: Ringo},
	{Name: "ringo-uring-goroutine", Title: "Ringo uring, goroutines", Family: Ringo},
	{Name: "ringo-epoll-request", Title: "Ringo epoll, handlers", Family: Ringo},
	{Name: "ringo-epoll-conn", Title: "Ringo epoll, tasks", Family: Ringo},
	{Name: "ringo-epoll-goroutine", Title: "Ringo epoll, goroutines", Family: Ringo},
	{Name: "ringo-poll-request", Title: "Ringo poll, handlers", Family: Ringo},
	{Name: "ringo-poll-conn", Title: "Ringo poll, tasks", Family: Ringo},
	{Name: "ringo-poll-goroutine", Title: "Ringo poll, goroutines", Family: Ringo},
	{Name: "ringo-select-request", Title: "Ringo select, handlers", Family: Ringo},
	{Name: "ringo-select-conn", Title: "Ringo select, tasks", Family: Ringo},
	{Name: "ringo-select-goroutine", Title: "Ringo select, goroutines", Family: Ringo},
	{Name: "http-net", Title: "net/http on Go net"},
	{Name: "http-uring-goroutine", Title: "net/http on Ringo uring", Family: Ringo},
	{Name: "http-epoll-goroutine", Title: "net/http on Ringo epoll", Family: Ringo},
	{Name: "sockhttp-uring-conn", Title: "sockhttp, uring, tasks", Family: Ringo},
	{Name: "sockhttp-uring-goroutine", Title: "sockhttp, uring, goroutines", Family: Ringo},
	{Name: "sockhttp-epoll-conn", Title: "sockhttp, epoll, tasks", Family: Ringo},
	{Name: "fasthttp-net", Title: "fasthttp on Go net", Family: Library},
	{Name: "fasthttp-uring-conn", Title: "fasthttp in Ringo's tasks", Family: Ringo},
	{Name: "hertz-net", Title: "hertz on Go net", Family: Library},
	{Name: "hertznetpoll-net", Title: "hertz on netpoll", Family: Library},
	{Name: "hertz-uring-conn", Title: "hertz in Ringo's tasks", Family: Ringo},
	{Name: "hertz-uring-goroutine", Title: "hertz on Ringo, goroutines", Family: Ringo},
	{Name: "redis-net", Title: "redis in Go, on Go net"},
	{Name: "redis-uring-conn", Title: "redis in Go, in Ringo's tasks", Family: Ringo},
	{Name: "redis-server", Title: "redis-server", Family: Program, Needs: "redis-server", Apt: "redis-server"},
	{Name: "fileserver", Title: "http.FileServer"},
	{Name: "serve-uring", Title: "ringo serve, uring", Family: Ringo},
	{Name: "serve-epoll", Title: "ringo serve, epoll", Family: Ringo},
	{Name: "nginx", Title: "nginx", Family: Program, Needs: "nginx", Apt: "nginx-light"},
	{Name: "proxy-net", Title: "io.Copy on Go net"},
	{Name: "reverse-net", Title: "httputil.ReverseProxy"},
	{Name: "proxy-uring", Title: "ringo proxy, uring", Family: Ringo},
	{Name: "proxy-epoll", Title: "ringo proxy, epoll", Family: Ringo},
	{Name: "haproxy", Title: "HAProxy", Family: Program, Needs: "haproxy", Apt: "haproxy"},
	{Name: "disk-os", Title: "package os"},
	{Name: "disk-task", Title: "Ringo, tasks", Family: Ringo},
	{Name: "disk-goroutine", Title: "Ringo, goroutines", Family: Ringo},
	{Name: "fio", Title: "fio, io_uring", Family: Program, Needs: "fio", Apt: "fio"},
}

// ByName returns the server with this name. For a name that is not known, in the samples of another version, it
// returns a server with the name as its title.
func ByName(name string) Server {
	if i := slices.IndexFunc(servers, func(s Server) bool { return s.Name == name }); i >= 0 {
		return servers[i]
	}
	return Server{Name: name, Title: name, Family: Library}
}

// Servers returns all servers, in the order of reports.
func Servers() []Server { return slices.Clone(servers) }
