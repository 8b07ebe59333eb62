//go:build linux

package rig

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ringo/bench/internal/contest"
	"ringo/bench/internal/report"
	"ringo/internal/test/selfsigned"
)

// command says how to start a server.
type command struct {
	argv    []string
	dir     string   // "": where this program was started
	ready   string   // what it prints when it serves; "": it is ready when it accepts
	driver  string   // what it must print as its driver
	before  []string // a server that must run first, on the load generator's CPUs
	figures func(output string) map[string]float64
	stdout  *bytes.Buffer // where its stdout goes; nil: it is kept
}

const (
	announced  = "listening"
	bufferSize = 4 << 10 // least size of a connection's buffer
)

// served are the programs of cmd/serve that run on package net, or on a driver with a handler.
var served = []string{"echo", "fasthttp", "hertz", "hertznetpoll", "http", "redis", "sockhttp", "tls", "udp",
	"udpbatch", "udpserve", "bulkrecv", "bulksend"}

// Check returns an error if a server of a cell has neither a known name nor a command.
func (r *Rig) Check(cells []contest.Cell) error {
	for i := range cells {
		for _, name := range cells[i].Servers {
			if _, err := r.command(name, &cells[i], 1, 2); err != nil {
				return err
			}
		}
	}
	return nil
}

// command returns the command that starts a server by name, on a port; behind is the port for a server that must run
// behind it.
func (r *Rig) command(name string, cell *contest.Cell, port, behind int) (*command, error) {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	number := strconv.Itoa(port)
	c := &command{dir: r.work, ready: announced}
	if given, ok := cell.Command[name]; ok {
		c.argv, c.figures = r.filled(given.Argv, cell, port), given.Figures
		if c.figures == nil {
			c.dir = ""
		}
		return c, nil
	}
	size := strconv.Itoa(cell.Size)
	buffer := strconv.Itoa(max(cell.Size, bufferSize))
	bin := func(name string, args ...string) []string {
		return append([]string{filepath.Join(r.Bin, name)}, args...)
	}
	serve := func(program, on string, args ...string) []string {
		if program == "echo" {
			size = buffer
		}
		if c.driver = on; on == "net" {
			c.driver = ""
		}
		return bin("serve", append([]string{"-program", program, "-on", on, "-listen", addr, "-size", size},
			args...)...)
	}
	ringo := func(program, driver string, args ...string) []string {
		c.driver = driver
		return bin("ringo", append([]string{program, "-listen", "tcp://" + addr, "-driver", driver, "-loops", "1"},
			args...)...)
	}
	words := append(strings.Split(name, "-"), "", "")
	program, on, handler := words[0], words[1], words[2]
	switch {
	case name == contest.Base || name == contest.Control || name == "gonet2":
		procs := "GOMAXPROCS=1"
		if name == "gonet2" {
			procs = "GOMAXPROCS=2"
		}
		c.argv = append([]string{"env", procs}, serve("echo", "net")...)
	case name == "c-uring" || name == "c-epoll":
		c.argv = bin(on+"_echo", number)
	case name == "udp-c":
		c.argv = bin("udp_echo", number)
	case name == "bulkrecv-c":
		c.argv = bin("udp_bulk", "recv", number)
	case name == "bulksend-c":
		c.argv = bin("udp_bulk", "send", number, size)
	case name == "gnet" || name == "netpoll" || name == "nbio":
		c.argv = bin("peers", "-on", name, "-listen", addr)
		c.driver = name
	case program == "ringo" && handler != "":
		c.argv = append(ringo("echo", on, "-handler", handler), r.RingoArgs...)
	case slices.Contains(served, program) && on == "net":
		c.argv = serve(program, on)
	case slices.Contains(served, program) && handler != "":
		c.argv = serve(program, on, "-handler", handler)
	case program == "shards" && handler != "":
		c.argv = serve(program, on, "-loops", handler)
	case name == "redis-server":
		c.argv = []string{Find(name), "--port", number, "--save", "", "--appendonly", "no"}
		c.ready = "Ready to accept connections"
	case name == "fileserver":
		c.argv = bin("serve", "-program", "files", "-dir", r.site(), "-listen", addr)
	case program == "serve" && on != "":
		log := "off"
		if r.Logs {
			log = filepath.Join(r.work, "ringo.log")
		}
		c.argv = ringo("serve", on, "-files", "1000", "-fresh", "1s", "-log", log, r.site())
	case name == "proxy-net" || name == "reverse-net":
		c.argv = bin("serve", "-program", program, "-on", on, "-listen", addr, "-to", r.behind(c, cell, behind),
			"-tls="+strconv.FormatBool(cell.Kind == contest.TLSProxy))
	case program == "proxy" && on != "":
		c.argv = ringo("proxy", on, "-to", "tcp://"+r.behind(c, cell, behind))
		switch cell.Kind {
		case contest.WebProxy:
			c.argv = append(c.argv, "-http")
		case contest.TLSProxy:
			pem, err := r.pem()
			c.argv = append(c.argv, "-cert", pem, "-key", pem)
			return c, err
		}
	case name == "nginx" && cell.Kind == contest.WebProxy:
		return r.configured(c, addr, "nginx.conf", fmt.Sprintf(nginxProxyConf, r.work, addr, r.behind(c, cell, behind)),
			"-c", "-e", filepath.Join(r.work, "nginx.err"))
	case name == "nginx":
		log := "off"
		if r.Logs {
			log = filepath.Join(r.work, "nginx.log") + " combined buffer=32k flush=1s"
		}
		return r.configured(c, addr, "nginx.conf", fmt.Sprintf(nginxConf, r.work, addr, r.site(), log), "-c", "-e",
			filepath.Join(r.work, "nginx.err"))
	case name == "haproxy":
		mode, bind := "tcp", addr
		switch cell.Kind {
		case contest.WebProxy:
			mode = "http\n\toption forwardfor"
		case contest.TLSProxy:
			pem, err := r.pem()
			if err != nil {
				return nil, err
			}
			bind += " ssl ciphersuites TLS_AES_128_GCM_SHA256 crt " + pem // the cipher that the load prefers
		}
		return r.configured(c, addr, "haproxy.conf", fmt.Sprintf(haproxyConf, mode, bind, r.behind(c, cell, behind)),
			"-f")
	case program == "disk" || name == "fio":
		path := strings.TrimPrefix(name, "disk-")
		c.argv = r.filled([]string{"{bin}/ringo", "bench", "file", "-quiet", "-direct", "-file", "{file}", "-block",
			"{size}", "-depth", strconv.Itoa(cell.Depth), "-time", "{seconds}s", "-paths", path}, cell, port)
		c.figures = func(out string) map[string]float64 { return report.Row(out, "path", path) }
	default:
		return nil, fmt.Errorf("unknown server %q", name)
	}
	return c, nil
}

// filled replaces the names in a command's words.
func (r *Rig) filled(argv []string, cell *contest.Cell, port int) []string {
	names := strings.NewReplacer("{port}", strconv.Itoa(port), "{size}", strconv.Itoa(cell.Size), "{bin}", r.Bin,
		"{seconds}", strconv.FormatFloat(2*r.Seconds, 'g', -1, 64), "{file}", r.file())
	words := slices.Clone(argv)
	for i, word := range words {
		words[i] = names.Replace(word)
	}
	return words
}

func (r *Rig) site() string { return filepath.Join(r.work, "www") }

// pem writes a certificate and its key, and returns the file's path.
func (r *Rig) pem() (string, error) {
	path := filepath.Join(r.work, "cert.pem")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	c, _ := selfsigned.Must(selfsigned.Loopback())
	cert, key, err := selfsigned.PEM(c)
	if err != nil {
		return "", err
	}
	return path, os.WriteFile(path, append(cert, key...), 0o600)
}

// behind adds to c an echo server, or an HTTP server, that runs behind a proxy, and returns its address.
func (r *Rig) behind(c *command, cell *contest.Cell, port int) string {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	c.before = []string{filepath.Join(r.Bin, "epoll_echo"), strconv.Itoa(port)}
	if cell.Kind == contest.WebProxy {
		c.before = []string{filepath.Join(r.Bin, "serve"), "-program", "fasthttp", "-listen", addr, "-size",
			strconv.Itoa(cell.Size)}
	}
	return addr
}

// One process that serves, with the same caching as ringo serve.
const nginxConf = `daemon off; master_process off; pid %[1]s/nginx.pid; error_log %[1]s/nginx.err;
worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http {
	access_log %[4]s;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	sendfile on; tcp_nopush on; keepalive_requests 1000000000;
	open_file_cache max=1000 inactive=60s; open_file_cache_valid 1s; open_file_cache_min_uses 1;
	types { text/plain txt; }
	server { listen %[2]s; root %[3]s; }
}
`

// One process, which keeps connections to the server behind it, as other proxies do by default, and which sends the
// client's address.
const nginxProxyConf = `daemon off; master_process off; pid %[1]s/nginx.pid; error_log %[1]s/nginx.err;
worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	keepalive_requests 1000000000;
	upstream behind { server %[3]s; keepalive 1000; keepalive_requests 1000000000; }
	server {
		listen %[2]s;
		location / {
			proxy_pass http://behind;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $http_host;
			proxy_set_header X-Forwarded-For $remote_addr;
		}
	}
}
`

// One thread. Bytes may be spliced from socket to socket, and requests have the client's address.
const haproxyConf = `global
	nbthread 1
	maxconn 4000
defaults
	mode %s
	timeout connect 5s
	timeout client 60s
	timeout server 60s
	option splice-auto
listen proxy
	bind %s
	server echo %s
`

// configured returns a server that reads its configuration from a file, whose path follows the first flag.
func (r *Rig) configured(c *command, addr, file, text, flag string, flags ...string) (*command, error) {
	path := filepath.Join(r.work, file)
	program, _, _ := strings.Cut(file, ".")
	c.argv, c.ready = append([]string{Find(program), flag, path}, flags...), ""
	return c, os.WriteFile(path, []byte(text), 0o644)
}

// test builds the test binary of a package of the main module, once, and returns its path.
func (r *Rig) test(ctx context.Context, pkg string) (string, error) {
	path := filepath.Join(r.work, strings.NewReplacer(".", "_", "/", "-").Replace(pkg)+".test")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, r.run(ctx, filepath.Dir(r.Bench), "go", "test", "-c", "-o", path, pkg)
}
