//go:build linux

package ringo_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo"
)

func init() {
	// Holds its loop until it is told not to, twice, with the limit that the
	// environment gives.
	children["held"] = func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		cfg.StallLimit, _ = time.ParseDuration(os.Getenv("RINGO_TEST_STALL"))
		ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
			in := bufio.NewReader(os.Stdin)
			fmt.Println("held")
			in.ReadString('\n')
			return nil
		})
	}
	// Is busy with short turns until its input ends.
	children["busy"] = func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		cfg.StallLimit = 10 * time.Millisecond
		ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
			over := l.Go(func() {
				l.Offload(func(context.Context) error { io.ReadAll(os.Stdin); return nil })
			})
			for range 10 {
				l.Go(func() {
					for l.Sleep(0) == nil {
					}
				})
			}
			fmt.Println("busy")
			over.Wait()
			return io.EOF // which cancels the others
		})
	}
}

// Without OnStall a stall is told on stderr, while it lasts; a negative limit keeps
// it quiet.
func TestStallsGoToStderr(t *testing.T) {
	t.Parallel()
	cmd := child(t, "held", "RINGO_TEST_DRIVER="+anyDriver(t).Driver)
	said := saysUntil(t, cmd, func(line string) bool {
		return strings.Contains(line, "created by iter.Pull") // near the end of the stack
	})
	for _, want := range []string{"ringo: loop 0 ", "100ms", "A task may wait only through Ringo",
		"bufio.(*Reader).ReadString"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in %q", want, said)
		}
	}
}

func TestStallsAreNotTold(t *testing.T) {
	t.Parallel()
	cmd := child(t, "held", "RINGO_TEST_DRIVER="+anyDriver(t).Driver, "RINGO_TEST_STALL=-1ns")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Error(err)
	}
	<-time.After(250 * time.Millisecond) // more than the default
	io.WriteString(in, "go on\n")
	if err := cmd.Wait(); err != nil || said.Len() > 0 {
		t.Errorf("%v, %q", err, said.String())
	}
}

// A program that was stopped for a while, as by Ctrl-Z, tells of no stall.
func TestStoppedIsNoStall(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cmd := child(t, "busy", "RINGO_TEST_DRIVER="+cfg.Driver)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Error(err)
		}
		for range 10 {
			cmd.Process.Signal(syscall.SIGSTOP)
			<-time.After(30 * time.Millisecond)
			cmd.Process.Signal(syscall.SIGCONT)
			<-time.After(5 * time.Millisecond)
		}
		in.Close()
		if err := cmd.Wait(); err != nil || said.Len() > 0 {
			t.Errorf("%v, %q", err, said.String())
		}
	})
}
