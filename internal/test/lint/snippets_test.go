package lint

import (
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// snippet is a block of Go in a page. Before it there may be a comment of HTML with what the readers know by then, such
// as <!-- go: var l *ringo.Loop -->, or the file that the block is a part of: <!-- from: examples/echo/main.go -->.
type snippet struct {
	at     string // page:line
	known  string
	from   string
	source string
}

var fence = regexp.MustCompile("(?m)^(?:<!-- (go|from): (.*) -->\n+)?```go\n((?s:.*?))^```$")

func snippetsOf(page, text string) (all []snippet) {
	for _, m := range fence.FindAllStringSubmatchIndex(text, -1) {
		s := snippet{at: fmt.Sprintf("%s:%d", page, 1+strings.Count(text[:m[6]], "\n")), source: text[m[6]:m[7]]}
		switch {
		case m[2] < 0:
		case text[m[2]:m[3]] == "go":
			s.known = text[m[4]:m[5]]
		default:
			s.from = text[m[4]:m[5]]
		}
		all = append(all, s)
	}
	return all
}

// snippetImports are what snippets use without saying so, by the names that they use.
var snippetImports = map[string]string{
	"bufio": "bufio", "context": "context", "errors": "errors", "fmt": "fmt", "http": "net/http", "io": "io",
	"log": "log", "net": "net", "os": "os", "pprof": "runtime/pprof", "rpprof": "net/http/pprof",
	"sha256": "crypto/sha256",
	"signal": "os/signal",
	"slog":   "log/slog", "sql": "database/sql", "sync": "sync", "syscall": "syscall", "time": "time",
	"tls": "crypto/tls", "trace": "runtime/trace", "errgroup": "golang.org/x/sync/errgroup",
	"ringo": module, "sock": "ringo/sock", "socktls": "ringo/sock/socktls",
	"sockhttp": "ringo/sock/sockhttp", "file": "ringo/file", "logs": "ringo/logs",
	"event": "ringo/event", "proc": "ringo/proc", "codec": "ringo/codec", "upgrade": "ringo/upgrade",
	"service": "ringo/service", "buf": "ringo/buf", "debug": "ringo/debug", "metrics": "ringo/metrics",
	"sim": "ringo/sim", "testing": "testing",
}

// file makes a file of a snippet: it is one, or it is declarations, or statements.
func (s *snippet) file() string {
	if strings.HasPrefix(s.source, "package ") || strings.HasPrefix(s.source, "//") {
		if _, err := parser.ParseFile(token.NewFileSet(), s.at, s.source, parser.PackageClauseOnly); err == nil {
			return s.source
		}
	}
	body := s.known + "\n//line " + s.at + "\n" + s.source
	_, err := parser.ParseFile(token.NewFileSet(), s.at, "package p\n"+body, parser.SkipObjectResolution)
	if err != nil {
		body = s.known + "\nfunc _() {\n//line " + s.at + "\n" + s.source + "}\n"
	}
	imports := ""
	for _, name := range slices.Sorted(maps.Keys(snippetImports)) {
		if regexp.MustCompile(`\b` + name + `\.[A-Z]`).MatchString(body) {
			imports += fmt.Sprintf("import %s %q\n", name, snippetImports[name])
		}
	}
	return "package " + s.pkg() + "\n" + imports + body
}

// pkg is main if there is one.
func (s *snippet) pkg() string {
	if strings.Contains(s.source, "func main()") {
		return "main"
	}
	return "p"
}

// TestSnippets vets the Go of the documentation's pages: each block on its own, in a module that requires this one. A
// block that says which file it is from is there, to the letter.
func TestSnippets(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var all []snippet
	for _, page := range append(pages, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, snippetsOf(filepath.Base(page), string(text))...)
	}
	if len(all) < 5 {
		t.Fatalf("only %d snippets", len(all))
	}
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	own, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	mod := regexp.MustCompile(`(?m)^module .*$`).ReplaceAllString(string(own), "module snippets")
	put("go.mod", mod+"\nrequire "+module+" v0.0.0\nreplace "+module+" => "+root+"\n")
	put("go.sum", string(sums))
	for i, s := range all {
		if s.from != "" {
			file, err := os.ReadFile(filepath.Join(root, s.from))
			if err != nil || !strings.Contains(string(file), s.source) {
				t.Errorf("%s: these lines are not in %s: %v", s.at, s.from, err)
			}
			continue
		}
		put(fmt.Sprintf("s%02d/main.go", i), s.file())
	}
	cmd := exec.CommandContext(t.Context(), "go", "vet", "-mod=mod", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// What the test makes of a page is what its reader sees.
func TestSnippetsAreFound(t *testing.T) {
	page := "# A page\n\n```go\nfunc a() {}\n```\n\n<!-- go: var n int -->\n\n```go\nn++ // here\n```\n" +
		"```sh\nls\n```\n```go\npackage main\n\nfunc main() {}\n```\n<!-- from: a/b.go -->\n\n```go\n\tn++\n```\n"
	all := snippetsOf("x.md", page)
	want := []snippet{{"x.md:4", "", "", "func a() {}\n"}, {"x.md:10", "var n int", "", "n++ // here\n"},
		{"x.md:16", "", "", "package main\n\nfunc main() {}\n"}, {"x.md:23", "", "a/b.go", "\tn++\n"}}
	if !slices.Equal(all, want) {
		t.Errorf("found %q, want %q", all, want)
	}
	for i, wanted := range []string{"package p\n\n//line x.md:4\nfunc a() {}\n",
		"package p\nvar n int\nfunc _() {\n//line x.md:10\nn++ // here\n}\n", "package main\n\nfunc main() {}\n"} {
		if got := all[i].file(); got != wanted {
			t.Errorf("snippet %d becomes %q, want %q", i, got, wanted)
		}
	}
}
