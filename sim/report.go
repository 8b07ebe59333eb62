package sim

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// conclude fails the test if its world has failed, and ends the test if the script has asked for that.
func conclude(t testing.TB, r *outcome, script func(w *World)) {
	t.Helper()
	if r.failure != nil {
		report(t, r, script)
	}
	r.leave(t)
}

// leave ends a test in the way in which its script, or a task, has ended itself.
func (r *outcome) leave(t testing.TB) {
	t.Helper()
	switch {
	case r.skips:
		t.SkipNow()
	case r.world.quit:
		t.FailNow()
	}
}

// report fails a test.
func report(t testing.TB, r *outcome, script func(w *World)) {
	t.Helper()
	sh := shrinker{t: t, script: script, first: r, least: r}
	if r.o.only == nil && !r.o.looks {
		sh.shrink()
	}
	r = sh.least
	text := r.text()
	if sh.tries > 0 {
		text += fmt.Sprintf("\n(%d worlds were run to find the fewest faults%s)", sh.tries, sh.short)
		if r.world.quit {
			text += "\n(their messages of t.Fatal are above)"
		}
	}
	text += fmt.Sprintf("\nto run it again: %s %s", r.variables(), r.command())
	if n := len(r.failure.Faults); n > faultsShown && !r.o.looks {
		text += fmt.Sprintf("\n(which runs all faults of the seed: these %d are too many for a command)", n)
	}
	if page, err := r.page(t.Name()); err != nil {
		text += fmt.Sprintf("\nno page of it: %v", err)
	} else {
		text += "\nwhat happened: " + page
	}
	t.Errorf("%s", text)
}

// text returns the failure as text.
func (r *outcome) text() string {
	w := r.world
	var b strings.Builder
	fmt.Fprintf(&b, "sim: seed %d, after %v: %s", r.failure.Seed, r.failure.At, r.failure.Text)
	fmt.Fprintf(&b, "\n%d faults came before:", len(r.failure.Faults))
	for i, f := range r.failure.Faults {
		if i == faultsShown {
			fmt.Fprintf(&b, "\n  and %d more", len(r.failure.Faults)-i)
			break
		}
		b.WriteString("\n  " + w.describe(f))
	}
	if n := w.logged - len(w.logs); n > 0 {
		fmt.Fprintf(&b, "\n  log: %d lines more, before these:", n)
	}
	for _, line := range w.logs {
		b.WriteString("\n  log: " + line)
	}
	return b.String()
}

const (
	faultsShown = 40
	logsShown   = 40
)

// variables returns the environment variables that play the world again.
func (r *outcome) variables() string {
	text := fmt.Sprintf("%s=%d", seedVariable, r.failure.Seed)
	if len(r.o.tape) > 0 {
		text += fmt.Sprintf(" %s=%x", tapeVariable, r.o.tape)
	}
	if len(r.failure.Faults) > faultsShown || r.o.looks {
		return text
	}
	var ids []string
	for _, f := range r.failure.Faults {
		ids = append(ids, fmt.Sprintf("%d.%d.%d", f.Kind, f.Host, f.N))
	}
	return fmt.Sprintf("%s %s=%s", text, faultsVariable, strings.Join(ids, ","))
}

// command returns the command that runs the world's test. For a fuzz test that is the input that Fuzz adds, whose
// world the variables choose.
func (r *outcome) command() string {
	name := r.o.t.Name()
	if r.o.input {
		name, _, _ = strings.Cut(name, "/")
		name += "/seed#0"
	}
	return command(name)
}

// command returns the shell command that runs one test.
func command(test string) string {
	parts := strings.Split(test, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	return "go test -run '" + strings.ReplaceAll(strings.Join(parts, "/"), "'", `'\''`) + "'"
}

// sort returns what equal failures at different times and places have in common: the first line, without numbers.
func (f *Failure) sort() string {
	line, _, _ := strings.Cut(f.Text, "\n")
	return strings.Map(func(c rune) rune {
		if unicode.IsDigit(c) {
			return -1
		}
		return c
	}, line)
}

// page writes the picture of the world to a file.
func (r *outcome) page(test string) (path string, err error) {
	name := strings.Map(func(c rune) rune {
		if c == '/' || c == os.PathSeparator {
			return '-'
		}
		return c
	}, test)
	f, err := os.Create(filepath.Join(os.TempDir(), fmt.Sprintf("sim-%s-%d.html", name, r.failure.Seed)))
	if err != nil {
		return "", err
	}
	defer f.Close()
	return f.Name(), r.world.WritePage(f)
}
