//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/cmd/ringo/internal/cli"
	"ringo/internal/test/patience"
	"ringo/uring"
)

// benchTool runs ringo bench with a folder of its own for temporary files.
func benchTool(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := tool(t, append([]string{"bench"}, args...)...)
	temp := t.TempDir()
	cmd.Env = append(cmd.Env, "TMPDIR="+temp)
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	err = cmd.Run()
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	return out.String(), words.String(), err
}

var benchRow = regexp.MustCompile(`(?m)^ *(os|goroutine|task|offload|fio) +([0-9]+)` +
	` +([0-9.]+) +([0-9.]+) +([0-9.]+) +([0-9.]+) +([0-9]+|-)`)

// Short runs of all paths: each kind of operation gives a table with figures.
func TestBenchFile(t *testing.T) {
	needUring(t) // for the path task
	t.Parallel()
	for _, args := range []string{
		"-rw read -order random", "-rw read -order sequential -depth 3", "-rw write -order random",
		"-rw write -order sequential -block 5000",
		"-rw read -block 64K -direct", "-rw write -direct -depth 1",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			full := append([]string{"file", "-time", "50ms", "-size", "1M", "-paths", "os,goroutine,task,offload"},
				strings.Fields(args)...)
			stdout, stderr, err := benchTool(t, full...)
			if err != nil {
				t.Fatalf("%v\n%s", err, stderr)
			}
			rows := benchRow.FindAllStringSubmatch(stdout, -1)
			if len(rows) != 4 {
				t.Fatalf("%d rows, want 4:\n%s", len(rows), stdout)
			}
			for _, r := range rows {
				if r[2] == "0" || r[4] == "0.00" || r[6] == "0.0" || r[7] == "0" {
					t.Errorf("a figure is missing: %s", r[0])
				}
			}
			if strings.Contains(stderr, "\r") {
				t.Errorf("progress was drawn on a pipe:\n%q", stderr)
			}
		})
	}
}

// terminal is the side of a new one that shows things, and the side that programs write to.
func terminal(t *testing.T) (shown, shell *os.File) {
	t.Helper()
	shown, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminals here:", err)
	}
	t.Cleanup(func() { shown.Close() })
	n, err := unix.IoctlGetInt(int(shown.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(shown.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	shell, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here:", err)
	}
	return shown, shell
}

// Progress is drawn on a terminal, and gone from it at the end.
func TestBenchProgress(t *testing.T) {
	t.Parallel()
	for length := 300 * time.Millisecond; ; length *= 2 { // all of which may pass before the tool runs
		terminal, shown := terminal(t)
		cmd := tool(t, "bench", "file", "-size", "1M", "-time", length.String(), "-paths", "os")
		cmd.Env, cmd.Stderr = append(cmd.Env, "TMPDIR="+t.TempDir()), shown
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		shown.Close()
		text, _ := io.ReadAll(terminal) // until nobody has it open, which is EIO
		if err := cmd.Wait(); err != nil || !bytes.HasSuffix(text, []byte("\r")) {
			t.Fatalf("%v: the terminal shows %q", err, text)
		}
		want := `\ros: [0-9.]+ s of ` + length.String() + `, [1-9][0-9]* operations.* \r$`
		if regexp.MustCompile(want).Match(text) {
			return
		}
		if length > patience.Max {
			t.Fatalf("the terminal shows %q", text)
		}
	}
}

// A file that was there is read and stays as it was, and is never written.
func TestBenchOldFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "old")
	want := bytes.Repeat([]byte("0123456789abcdef"), 1024)
	if err := os.WriteFile(name, want, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []struct {
		rw string
		ok bool
	}{{"read", true}, {"write", false}} {
		_, stderr, err := benchTool(t, "file", "-file", name, "-rw", args.rw, "-time", "20ms", "-paths",
			"os,goroutine", "-quiet")
		if (err == nil) != args.ok || !args.ok && !strings.Contains(stderr, "is there already") {
			t.Errorf("-rw %s of an old file: %v\n%s", args.rw, err, stderr)
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("-rw %s changed an old file, %v", args.rw, err)
		}
	}
}

// A file that it makes under a name is gone at the end, also after a signal.
func TestBenchNewFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "new")
	if _, stderr, err := benchTool(t, "file", "-file", name, "-size", "1M", "-rw", "write", "-time", "20ms",
		"-paths", "os"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	p := start(t, tool(t, "bench", "file", "-file", name, "-size", "1M", "-time", "1h", "-paths", "os", "-quiet"))
	p.line("making " + name)
	p.cmd.Process.Signal(syscall.SIGTERM)
	if code, stderr := p.wait(); code != cli.ExitFailure || !strings.Contains(stderr, "stopped by a signal") {
		t.Errorf("after a signal the exit code is %d, stderr:\n%s", code, stderr)
	}
	if _, err := os.Lstat(name); err == nil {
		t.Error("the test file is still there")
	}
}

func TestBenchMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want string }{
		{"disk", `can't measure "disk": want file, or no word`},
		{"-html /nonexistent/page", "no such file or directory"},
		{"-html /dev/null/page", "/dev/null is no directory"},
		{"-dir /nonexistent", "no such file or directory"},
		{"-quick=maybe", `invalid boolean value "maybe" for -quick`},
		{"-quick file", `unexpected argument "file"`},
		{"-child", "is for ringo bench alone"},
		{"file -rw both", `-rw "both": want read or write`},
		{"file -order none", `-order "none": want random or sequential`},
		{"file -depth 0", "-depth 0: want 1 to 4096"},
		{"file -depth 4097", "-depth 4097: want 1 to 4096"},
		{"file -block 0", "want a number of bytes"},
		{"file -block 17M", "-block 17M: want 1 to 16M"},
		{"file -block 4X", "want a number of bytes"},
		{"file -size -1", "want a number of bytes"},
		{"file -size 9999999999G", "want a number of bytes"},
		{"file -size 1K", "-size 1K: want a -block (4K) at least"},
		{"file -time 1ms", "-time 1ms: want 10ms to 1h"},
		{"file -paths os,disk", `-paths: unknown path "disk"`},
		{"file -paths os,os", "-paths: os is there twice"},
		{"file old", `unexpected argument "old"`},
		{"-worker", "is for ringo bench alone"},
		{"file -file /dev/null", "is no regular file"},
		{"file -file /nonexistent/x", "no such file or directory"},
		{"file -file /proc/version -block 1", "has 0 bytes"},
		{"file -size 1M -block 1000 -direct", "wants a multiple of"},
	} {
		stdout, stderr, err := benchTool(t, strings.Fields(c.args)...)
		if err == nil || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("ringo bench %s: %v, want %q in stderr:\n%s%s", c.args, err, c.want, stdout, stderr)
		}
	}
}

// With fio itself, where it is installed.
func TestBenchFio(t *testing.T) {
	t.Parallel()
	stdout, stderr, err := benchTool(t, "file", "-size", "1M", "-time", "100ms", "-paths", "os,fio", "-quiet")
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	_, missing := exec.LookPath("fio")
	if missing == nil {
		var r *uring.Ring
		if r, missing = uring.Open(2, nil); missing == nil {
			r.Close()
		}
	}
	rows := benchRow.FindAllString(stdout, -1)
	if has := len(rows) == 2; has != (missing == nil) || !has && !strings.Contains(stderr, "left out") {
		t.Errorf("fio: %v; the table:\n%sstderr:\n%s", missing, stdout, stderr)
	}
}
