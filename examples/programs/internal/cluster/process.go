//go:build linux

package cluster

import (
	"bufio"
	"bytes"
	"cmp"
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
	"strconv"
	"strings"
	"syscall"
	"time"

	"ringo/examples/programs/internal/rig"
	"ringo/examples/programs/internal/selfsigned"
)

// A process is a database server for one test binary, in a temporary directory.
type process struct {
	dir  string
	port int

	as     *syscall.Credential // the user it runs as; nil: ours
	server *os.Process
	exited chan error
}

// make makes the directory. If we are root it belongs to another user, since PostgreSQL and MariaDB refuse root.
func (p *process) make(users ...string) (err error) {
	if p.dir, err = os.MkdirTemp("", "ringo-server-"); err != nil {
		return err
	}
	if err := p.disown(users); err != nil {
		return errors.Join(err, os.RemoveAll(p.dir))
	}
	return nil
}

// disown gives the directory to the first of users that exists, if we are root.
func (p *process) disown(users []string) (err error) {
	if os.Geteuid() != 0 {
		return nil
	}
	var u *user.User
	for _, name := range append(users, "nobody") {
		if u, err = user.Lookup(name); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	p.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(p.dir, uid, gid)
}

// put writes a file that only the server can read.
func (p *process) put(name string, text []byte) error {
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil || p.as == nil {
		return err
	}
	return os.Chown(path, int(p.as.Uid), int(p.as.Gid))
}

// certify makes a certificate, cert.pem, and its key, key.pem.
func (p *process) certify() error {
	certificate, _, err := selfsigned.Certificate()
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		return err
	}
	return errors.Join(
		p.put("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})),
		p.put("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
}

// command returns a command of the server. The kernel sends it SIGQUIT when we die.
func (p *process) command(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as, Pdeathsig: syscall.SIGQUIT}
	return cmd
}

// serve starts the server that command makes for a free port, and waits until its log has a line with ready.
func (p *process) serve(ready string, command func() *exec.Cmd) (err error) {
	for range 5 { // another program may take the port before the server does
		if p.port, err = freePort(); err == nil {
			err = p.start(ready, command())
		}
		if err == nil {
			return nil
		}
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}

// freePort returns a port that was free a moment ago.
func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return ln.Addr().(*net.TCPAddr).Port, ln.Close()
}

// start starts a command, and waits until its log has a line with ready.
func (p *process) start(ready string, cmd *exec.Cmd) error {
	said, says, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = says, says
	started, up := make(chan error, 1), make(chan error, 1)
	p.exited = make(chan error, 1)
	go func() {
		runtime.LockOSThread() // Pdeathsig is sent when the thread that started the process ends
		defer runtime.UnlockOSThread()
		defer said.Close()
		started <- cmp.Or(cmd.Start(), says.Close())
		if cmd.Process != nil {
			follow(said, ready, up)
			p.exited <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	p.server = cmd.Process
	select {
	case err = <-up:
	case <-time.After(rig.Patience):
		err = errors.New("the server is not ready, and says nothing")
	}
	if err != nil {
		return errors.Join(err, p.stop())
	}
	return nil
}

// follow reads the server's log until its end. It sends nil to up once a line has ready in it, or an error with the
// whole log if none has.
func follow(log io.Reader, ready string, up chan<- error) {
	var said bytes.Buffer
	told := false
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if told {
			continue
		}
		fmt.Fprintln(&said, lines.Text())
		if told = strings.Contains(lines.Text(), ready); told {
			up <- nil
		}
	}
	if !told {
		up <- fmt.Errorf("the server has ended:\n%s", &said)
	}
}

// stop ends the server at once: sessions are cut off.
func (p *process) stop() error {
	p.server.Signal(syscall.SIGINT)
	select {
	case err := <-p.exited:
		return err
	case <-time.After(rig.Patience):
		p.server.Kill()
		return errors.Join(errors.New("the server does not end"), <-p.exited)
	}
}

// Remove stops the server and removes its directory.
func (p *process) Remove() error { return errors.Join(p.stop(), os.RemoveAll(p.dir)) }

// find returns the path of a program, in PATH or where Debian keeps servers, or "".
func find(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path := filepath.Join("/usr/sbin", name)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}
