package main

import (
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommand runs the built program: what it prints and how it exits.
func TestCommand(t *testing.T) {
	tool := filepath.Join(t.TempDir(), "ringovet")
	if out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const dir = "check/testdata/programs"
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"right", []string{"-C", dir, "./right/..."}, 0, ""},
		{"wrong", []string{"-C", dir, "./wrong/sleep"}, 1, "wrong/sleep/main.go:17:12: time.Sleep stops the loop " +
			"until it returns; use Loop.Sleep [sock.ListenAndServe at main.go:13 -> main.handle -> time.Sleep]\n"},
		{"behind", []string{"-C", dir, "./wrong/behind"}, 1, "wrong/behind/main.go:17:9: time.Sleep stops the loop " +
			"until it returns; use Loop.Sleep [sock.ListenAndServe at main.go:15 -> main.main.func1 -> lib.Do -> " +
			"... -> " +
			"lib.three -> lib.four -> time.Sleep]; behind this call also http.Get, os.Remove, 2 more\n" +
			"wrong/behind/main.go:19:12: os.Remove waits for the disk; use package file [sock.ListenAndServe at " +
			"main.go:15 -> main.main.func1 -> os.Remove]\n" +
			"wrong/behind/main.go:16:14: fmt.Println stops the loop while stdout is a pipe that is full; use package " +
			"logs [sock.ListenAndServe at main.go:15 -> main.main.func1 -> fmt.Println]; 2 more print, the next at " +
			"wrong/behind/main.go:18:13: -json has all\n"},
		{"started", []string{"-C", dir, "./wrong/started"}, 1, "wrong/started/main.go:14:7: time.Sleep stops the " +
			"loop until it returns; use Loop.Sleep [(*ringo.Loop).Go at main.go:14 -> lib.Serve -> time.Sleep]\n" +
			"wrong/started/main.go:15:7: time.Sleep stops the loop until it returns; use Loop.Sleep " +
			"[(*ringo.Loop).Go at main.go:15 -> (*lib.Server).Serve -> time.Sleep]\n"},
		{"json right", []string{"-json", "-C", dir, "./right/lock"}, 0, "[]\n"},
		{"no package", []string{"-C", dir, "./none"}, 2, ""},
		{"nothing", nil, 2, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, code := output(t, tool, c.args...)
			if out != c.want || code != c.code {
				t.Errorf("%d, want %d:\n%s", code, c.code, out)
			}
		})
	}
	t.Run("json", func(t *testing.T) {
		out, code := output(t, tool, "-json", "-C", dir, "./wrong/commands")
		var lines []struct {
			Posn, Message, Call, Instead string
			Path                         []string
		}
		if err := json.Unmarshal([]byte(out), &lines); err != nil || code != 1 || len(lines) != 1 {
			t.Fatalf("%v, exit code %d:\n%s", err, code, out)
		}
		l := lines[0]
		path := "sock.ListenAndServe at wrong/commands/main.go:36:31, main.handle, main.save, os.WriteFile"
		if l.Posn != "wrong/commands/main.go:21:24" || l.Call != "os.WriteFile" || l.Instead != "package file" ||
			strings.Join(l.Path, ", ") != path {
			t.Errorf("%+v", l)
		}
	})
}

func output(t *testing.T, name string, args ...string) (string, int) {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(out), 0
}
