package contest

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Kind is the kind of a cell's load.
type Kind string

// The kinds. A cell's name is KIND/LOAD.
const (
	Echo     Kind = "echo"
	Open     Kind = "open" // echo at a given rate
	HTTP     Kind = "http"
	Fasthttp Kind = "fasthttp"
	Hertz    Kind = "hertz"
	Redis    Kind = "redis"
	Files    Kind = "files"
	Proxy    Kind = "proxy"
	WebProxy Kind = "webproxy"
	TLSProxy Kind = "tlsproxy"
	Disk     Kind = "disk"
)

// Match is the pair of servers that a cell is about: Ringo's, and the one that Ringo's is compared with first.
type Match struct{ Ours, Base string }

// Cell is a load, with the servers that take turns under it.
type Cell struct {
	Kind    Kind
	Load    string // the end of the cell's name
	Title   string
	Note    string // what a request is, if the title does not say it
	Mode    string // of the load generator
	Conns   int
	Size    int
	Depth   int
	Share   float64  // of a peak: the load is an open loop. 0: a closed loop
	Peak    string   // the server whose peak it is
	Rounds  int      // rounds that the cell is in at most; 0: all
	Args    []string // more arguments for the load generator
	Servers []string
	Command map[string]Command // of servers that package rig does not know
	Match   Match
	Quick   bool   // part of a quick run, too
	Without string // the server that does not compete, and why; "": none
}

// Command starts a server. In its words {port}, {size}, {seconds}, {bin} and {file} are replaced. If the first word is
// {test PACKAGE}, it is replaced by the test binary of a package of the main module.
type Command struct {
	Argv []string
	// Figures parses the figures that the command prints, by unit: it measures itself, without a load generator. If
	// Figures is nil, the command is a server, and prints "listening" when it serves.
	Figures func(output string) map[string]float64
}

// Name returns the cell's name in samples.
func (c *Cell) Name() string {
	if c.Kind == "" {
		return c.Load
	}
	return string(c.Kind) + "/" + c.Load
}

var loadText = regexp.MustCompile(`^(?:([a-z]+):)?([0-9]+)x([0-9]+)(?:x([0-9]+))?$`)

// Parse parses a load of the form [MODE:]CONNSxSIZE[xDEPTH].
func Parse(kind Kind, text string) (Cell, error) {
	m := loadText.FindStringSubmatch(text)
	if m == nil {
		return Cell{}, fmt.Errorf("bad cell %q: want [MODE:]CONNSxSIZE[xDEPTH]", text)
	}
	c := Cell{Kind: kind, Load: text, Mode: cmp.Or(m[1], "echo"), Depth: 1}
	for i, to := range []*int{&c.Conns, &c.Size, &c.Depth} {
		if m[i+2] == "" {
			continue
		}
		var err error
		if *to, err = strconv.Atoi(m[i+2]); err != nil || *to == 0 {
			return Cell{}, fmt.Errorf("bad cell %q: want numbers from 1 on", text)
		}
	}
	return c, nil
}

const flagship = "ringo-uring-request"

var (
	core = []string{Base, Control, "c-uring", "c-epoll", "gnet", "netpoll", "nbio", flagship, "ringo-uring-conn",
		"ringo-epoll-request"}
	// every driver with every kind of handler
	every = slices.Concat(core, []string{"ringo-uring-goroutine", "ringo-epoll-conn", "ringo-epoll-goroutine",
		"ringo-poll-request", "ringo-poll-conn", "ringo-poll-goroutine", "ringo-select-request", "ringo-select-conn",
		"ringo-select-goroutine"})
)

func echo(load, title string, conns, size, depth int, servers []string) Cell {
	return Cell{Kind: Echo, Load: load, Title: title, Mode: "echo", Conns: conns, Size: size, Depth: depth,
		Servers: servers, Match: Match{flagship, Base}}
}

// openCell returns the cell 50x64 at a share, in percent, of Base's peak in it.
func openCell(percent int) Cell {
	return Cell{Kind: Open, Load: fmt.Sprintf("50x64@%d", percent),
		Title: fmt.Sprintf("%d %% of Go net's peak", percent), Mode: "paced",
		Conns: 50, Size: 64, Depth: 1, Share: float64(percent) / 100, Peak: Base, Servers: core,
		Match: Match{flagship, Base}}
}

var notes = map[Kind]string{
	HTTP:     "A request is a GET on one of 50 kept connections, answered with 13 bytes.",
	Fasthttp: "A request is a GET on one of 50 kept connections, answered with 13 bytes.",
	Hertz:    "A request is a GET on one of 50 kept connections, answered with 13 bytes.",
	Redis:    "A request is a command with a value of 64 bytes, on one of 50 connections with a key each.",
	Files:    "A request is a GET for a file that is in memory, on one of 50 kept connections.",
	Proxy:    "A request is a message there and back through the proxy, on one of 50 connections.",
	TLSProxy: "A request is a message there and back through the proxy, on one of 50 connections of TLS 1.3.",
	WebProxy: "A request is a GET on one of 50 kept connections, answered with 13 bytes from behind the proxy.",
	Disk:     "A request is a read past the page cache (O_DIRECT), 32 at a time at random places of 256 MiB.",
}

func program(kind Kind, mode, load, title string, conns, size, depth int, match Match, others ...string) Cell {
	return Cell{Kind: kind, Load: load, Title: title, Mode: mode, Conns: conns, Size: size, Depth: depth,
		Servers: slices.Concat([]string{match.Base, match.Ours}, others), Match: match}
}

// Closed returns the closed cell whose peak the rate of this open cell is a share of.
func (c *Cell) Closed() *Cell {
	closed := *c
	closed.Kind, closed.Mode, closed.Share = Echo, "echo", 0
	closed.Load, _, _ = strings.Cut(strings.TrimPrefix(c.Load, "paced:"), "@")
	return &closed
}

// Cells returns all cells that a run measures, in order.
func Cells() []Cell {
	all := []Cell{
		echo("1x64", "1 connection, 64 B", 1, 64, 1, core),
		echo("10x64", "10 connections, 64 B", 10, 64, 1, core),
		echo("50x64", "50 connections, 64 B", 50, 64, 1, every),
		echo("1000x64", "1000 connections, 64 B", 1000, 64, 1, every),
		echo("50x16K", "50 connections, 16 KiB", 50, 16<<10, 1, core),
		echo("50x64x16", "50 connections, 64 B, 16 in flight", 50, 64, 16, core),
		openCell(20), openCell(40), openCell(60), openCell(80),
		program(HTTP, "http", "50x13", "net/http", 50, 13, 1,
			Match{"http-uring-goroutine", "http-net"}, "http-epoll-goroutine", "sockhttp-uring-conn",
			"sockhttp-uring-goroutine", "sockhttp-epoll-conn"),
		program(Fasthttp, "http", "50x13", "fasthttp", 50, 13, 1,
			Match{"fasthttp-uring-conn", "fasthttp-net"}),
		program(Hertz, "http", "50x13", "hertz", 50, 13, 1,
			Match{"hertz-uring-conn", "hertznetpoll-net"}, "hertz-net", "hertz-uring-goroutine"),
		program(Redis, "get", "50x64", "redis GET", 50, 64, 1,
			Match{"redis-uring-conn", "redis-net"}, "redis-server"),
		program(Redis, "set", "50x64x16", "redis SET, 16 pipelined", 50, 64, 16,
			Match{"redis-uring-conn", "redis-net"}, "redis-server"),
		program(Files, "http", "50x1K", "HTTP files of 1 KiB", 50, 1<<10, 1,
			Match{"serve-uring", "fileserver"}, "serve-epoll", "nginx"),
		program(Files, "http", "50x64K", "HTTP files of 64 KiB", 50, 64<<10, 1,
			Match{"serve-uring", "fileserver"}, "serve-epoll", "nginx"),
		program(Proxy, "echo", "50x64", "proxy, 64 B", 50, 64, 1,
			Match{"proxy-uring", "proxy-net"}, "proxy-epoll", "haproxy"),
		program(Proxy, "echo", "50x16K", "proxy, 16 KiB", 50, 16<<10, 1,
			Match{"proxy-uring", "proxy-net"}, "proxy-epoll", "haproxy"),
		program(TLSProxy, "tls", "50x64", "TLS proxy, 64 B", 50, 64, 1,
			Match{"proxy-uring", "proxy-net"}, "proxy-epoll", "haproxy"),
		program(TLSProxy, "tls", "50x16K", "TLS proxy, 16 KiB", 50, 16<<10, 1,
			Match{"proxy-uring", "proxy-net"}, "proxy-epoll", "haproxy"),
		program(WebProxy, "http", "50x13", "HTTP proxy, 13 B", 50, 13, 1,
			Match{"proxy-uring", "reverse-net"}, "proxy-epoll", "haproxy", "nginx"),
		program(WebProxy, "http", "50x16K", "HTTP proxy, 16 KiB", 50, 16<<10, 1,
			Match{"proxy-uring", "reverse-net"}, "proxy-epoll", "haproxy", "nginx"),
		program(Disk, "disk", "4Kx32", "direct reads of 4 KiB", 0, 4<<10, 32,
			Match{"disk-task", "disk-os"}, "disk-goroutine", "fio"),
	}
	for i := range all {
		all[i].Note = notes[all[i].Kind]
		if all[i].Conns >= 1000 {
			all[i].omit("ringo-select-goroutine", "select(2) can't watch descriptors from 1024 on, and a connection "+
				"that a goroutine uses takes two")
		}
		all[i].Quick = slices.Contains(quickCells, all[i].Name())
	}
	return all
}

func (c *Cell) omit(server, why string) {
	if i := slices.Index(c.Servers, server); i >= 0 {
		c.Servers = slices.Delete(slices.Clone(c.Servers), i, i+1)
		c.Without = ByName(server).Title + ": " + why
	}
}

// The cells of a quick run, and the servers in its cells of echoes.
var (
	quickCells = []string{"echo/50x64", "echo/1000x64", "echo/50x64x16", "open/50x64@60", "http/50x13", "redis/50x64",
		"files/50x1K", "proxy/50x64"}
	quickEcho = []string{Base, Control, "c-uring", "gnet", flagship, "ringo-uring-conn", "ringo-epoll-request"}
)

// Shorten removes the servers that a quick run does not measure.
func (c *Cell) Shorten() {
	c.Without = ""
	c.Servers = slices.DeleteFunc(slices.Clone(c.Servers), func(s string) bool {
		if c.Kind == Echo || c.Kind == Open {
			return !slices.Contains(quickEcho, s)
		}
		return strings.Contains(s, "epoll")
	})
}
