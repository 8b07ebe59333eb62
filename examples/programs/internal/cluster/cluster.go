//go:build linux

// Package cluster runs database servers for tests, if they are installed on this machine.
package cluster

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"ringo/internal/test/testmain"
)

// A Cluster is a PostgreSQL server for one test binary, in a temporary directory.
type Cluster struct {
	process
	programs, password string
}

// errNoServer is the error if a server is not installed.
var errNoServer = errors.New("no server in PATH, /usr/sbin or /usr/lib/postgresql: .ci/programs installs it")

// start makes a database and starts its server. PostgreSQL refuses to run as root, so for root it runs as another
// user.
func start() (*Cluster, error) {
	c := &Cluster{programs: findPrograms(), password: rand.Text()}
	if c.programs == "" {
		return nil, errNoServer
	}
	if err := c.make("postgres"); err != nil {
		return nil, err
	}
	if err := c.initialize(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	return c, c.serve("ready to accept connections", c.postgres)
}

// findPrograms returns the directory of the newest installed server. Debian keeps it out of PATH.
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

// initialize makes the database, with a password and a certificate.
func (c *Cluster) initialize() error {
	if err := errors.Join(c.put("password", []byte(c.password)), c.certify()); err != nil {
		return err
	}
	cmd := c.command(filepath.Join(c.programs, "initdb"), "-D", "data", "-U", "ringo", "-A", "scram-sha-256",
		"--pwfile=password", "--no-sync", "-E", "UTF8", "--locale=C")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

// postgres returns the command of the server.
func (c *Cluster) postgres() *exec.Cmd {
	args := []string{"-D", "data", "-p", c.portText()}
	for _, setting := range []string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=" + c.dir, "max_connections=120", "shared_buffers=16MB",
		"fsync=off", "ssl=on", "ssl_cert_file=" + c.dir + "/cert.pem", "ssl_key_file=" + c.dir + "/key.pem",
	} {
		args = append(args, "-c", setting)
	}
	return c.command(filepath.Join(c.programs, "postgres"), args...)
}

// URL returns the URL for pgx to connect by "TCP", "TLS" or "Unix".
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

// Main runs the tests of a package that uses one server. Before the tests it calls use with the server, or with nil
// and the error that says why there is none.
func Main(m *testing.M, use func(c *Cluster, err error)) {
	c, err := start()
	use(c, err)
	code := testmain.Run(m)
	if c != nil {
		if err := c.Remove(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// Need ends a test that has no server: it skips the test if none is installed, and fails it otherwise.
func Need(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, errNoServer) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}
