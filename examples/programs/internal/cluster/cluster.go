//go:build linux

// Package cluster runs a PostgreSQL server for tests, if there is one on this machine.
package cluster

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo/examples/programs/internal/rig"
	"ringo/examples/programs/internal/selfsigned"
	"ringo/internal/test/testmain"
)

// A Cluster is a PostgreSQL server of the tests' own, in a directory that goes with it.
type Cluster struct {
	programs, dir, password string
	port                    int

	as     *syscall.Credential // whom it runs as; nil: us
	server *os.Process
	exited chan error
}

// errNoServer says that there is nothing to test with.
var errNoServer = errors.New("no PostgreSQL server in /usr/lib/postgresql or PATH: .ci/programs installs it")

// start makes a database and a server for it, which refuses root: then it gets a user without rights.
func start() (c *Cluster, err error) {
	programs := findPrograms()
	if programs == "" {
		return nil, errNoServer
	}
	c = &Cluster{programs: programs, password: rand.Text()}
	if c.dir, err = os.MkdirTemp("", "ringo-postgres-"); err != nil {
		return nil, err
	}
	if err := cmp.Or(c.disown(), c.initialize()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	for range 5 { // a port is free when it is looked for, and may not be later
		if err = c.serve(); err == nil {
			return c, nil
		}
	}
	return nil, errors.Join(err, os.RemoveAll(c.dir))
}

// findPrograms gives the directory of the newest server. Debian keeps them out of PATH.
func findPrograms() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil && len(found) == 0 {
		found = []string{path}
	}
	if len(found) == 0 {
		return ""
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }))
}

// disown gives the directory to a user without rights, if we are root.
func (c *Cluster) disown() error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	c.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(c.dir, uid, gid)
}

// command is a program of the server's, which dies with us.
func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.programs, name), args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as, Pdeathsig: syscall.SIGQUIT}
	return cmd
}

// initialize makes the database, with a password and a certificate.
func (c *Cluster) initialize() error {
	certificate, _, err := selfsigned.Certificate()
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{
		"password": []byte(c.password),
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}),
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	} {
		path := filepath.Join(c.dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
		if c.as != nil {
			if err := os.Chown(path, int(c.as.Uid), int(c.as.Gid)); err != nil {
				return err
			}
		}
	}
	cmd := c.command("initdb", "-D", "data", "-U", "ringo", "-A", "scram-sha-256", "--pwfile=password", "--no-sync",
		"-E", "UTF8", "--locale=C")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

// serve runs the server, and waits until it says that it is ready.
func (c *Cluster) serve() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c.port = ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	args := []string{"-D", "data", "-p", strconv.Itoa(c.port)}
	for _, setting := range []string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=" + c.dir, "max_connections=120", "shared_buffers=16MB",
		"fsync=off", "ssl=on", "ssl_cert_file=" + c.dir + "/cert.pem", "ssl_key_file=" + c.dir + "/key.pem",
	} {
		args = append(args, "-c", setting)
	}
	cmd := c.command("postgres", args...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	started, ready := make(chan error, 1), make(chan error, 1)
	c.exited = make(chan error, 1)
	go func() {
		runtime.LockOSThread() // whose end would be taken for ours
		defer runtime.UnlockOSThread()
		started <- cmd.Start()
		if cmd.Process != nil {
			follow(stderr, ready)
			c.exited <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	c.server = cmd.Process
	select {
	case err = <-ready:
	case <-time.After(rig.Patience):
		err = errors.New("the server is not ready, and says nothing")
	}
	if err != nil {
		return errors.Join(err, c.stop())
	}
	return nil
}

// follow reads what the server says until its end, and reports that it is ready, or what it said instead.
func follow(log io.Reader, ready chan<- error) {
	var said bytes.Buffer
	told := false
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if told {
			continue
		}
		fmt.Fprintln(&said, lines.Text())
		if told = strings.Contains(lines.Text(), "ready to accept connections"); told {
			ready <- nil
		}
	}
	if !told {
		ready <- fmt.Errorf("the server has ended:\n%s", &said)
	}
}

// stop ends the server as its own tool does: sessions are cut off, and what it holds is released.
func (c *Cluster) stop() error {
	c.server.Signal(syscall.SIGINT)
	select {
	case err := <-c.exited:
		return err
	case <-time.After(rig.Patience):
		c.server.Kill()
		return errors.Join(errors.New("the server does not end"), <-c.exited)
	}
}

// remove stops the server and removes all that there was of it.
func (c *Cluster) remove() error { return errors.Join(c.stop(), os.RemoveAll(c.dir)) }

// URL is what pgx is given to get there in a way: "TCP", "TLS" or "Unix".
func (c *Cluster) URL(way string) string {
	host, secrecy := "127.0.0.1", "disable"
	switch way {
	case "TLS":
		secrecy = "require"
	case "Unix":
		host = c.dir
	}
	return fmt.Sprintf("postgres://ringo:%s@/postgres?host=%s&port=%d&sslmode=%s", c.password, host, c.port, secrecy)
}

// Main runs the tests of a package that has one server. Before they begin use gets the server, or nil and the reason
// why there is none.
func Main(m *testing.M, use func(c *Cluster, err error)) {
	c, err := start()
	use(c, err)
	code := testmain.Run(m)
	if c != nil {
		if err := c.remove(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// Need ends a test that has no server for a reason: as skipped only if there is none in this system.
func Need(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, errNoServer) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}
