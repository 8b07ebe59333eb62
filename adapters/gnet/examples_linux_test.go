//go:build linux

package gnet_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
)

// examples are gnet's own, github.com/gnet-io/gnet-examples of 2024-03-07.
const examples = "github.com/gnet-io/gnet-examples@v0.0.0-20240307051606-69fd3991438f"

// gnet's examples, of whose text one import path is changed and nothing else, answer their clients, byte by byte.
func TestExamples(t *testing.T) {
	testmain.NeedLong(t, "it builds gnet's examples, which the module proxy has; TestEcho is one of them")
	bin := built(t)
	eachDriver(t, func(t *testing.T) {
		for name, play := range map[string]func(t *testing.T, bin string){
			"echo_tcp": playEcho, "echo_uds": playUnix, "echo_udp": playUDP, "http": playHTTP, "push": playPush,
			"simple_protocol": playProtocol, "websocket": playWebSocket,
		} {
			t.Run(name, func(t *testing.T) { play(t, bin) })
		}
	})
}

// built builds the examples, and returns the folder where they are.
func built(t *testing.T) (bin string) {
	var module struct{ Dir, Error string }
	out, _ := exec.Command("go", "mod", "download", "-json", examples).Output()
	if err := json.Unmarshal(out, &module); err != nil || module.Error != "" {
		t.Fatal("the examples, for which -long asks: ", module.Error, err)
	}
	dir, bin := filepath.Join(t.TempDir(), "src"), t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(module.Dir)); err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	changed := 0
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*.go"))
	more, _ := filepath.Glob(filepath.Join(dir, "*", "*", "*.go"))
	for _, name := range append(files, more...) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		ours := bytes.ReplaceAll(text, []byte(`"github.com/panjf2000/gnet/v2"`), []byte(`"ringo/adapters/gnet"`))
		if bytes.Equal(text, ours) {
			continue
		}
		changed++
		if err := errors.Join(os.Chmod(name, 0o644), os.WriteFile(name, ours, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if changed != 9 {
		t.Fatalf("%d files import gnet, of 9", changed)
	}
	run := func(args ...string) {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run("mod", "edit", "-go=1.25.0", "-require=ringo@v0.0.0", "-require=ringo/adapters/gnet@v0.0.0",
		"-replace=ringo="+filepath.Join(here, "..", ".."), "-replace=ringo/adapters/gnet="+here)
	for _, name := range []string{"echo_tcp", "echo_uds", "echo_udp", "http", "push", "simple_protocol/server",
		"simple_protocol/client", "websocket/server"} {
		run("build", "-mod=mod", "-o", filepath.Join(bin, strings.ReplaceAll(name, "/", "_")), "./"+name)
	}
	return bin
}

// A program is one of the examples, which runs until the test ends.
type program struct {
	cmd   *exec.Cmd
	said  *bytes.Buffer
	ended chan error
}

func start(t *testing.T, bin string, args ...string) *program {
	t.Helper()
	p := &program{exec.Command(filepath.Join(bin, args[0]), args[1:]...), new(bytes.Buffer), make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		patience.Recv(t, "the example ends", p.ended)
		if t.Failed() {
			t.Logf("%s said: %s", args[0], p.said)
		}
	})
	return p
}

// port finds one that is free, for programs that listen at all addresses.
func port(t *testing.T) string {
	ln, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return fmt.Sprint(ln.Addr().(*net.TCPAddr).Port)
}

// dial connects once the program listens.
func dial(t *testing.T, network, addr string) (c net.Conn) {
	t.Helper()
	patience.Until(t, "the example listens", func() bool {
		var err error
		c, err = net.Dial(network, addr)
		return err == nil
	})
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(patience.Deadline())
	return c
}

func playEcho(t *testing.T, bin string) {
	at := port(t)
	start(t, bin, "echo_tcp", "--port", at, "--multicore=true")
	exchangeMany(t, "tcp", "127.0.0.1:"+at)
}

func playUnix(t *testing.T, bin string) {
	at := filepath.Join(t.TempDir(), "s")
	start(t, bin, "echo_uds", "--sock", at, "--multicore=true")
	exchangeMany(t, "unix", at)
}

func exchangeMany(t *testing.T, network, addr string) {
	var all sync.WaitGroup
	for i := range 50 {
		c := dial(t, network, addr)
		all.Go(func() {
			for _, n := range []int{1 + i, 5000, 100_000 + i} {
				if err := exchange(c, socktest.Prefix(n)); err != nil {
					t.Errorf("%d bytes: %v", n, err)
				}
			}
		})
	}
	all.Wait()
	t.Log("50 clients had 3 messages each back, of up to 100,049 bytes")
}

// playUDP wants it told that it is refused.
func playUDP(t *testing.T, bin string) {
	p := start(t, bin, "echo_udp", "--port", port(t))
	err := patience.Recv(t, "the example ends", p.ended)
	p.ended <- err
	if err == nil || !strings.Contains(p.said.String(), "gnet: unsupported operation") {
		t.Errorf("it ended with %v", err)
	}
}

func playHTTP(t *testing.T, bin string) {
	at := "127.0.0.1:" + port(t)
	start(t, bin, "http", "--port", at[strings.Index(at, ":")+1:])
	c := dial(t, "tcp", at)
	io.WriteString(c, strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 20))
	r := bufio.NewReader(c)
	for i := range 20 {
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("answer %d of a pipeline: %v", i, err)
		}
		body, err := io.ReadAll(answer.Body)
		if answer.StatusCode != 200 || string(body) != "Hello World!" || err != nil {
			t.Fatalf("answer %d: %s, %q, %v", i, answer.Status, body, err)
		}
	}
	client := &http.Client{Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 20 {
				answer, err := client.Get("http://" + at)
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(answer.Body)
				if answer.Body.Close(); string(body) != "Hello World!" || err != nil {
					t.Errorf("%q, %v", body, err)
				}
			}
		})
	}
	all.Wait()
	t.Log("20 clients of net/http had 20 answers each, and a pipeline 20")
}

func playPush(t *testing.T, bin string) {
	at := port(t)
	start(t, bin, "push", "--port", at, "--tick", "10ms")
	c := dial(t, "tcp", "127.0.0.1:"+at)
	r := bufio.NewReader(c)
	for range 3 {
		if err := socktest.WantBytes(r, []byte("heart beating to "+c.LocalAddr().String()+"\n")); err != nil {
			t.Fatal(err)
		}
	}
	t.Log("three beats came")
}

// playProtocol has the example's own client ask, and the server end by itself behind the last one.
func playProtocol(t *testing.T, bin string) {
	at := port(t)
	server := start(t, bin, "simple_protocol_server", "--port", at, "--multicore=true")
	last := dial(t, "tcp", "127.0.0.1:"+at)
	if err := socktest.WantBytes(last, []byte("sweetness\r\n")); err != nil {
		t.Fatal(err)
	}
	client := exec.Command(filepath.Join(bin, "simple_protocol_client"), "--address", "127.0.0.1:"+at, "--concurrency",
		"30", "--packet_size", "1024", "--packet_batch", "20", "--packet_count", "30")
	if out, err := client.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("all 30 clients are done")) {
		t.Fatalf("the client: %v\n%s", err, out)
	}
	last.Close()
	err := patience.Recv(t, "the server ends", server.ended)
	server.ended <- err
	if err != nil || !strings.Contains(server.said.String(), "server exits with error: <nil>") {
		t.Errorf("the server ended with %v", err)
	}
	t.Log("30 clients had 600 packets each back, and the server ended by Shutdown")
}

func playWebSocket(t *testing.T, bin string) {
	at := "127.0.0.1:" + port(t)
	p := start(t, bin, "websocket_server", "--port", at[strings.Index(at, ":")+1:])
	c := dial(t, "tcp", at)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	r := bufio.NewReader(c)
	answer, err := http.ReadResponse(r, nil)
	if err != nil || answer.StatusCode != 101 {
		t.Fatalf("the upgrade: %v, %v", answer, err)
	}
	for range 3 { // a text of a client, masked by zeros, and the server's
		c.Write([]byte("\x81\x85\x00\x00\x00\x00hello"))
		if err := socktest.WantBytes(r, []byte("\x81\x05hello")); err != nil {
			t.Fatal(err)
		}
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	t.Log("three texts came back")
}
