//go:build linux

package rig

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"ringo/bench/internal/contest"
)

// command is how a server is started.
type command struct {
	argv   []string
	ready  string   // what it says when it serves; "": it is ready when it accepts
	driver string   // what it must say that it runs on
	before []string // a server that must run before, on the load generator's CPU
}

const (
	announced  = "listening "
	bufferSize = 4 << 10 // of a connection's buffer at least
)

// command is what starts a server by name, on a port; the next one is for what must run behind it.
func (r *Rig) command(name string, cell *contest.Cell, port, behind int) (*command, error) {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	number := strconv.Itoa(port)
	c := &command{ready: announced}
	bin := func(name string, args ...string) []string {
		return append([]string{filepath.Join(r.bin, name)}, args...)
	}
	serve := func(program, on string, args ...string) []string {
		return bin("serve", append([]string{"-program", program, "-on", on, "-listen", addr, "-size",
			strconv.Itoa(cell.Size)}, args...)...)
	}
	ringo := func(program, driver string, args ...string) []string {
		c.driver = driver
		return bin("ringo", append([]string{program, "-listen", "tcp://" + addr, "-driver", driver, "-loops", "1"},
			args...)...)
	}
	words := strings.Split(name, "-")
	switch program := words[0]; {
	case name == contest.Base || name == contest.Control:
		c.argv = bin("gonet-echo", "-listen", addr, "-buf", strconv.Itoa(max(cell.Size, bufferSize)))
	case name == "c-uring" || name == "c-epoll":
		c.argv = bin(words[1]+"_echo", number)
	case name == "gnet" || name == "netpoll" || name == "nbio":
		c.argv = bin("peers", "-on", name, "-listen", addr)
		c.driver = name
	case program == "ringo" && len(words) == 3:
		c.argv = ringo("echo", words[1], "-handler", words[2])
	case (program == "http" || program == "fasthttp" || program == "redis") && words[1] == "net":
		c.argv = serve(program, "net")
	case (program == "http" || program == "fasthttp" || program == "redis") && len(words) == 3:
		c.argv, c.driver = serve(program, words[1], "-handler", words[2]), words[1]
	case name == "redis-server":
		c.argv = []string{Find(name), "--port", number, "--save", "", "--appendonly", "no"}
		c.ready = "Ready to accept connections"
	case name == "fileserver":
		c.argv = bin("serve", "-program", "files", "-dir", r.site(), "-listen", addr)
	case program == "serve":
		c.argv = ringo("serve", words[1], "-files", "1000", "-fresh", "1s", "-log", "off", r.site())
	case name == "proxy-net":
		c.argv = bin("serve", "-program", "proxy", "-on", "net", "-listen", addr, "-to", r.behind(c, behind))
	case program == "proxy":
		c.argv = ringo("proxy", words[1], "-to", "tcp://"+r.behind(c, behind))
	case name == "nginx":
		return r.configured(c, addr, "nginx.conf", fmt.Sprintf(nginxConf, r.work, addr, r.site()), "-c", "-e",
			filepath.Join(r.work, "nginx.err"))
	case name == "haproxy":
		return r.configured(c, addr, "haproxy.conf", fmt.Sprintf(haproxyConf, addr, r.behind(c, behind)), "-f")
	default:
		return nil, fmt.Errorf("unknown server %q", name)
	}
	return c, nil
}

func (r *Rig) site() string { return filepath.Join(r.work, "www") }

// behind has an echo run behind a proxy, and gives its address.
func (r *Rig) behind(c *command, port int) string {
	c.before = []string{filepath.Join(r.bin, "epoll_echo"), strconv.Itoa(port)}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// One process that serves, no access log, and the same caching as ringo serve.
const nginxConf = `daemon off; master_process off; pid %[1]s/nginx.pid; error_log %[1]s/nginx.err;
worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	sendfile on; tcp_nopush on; keepalive_requests 1000000000;
	open_file_cache max=1000 inactive=60s; open_file_cache_valid 1s; open_file_cache_min_uses 1;
	types { text/plain txt; }
	server { listen %[2]s; root %[3]s; }
}
`

// One thread, and bytes may go from socket to socket.
const haproxyConf = `global
	nbthread 1
	maxconn 4000
defaults
	mode tcp
	timeout connect 5s
	timeout client 60s
	timeout server 60s
	option splice-auto
listen proxy
	bind %s
	server echo %s
`

// configured is a server that reads its settings from a file, which follows the first of the flags.
func (r *Rig) configured(c *command, addr, file, text, flag string, flags ...string) (*command, error) {
	path := filepath.Join(r.work, file)
	program, _, _ := strings.Cut(file, ".")
	c.argv, c.ready = append([]string{Find(program), flag, path}, flags...), ""
	return c, os.WriteFile(path, []byte(text), 0o644)
}
