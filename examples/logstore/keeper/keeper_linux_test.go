//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"ringo/internal/test/testmain"
)

const childEnv = "KEEPER_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		main()
		os.Exit(0)
	}
	testmain.Main(m)
}

// keeper runs the program.
func keeper(t *testing.T, in string, args ...string) (out, says string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &stdout, &stderr
	cmd.Run()
	return stdout.String(), testmain.Uncrowded(stderr.String()), cmd.ProcessState.ExitCode()
}

// What was said to be kept is found by the next keeper, in whatever order, and the last line needs no end.
func TestKeeper(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var in, keys strings.Builder
	var kept, found []string
	for i := range 100 {
		value := strings.Repeat(fmt.Sprint(i), i)
		fmt.Fprintf(&in, "key%d %s\n", i, value)
		fmt.Fprintf(&keys, "key%d\n", i)
		kept = append(kept, fmt.Sprintf("kept key%d", i))
		found = append(found, fmt.Sprintf("key%d %s", i, value))
	}
	for _, step := range []struct {
		in   string
		args []string
		want []string
	}{
		{strings.TrimSuffix(in.String(), "\n"), []string{dir}, kept},
		{keys.String(), []string{"-get", dir}, found},
	} {
		out, says, code := keeper(t, step.in, step.args...)
		got := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		slices.Sort(got)
		if slices.Sort(step.want); code != 0 || says != "" || !slices.Equal(got, step.want) {
			t.Fatalf("%v: exit code %d, stderr %q, %d lines, want %d", step.args, code, says, len(got), len(step.want))
		}
	}
}

// Of several lines with a key the last one counts, and lines without words are none.
func TestKeeperOrder(t *testing.T) {
	t.Parallel()
	const keys, times = 100, 8
	dir := t.TempDir()
	var in, ask strings.Builder
	var want []string
	for key := range keys {
		for i := range times {
			fmt.Fprintf(&in, "key%d %d\n\n", key, i)
		}
		fmt.Fprintf(&ask, "key%d\n", key)
		want = append(want, fmt.Sprintf("key%d %d\n", key, times-1))
	}
	if _, says, code := keeper(t, in.String(), dir); code != 0 || says != "" {
		t.Fatalf("exit code %d, stderr %q", code, says)
	}
	out, says, code := keeper(t, ask.String(), "-get", dir)
	got := slices.Collect(strings.Lines(out))
	slices.Sort(got)
	if slices.Sort(want); code != 0 || says != "" || !slices.Equal(got, want) {
		t.Errorf("exit code %d, stderr %q, %q, want %q", code, says, got, want)
	}
}

// What goes wrong has a step, and exit code 1.
func TestKeeperFails(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"keeper: opening the store: open ": {t.TempDir() + "/no"},
		"keeper: getting key: ":            {"-get", t.TempDir()},
	} {
		if _, says, code := keeper(t, "key\n", args...); code != 1 || !strings.HasPrefix(says, want) {
			t.Errorf("%v: exit code %d, stderr %q, want 1 and %q", args, code, says, want)
		}
	}
	if _, says, code := keeper(t, ""); code != 2 || !strings.HasPrefix(says, "usage: ") {
		t.Errorf("exit code %d, stderr %q, want 2 and the usage", code, says)
	}
}

// Stdin that can't be read is no end of it.
func TestKeeperBadStdin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in, err := os.Open(t.TempDir()) // a directory: its first read fails
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd := exec.CommandContext(t.Context(), os.Args[0], dir)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stdin = in
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.HasPrefix(testmain.Uncrowded(string(out)), "keeper: reading stdin: ") {
		t.Errorf("%v: %q", err, out)
	}
}
