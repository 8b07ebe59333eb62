//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo/cmd/ringo/internal/cli"
	"ringo/internal/test/patience"
)

// Ctrl-C on a terminal, which all of its processes get, ends ringo bench and keeps what is done: the report on stdout
// and in the page, nothing else in the directory, no process.
func TestBenchCtrlC(t *testing.T) {
	t.Parallel()
	shown, shell := terminal(t)
	temp, page := t.TempDir(), filepath.Join(t.TempDir(), "page.html")
	cmd := tool(t, "bench", "-quick", "-json", "-dir", temp, "-html", page)
	cmd.Env = append(cmd.Env, "RINGO_DRIVER=none") // which has no effect
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, shell
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shell.Close()
	late := time.AfterFunc(4*patience.Max, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer late.Stop()
	var text strings.Builder
	for r, sent := bufio.NewReader(shown), false; ; {
		part, err := r.ReadString('\r')
		text.WriteString(part)
		if err != nil {
			break // nobody has it open any more
		}
		if !sent && strings.HasPrefix(part, "round 2, ") {
			sent = true
			syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		}
	}
	err := cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != cli.ExitFailure {
		t.Fatalf("%v, exit code %d, want %d; the terminal shows %q", err, code, cli.ExitFailure, text.String())
	}
	if !strings.Contains(text.String(), "interrupt: stopping") || !strings.Contains(text.String(),
		"stopped by a signal") {
		t.Errorf("the terminal shows %q", text.String())
	}
	var report struct {
		Rounds  int
		Stopped bool
		Cells   []struct {
			Rows []struct {
				CPU *struct{ Median float64 } `json:"cpu_us"`
			}
		}
		Advice []struct{ Topic string }
	}
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		t.Fatalf("%v in\n%s", err, stdout.String())
	}
	if !report.Stopped || report.Rounds < 1 || len(report.Cells) < 8 || len(report.Advice) == 0 {
		t.Errorf("the report is %+v", report)
	}
	if c := report.Cells[0]; len(c.Rows) < 2 || c.Rows[0].CPU == nil || c.Rows[0].CPU.Median <= 0 {
		t.Errorf("the first cell has %+v", c.Rows)
	}
	if got, err := os.ReadFile(page); err != nil || !bytes.Contains(got, []byte("stopped by a signal")) ||
		!bytes.HasSuffix(got, []byte("</html>\n")) {
		t.Errorf("the page: %v, %d bytes", err, len(got))
	}
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	if err := syscall.Kill(-cmd.Process.Pid, 0); err != syscall.ESRCH {
		t.Errorf("processes are left: %v", err)
	}
}

// A parent that is killed takes its children with it: their stdin ends.
func TestBenchKilled(t *testing.T) {
	t.Parallel()
	shown, shell := terminal(t)
	cmd := tool(t, "bench", "-quick", "-dir", t.TempDir())
	cmd.Stderr, cmd.SysProcAttr = shell, &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shell.Close()
	late := time.AfterFunc(4*patience.Max, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer late.Stop()
	r := bufio.NewReader(shown)
	for {
		part, err := r.ReadString('\r')
		if err != nil {
			t.Fatalf("it ended by itself: %v", err)
		}
		if strings.HasPrefix(part, "round 1, ") {
			break
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	io.Copy(io.Discard, r)
	patience.Until(t, "no children left", func() bool { return syscall.Kill(-cmd.Process.Pid, 0) != nil })
}
