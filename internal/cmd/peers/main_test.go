package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// script plays a binary: what each run gives, by driver, one after the other; the last for good.
type script map[string][]results

func (s script) runs(driver string, names []string) (*once, int, error) {
	all := s[driver]
	if len(all) > 1 {
		s[driver] = all[1:]
	}
	o := &once{results: results{}, started: map[string]bool{}, said: map[string]string{}}
	for name, r := range all[0] {
		if names == nil || slices.ContainsFunc(names, func(n string) bool { return inTest(n, name) }) {
			o.started[name] = true
			if r != "" {
				o.results[name] = r
			}
		}
	}
	return o, 1, nil
}

func TestCompare(t *testing.T) {
	good := results{"TestA": pass, "TestA/one": pass, "TestB": pass}
	bad := results{"TestA": "fail", "TestA/one": "fail", "TestB": pass}
	ends := results{"TestA": "", "TestA/one": ""}
	skips := results{"TestA": pass, "TestA/one": pass, "TestB": "skip"}
	for _, c := range []struct {
		name              string
		script            script
		differs, unsteady string
		control, passed   int
	}{
		{"same", script{"": {good}, "uring": {good}}, "", "", 3, 3},
		{"differs", script{"": {good}, "uring": {bad}}, "p.TestA/one", "", 3, 1},
		{"only among the others", script{"": {good}, "uring": {bad, good}}, "", "p.TestA/one", 3, 3},
		{"once of three times", script{"": {good}, "uring": {bad, bad, good}}, "", "p.TestA/one", 3, 3},
		{"fails on the control, too", script{"": {bad}, "uring": {bad}}, "", "", 1, 1},
		{"flaky on the control", script{"": {good, good, bad, good}, "uring": {bad}}, "", "p.TestA/one", 3, 3},
		{"ends the process", script{"": {good}, "uring": {ends, {"TestB": pass}, {"TestA": ""}}}, "p.TestA/one", "", 3,
			1},
		{"skipped with Ringo", script{"": {good}, "uring": {skips}}, "p.TestB", "", 3, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &pkg{path: "p", tests: []string{"TestA", "TestB"}, runs: c.script.runs}
			l := &line{driver: "uring"}
			if err := p.compare([]*line{l}); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(l.differs, " "); got != c.differs {
				t.Errorf("differs: %q, want %q", got, c.differs)
			}
			if got := strings.Join(l.unsteady, " "); got != c.unsteady {
				t.Errorf("unsteady: %q, want %q", got, c.unsteady)
			}
			if l.control != c.control || l.passed != c.passed {
				t.Errorf("%d of %d, want %d of %d", l.passed, l.control, c.passed, c.control)
			}
		})
	}
}

// What is accepted is not run again, and is told all the same.
func TestCompareAccepted(t *testing.T) {
	good := results{"TestA": pass, "TestA/one": pass, "TestB": pass}
	bad := results{"TestA": "fail", "TestA/one": "fail", "TestB": pass}
	runs := 0
	p := &pkg{path: "p", tests: []string{"TestA", "TestB"},
		accepted: []acceptance{{pattern: "p.TestA/...", reason: "x"}}}
	p.runs = func(driver string, names []string) (*once, int, error) {
		runs++
		return script{"": {good}, "uring": {bad}}.runs(driver, names)
	}
	l := &line{driver: "uring"}
	if err := p.compare([]*line{l}); err != nil {
		t.Fatal(err)
	}
	if runs != 2 || !slices.Equal(l.differs, []string{"p.TestA/one"}) || l.passed != 1 || !p.accepted[0].used {
		t.Errorf("%d runs, differs: %q, %d passed", runs, l.differs, l.passed)
	}
}

// Of a package whose tests are all inside of one, those are run alone.
func TestCompareWrapped(t *testing.T) {
	good := results{"Test": pass, "Test/A": pass, "Test/A/one": pass, "Test/B": pass, "Test/C": pass}
	bad := results{"Test": "fail", "Test/A": "fail", "Test/A/one": "fail", "Test/B": "fail", "Test/C": pass}
	var alone []string
	runs := func(driver string, names []string) (*once, int, error) {
		if driver == "" {
			return script{"": {good}}.runs(driver, names)
		}
		alone = append(alone, names...)
		if slices.Contains(names, "Test/B") {
			return script{driver: {good}}.runs(driver, names)
		}
		return script{driver: {bad}}.runs(driver, names)
	}
	p := &pkg{path: "p", tests: []string{"Test"}, wrapped: true, runs: runs}
	l := &line{driver: "uring"}
	if err := p.compare([]*line{l}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(alone, " "); got != "Test/A Test/A Test/A Test/B" {
		t.Errorf("run alone: %q", got)
	}
	if !slices.Equal(l.differs, []string{"p.Test/A/one"}) || !slices.Equal(l.unsteady, []string{"p.Test/B"}) {
		t.Errorf("differs: %q, unsteady: %q", l.differs, l.unsteady)
	}
	if l.control != 5 || l.passed != 2 {
		t.Errorf("%d of %d", l.passed, l.control)
	}
	if got := pattern([]string{"Test/A", "TestX"}); got != "^Test$/^A$|^TestX$" {
		t.Errorf("pattern: %s", got)
	}
}

func TestRead(t *testing.T) {
	o, err := read(strings.NewReader(`{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"a_test.go:7: oh\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"panic: B\n"}
{"Action":"fail","Package":"p"}
`))
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(o.results, results{"TestA": "fail"}) || !o.started["TestB"] {
		t.Errorf("results %v, started %v", o.results, o.started)
	}
	if o.said["TestA"] != "a_test.go:7: oh\n" || !strings.HasSuffix(o.tail, "panic: B\n") {
		t.Errorf("said %q, at the end %q", o.said, o.tail)
	}
}

const before = `package p

import "net"

type mock struct {
	*net.TCPConn
}

func TestA(c net.Conn) { c.(*net.TCPConn).CloseWrite() }

func TestB(c net.Conn) { c.(*net.UnixConn).CloseRead() }
`

const after = `package p

import "net"

type mock struct {
	TCPConn
}

func TestA(c net.Conn) { c.(net.RingoTCPConn).CloseWrite() }

func TestB(c net.Conn) { c.(net.RingoUnixConn).CloseRead() }

type TCPConn = net.RingoTCPConn
`

func TestRewrite(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a_test.go")
	if err := os.WriteFile(name, []byte(before), 0o666); err != nil {
		t.Fatal(err)
	}
	rw, err := rewrite(dir, netInTests)
	if err != nil {
		t.Fatal(err)
	}
	want := func(text string) {
		t.Helper()
		if got, err := os.ReadFile(name); err != nil || string(got) != text {
			t.Fatalf("%v, rewritten:\n%s\nwant:\n%s", err, got, text)
		}
	}
	leave := func(messages, stays string, changes bool) {
		t.Helper()
		names, changed, err := rw.leave(messages)
		if err != nil || changed != changes || strings.Join(names, " ") != stays {
			t.Fatalf("leave(%q): %q, %v, %v, want %q, %v", messages, names, changed, err, stays, changes)
		}
	}
	want(after)
	const line11 = "x/a_test.go:11:5: no method CloseRead\n"
	leave(line11, "", true) // there is another kind of Unix connections
	want(strings.Replace(after, "RingoUnixConn", "RingoUnixgramConn", 1))
	leave(line11, "TestB", true)
	want(strings.Replace(after, "net.RingoUnixConn", "*net.UnixConn", 1))
	leave(line11, "", false)
	again, err := rewrite(dir, netInTests) // from what there was at first
	if err != nil || len(again.files) != 1 {
		t.Fatalf("%v, %v", again, err)
	}
	want(after)
}

const (
	beforeOS = `package p

import "os"

type locked struct{ *os.File }

func open() (*locked, error) {
	f, err := os.OpenFile("x", os.O_RDONLY, 0)
	return &locked{f}, err
}
`
	afterOS = `package p; import ringoos "ringo/peers"

import "os"

type locked struct{ *ringoos.File }

func open() (*locked, error) {
	f, err := ringoos.OpenFile("x", os.O_RDONLY, 0)
	return &locked{f}, err
}

var _ os.FileMode
`
)

func TestRewriteOS(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.go")
	if err := os.WriteFile(name, []byte(beforeOS), 0o666); err != nil {
		t.Fatal(err)
	}
	rw, err := rewrite(dir, osInAll)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(name); err != nil || string(got) != afterOS {
		t.Errorf("%v, rewritten:\n%s\nwant:\n%s", err, got, afterOS)
	}
	if _, changed, err := rw.leave("x/a.go:3:8: no open\nx/a.go:8:2: no\n"); err != nil || changed {
		t.Errorf("what the compiler says of others' files took something back: %v", err)
	}
}

func TestAccepted(t *testing.T) {
	name := filepath.Join(t.TempDir(), "accepted")
	text := "# why\n\nnet net.TestA/... it looks inside\nnet net.Test[BC] it has no words\nother net.TestD no\n" +
		"net/server net.TestE served otherwise\n"
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	all, err := readAccepted(name, "net")
	if err != nil {
		t.Fatal(err)
	}
	for test, want := range map[string]string{"net.TestA": "it looks inside", "net.TestA/one/two": "it looks inside",
		"net.TestC": "it has no words", "net.TestD": "", "net.TestAB": "", "net.TestE": ""} {
		if got, ok := accept(all, "uring", test); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v, want %q", test, got, ok, want)
		}
	}
	for driver, want := range map[string]bool{"uring/server": true, "uring": false, "uring/tasks": false} {
		if _, ok := accept(all, driver, "net.TestE"); ok != want {
			t.Errorf("%s: net.TestE is accepted: %v", driver, ok)
		}
		if _, ok := accept(all, driver, "net.TestA"); !ok {
			t.Errorf("%s: net.TestA is not accepted", driver)
		}
	}
	if err := os.WriteFile(name, []byte("net net.TestA\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := readAccepted(name, "net"); err == nil {
		t.Error("a line without a reason was taken")
	}
}

// Functions of Ringo's that patches name by the text of a stack are there.
func TestPatchesNameWhatIsThere(t *testing.T) {
	name := regexp.MustCompile(`ringo/internal/loop\.(?:\(\*(\w+)\)\.)?(\w+)`)
	seen := 0
	for base, all := range patches {
		for _, p := range all {
			for _, m := range name.FindAllStringSubmatch(p.to, -1) {
				seen++
				decl := "\nfunc " + m[2] + "("
				if m[1] != "" {
					decl = " *" + m[1] + ") " + m[2] + "("
				}
				out, err := exec.Command("grep", "-rlF", strings.TrimSpace(decl), "../../loop").Output()
				if err != nil || len(out) == 0 {
					t.Errorf("%s: there is no %s", base, m[0])
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no patch names a function")
	}
}
