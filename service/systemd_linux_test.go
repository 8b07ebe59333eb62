//go:build linux

package service_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sock"
)

func init() {
	// A server of one peer on the socket of that name.
	children["web"] = func() error {
		files, err := sock.Activated()
		if err != nil {
			return err
		}
		for _, f := range files {
			if f.Name() != "web" {
				return fmt.Errorf("a socket is named %q", f.Name())
			}
			set, err := sock.AdoptSet(f, nil)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			return sock.ServeSets(ctx, &ringo.Config{Loops: 1}, []*sock.ListenerSet{set}, func(c *sock.Conn) {
				io.Copy(c, c)
				cancel()
			})
		}
		return fmt.Errorf("no socket: LISTEN_FDNAMES %q", os.Getenv("LISTEN_FDNAMES"))
	}
}

// needsTool skips where a tool of systemd's is missing.
func needsTool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skip("Debian's package systemd has it: ", err)
	}
}

// The sockets that systemd itself passes on are found by name.
func TestSocketActivate(t *testing.T) {
	const tool = "systemd-socket-activate"
	needsTool(t, tool)
	at := filepath.Join(t.TempDir(), "socket")
	cmd := exec.Command(tool, "-l", at, "--fdname=web", "-E", childEnv, "/proc/self/exe")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Args[len(cmd.Args)-1] = self
	cmd.Env = append(os.Environ(), childEnv+"=web")
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	var peer net.Conn
	patience.Until(t, "its socket", func() bool {
		peer, err = net.Dial("unix", at)
		return err == nil
	})
	defer peer.Close()
	peer.SetDeadline(patience.Deadline())
	p := make([]byte, 4)
	peer.Write([]byte("ping"))
	if n, err := io.ReadFull(peer, p); err != nil || string(p) != "ping" {
		t.Errorf("the peer got %q, %v", p[:n], err)
	}
	peer.Close()
	patience.Within(t.Name(), func() { err = cmd.Wait() })
	if err != nil {
		t.Error(err)
	}
}

// The units of the documentation are such that systemd finds nothing wrong.
func TestUnits(t *testing.T) {
	const tool = "systemd-analyze"
	needsTool(t, tool)
	page, err := os.ReadFile("../docs/services.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var names []string
	unit := regexp.MustCompile("(?s)```ini\n# /etc/systemd/system/([a-z.]+)\n(.*?)```")
	for _, m := range unit.FindAllStringSubmatch(string(page), -1) {
		name := filepath.Join(dir, m[1])
		text := strings.Replace(m[2], "/usr/local/bin/web", "/bin/true", 1)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if len(names) != 2 {
		t.Fatalf("the page has the units %q", names)
	}
	out, err := exec.Command(tool, append([]string{"verify"}, names...)...).CombinedOutput()
	if mine := regexp.MustCompile(`(?m)^.*web\.(service|socket).*$`).FindAllString(string(out), -1); len(mine) > 0 {
		t.Errorf("%q", mine)
	} else if err != nil {
		t.Skipf("systemd-analyze does not work here: %v: %s", err, out)
	}
}
