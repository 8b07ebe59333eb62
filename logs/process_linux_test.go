//go:build linux

package logs_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/logs"
	"ringo/sock"
)

// children are programs that run in a process of their own.
var children = map[string]func(){"server": server, "panic": panics, "fatal": fatal}

func child(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	return cmd
}

// server echoes lines and logs each, until stdin ends.
func server() {
	log.SetFlags(0)
	log.SetOutput(logs.NewWriter(os.Stderr, &logs.Config{Size: 1 << 16, Patience: patient}))
	ctx, cancel := context.WithCancel(context.Background())
	go func() { io.Copy(io.Discard, os.Stdin); cancel() }()
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(set.Addr())
	err = ringo.Run(ctx, &ringo.Config{Loops: 2}, func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		return sock.Serve(l, ln, &sock.Handler{Request: func(c *sock.Conn) error {
			p := make([]byte, 200)
			n, err := c.Read(p)
			if err == nil {
				log.Print(string(p[:n]))
				_, err = c.Write(p[:n])
			}
			return err
		}})
	})
	if err != nil {
		log.Fatal(err)
	}
}

// TestStderrThatNobodyReads has a server log more than stderr, a pipe, and the Writer hold, and answer all the same.
// What was not dropped is read afterwards.
func TestStderrThatNobodyReads(t *testing.T) {
	const clients, each = 4, 1000
	cmd := child(t, "server")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for id := range clients {
		all.Go(func() {
			if err := converse(strings.TrimSpace(addr), id, each); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	stdin.Close()
	text, err := io.ReadAll(stderr)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	lines, dropped, _ := count(t, string(text))
	if lines+dropped != clients*each || dropped == 0 || lines == 0 {
		t.Errorf("%d lines and %d dropped, of %d", lines, dropped, clients*each)
	}
}

// converse sends lines one after the other and wants each back.
func converse(addr string, id, n int) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(patience.Deadline())
	got := make([]byte, 200)
	for i := range n {
		s := fmt.Sprintf("%d %d %s\n", id, i, strings.Repeat("x", 100))
		if _, err := io.WriteString(c, s); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, got[:len(s)]); err != nil || string(got[:len(s)]) != s {
			return fmt.Errorf("client %d, line %d: %q, %w", id, i, got[:len(s)], err)
		}
	}
	return nil
}

// panics crashes in a task that has logged.
func panics() {
	w := logs.NewWriter(os.Stderr, &logs.Config{Patience: patient})
	ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		for i := range 1000 {
			fmt.Fprintf(w, "0 %d \n", i)
		}
		panic("the end")
	})
}

// TestPanicFlushes wants all that was logged before the crash's own text.
func TestPanicFlushes(t *testing.T) {
	out, err := child(t, "panic").CombinedOutput()
	before, after, crashed := strings.Cut(string(out), "panic: ")
	if err == nil || !crashed || !strings.Contains(after, "the end") {
		t.Fatalf("%v\n%s", err, out)
	}
	if lines, dropped, _ := count(t, before); lines != 1000 || dropped != 0 {
		t.Errorf("%d lines, %d dropped", lines, dropped)
	}
}

// fatal ends as many programs do: with the error of Run.
func fatal() {
	log.SetFlags(0)
	log.SetOutput(logs.NewWriter(os.Stderr, &logs.Config{Patience: patient}))
	log.Fatal(ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		log.Print("in a task")
		return fmt.Errorf("the end")
	}))
}

// TestFatalAtTheEnd loses nothing.
func TestFatalAtTheEnd(t *testing.T) {
	out, err := child(t, "fatal").CombinedOutput()
	if want := "in a task\nthe end\n"; err == nil || string(out) != want {
		t.Errorf("%v, %q", err, out)
	}
}
