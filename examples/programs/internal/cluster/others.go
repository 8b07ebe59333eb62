//go:build linux

package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// MariaDB is a server for one test binary, with a database "ringo" and a user of that name.
type MariaDB struct{ process }

// StartMariaDB makes a database and starts its server.
func StartMariaDB() (*MariaDB, error) {
	install, serve := find("mariadb-install-db"), find("mariadbd")
	if install == "" || serve == "" {
		return nil, fmt.Errorf("%w: no MariaDB", errNoServer)
	}
	m := new(MariaDB)
	if err := m.make("mysql"); err != nil {
		return nil, err
	}
	data, first := filepath.Join(m.dir, "data"), filepath.Join(m.dir, "first.sql")
	sql := strings.Join([]string{ // each on a line
		"create database if not exists ringo", "drop user if exists ''@localhost",
		"create user if not exists ringo@'%' identified by 'secret'", "grant all on *.* to ringo@'%'", "",
	}, ";\n")
	if err := errors.Join(m.put("first.sql", []byte(sql)), m.certify()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(m.dir))
	}
	cmd := m.command(install, "--no-defaults", "--datadir="+data, "--skip-test-db",
		"--auth-root-authentication-method=normal", "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w\n%s", cmd, err, out), os.RemoveAll(m.dir))
	}
	return m, m.serve("ready for connections", func() *exec.Cmd {
		return m.command(serve, "--no-defaults", "--datadir="+data, "--socket="+m.Socket(), "--port="+m.portText(),
			"--bind-address=127.0.0.1", "--pid-file="+filepath.Join(m.dir, "pid"), "--init-file="+first,
			"--skip-name-resolve", "--max-connections=200", "--innodb-buffer-pool-size=8M",
			"--innodb-flush-log-at-trx-commit=0", "--max-allowed-packet=64M",
			"--ssl-cert="+filepath.Join(m.dir, "cert.pem"), "--ssl-key="+filepath.Join(m.dir, "key.pem"))
	})
}

func (p *process) portText() string { return strconv.Itoa(p.port) }

// Address returns the TCP address of the server.
func (p *process) Address() string { return "127.0.0.1:" + p.portText() }

// Socket returns the path of the Unix socket of MariaDB or redis.
func (p *process) Socket() string { return filepath.Join(p.dir, "socket") }

// DSN returns the data source name for the driver to connect by "TCP", "TLS" or "Unix".
func (m *MariaDB) DSN(way string) string {
	where, how := "tcp("+m.Address()+")", ""
	switch way {
	case "TLS":
		how = "?tls=skip-verify"
	case "Unix":
		where = "unix(" + m.Socket() + ")"
	}
	return "ringo:secret@" + where + "/ringo" + how
}

// stop ends the server by SIGTERM first: MariaDB takes SIGINT as a debugger's signal.
func (m *MariaDB) stop() error {
	m.server.Signal(syscall.SIGTERM)
	return m.process.stop()
}

// Remove stops the server and removes its directory.
func (m *MariaDB) Remove() error { return errors.Join(m.stop(), os.RemoveAll(m.dir)) }

// Redis is a server for one test binary, which stores nothing on disk.
type Redis struct {
	process
	tls int // the port for TLS
}

// StartRedis starts a server.
func StartRedis() (*Redis, error) {
	serve := find("redis-server")
	if serve == "" {
		return nil, fmt.Errorf("%w: no redis", errNoServer)
	}
	r := new(Redis)
	if err := r.make("redis"); err != nil {
		return nil, err
	}
	if err := r.certify(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(r.dir))
	}
	return r, r.serve("eady to accept connections", func() *exec.Cmd {
		r.tls, _ = freePort() // 0: no TLS, whose tests then fail
		return r.command(serve, "--port", r.portText(), "--bind", "127.0.0.1", "--unixsocket", r.Socket(), "--save", "",
			"--appendonly", "no", "--dir", r.dir, "--maxmemory", "64mb", "--tls-port", strconv.Itoa(r.tls),
			"--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-ca-cert-file", "cert.pem",
			"--tls-auth-clients", "no")
	})
}

// URL returns the URL for go-redis to connect by "TCP", "TLS" or "Unix".
func (r *Redis) URL(way string) string {
	switch way {
	case "TLS":
		return fmt.Sprintf("rediss://127.0.0.1:%d/0?skip_verify=true", r.tls)
	case "Unix":
		return "unix://" + r.Socket()
	}
	return "redis://" + r.Address() + "/0"
}

// Set sets the value of a key.
func (r *Redis) Set(t testing.TB, key, value string) {
	t.Helper()
	c, err := net.Dial("tcp", r.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(key), key, len(value), value)
	if line, err := bufio.NewReader(c).ReadString('\n'); line != "+OK\r\n" {
		t.Fatalf("SET: %q, %v", line, err)
	}
}

// Databases are a server of each kind.
type Databases struct {
	Postgres *Cluster
	MariaDB  *MariaDB
	Redis    *Redis
}

// StartAll starts a server of each kind; if one fails it removes the others.
func StartAll() (d *Databases, err error) {
	d = new(Databases)
	if d.Postgres, err = start(); err == nil {
		d.MariaDB, err = StartMariaDB()
	}
	if err == nil {
		d.Redis, err = StartRedis()
	}
	if err != nil {
		return nil, errors.Join(err, d.Remove())
	}
	return d, nil
}

// Remove stops and removes all of them.
func (d *Databases) Remove() (err error) {
	if d.Postgres != nil {
		err = d.Postgres.Remove()
	}
	if d.MariaDB != nil {
		err = errors.Join(err, d.MariaDB.Remove())
	}
	if d.Redis != nil {
		err = errors.Join(err, d.Redis.Remove())
	}
	return err
}
