package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// many is a flag with a list.
type many struct{ to *[]string }

func (m many) String() string { return "" }
func (m many) Repeats()       {}

func (m many) Set(s string) error {
	if s == "bad" {
		return errors.New("is bad")
	}
	*m.to = append(*m.to, s)
	return nil
}

// TestReadFlags: a file sets the flags that it names, and each mistake in it is told.
func TestReadFlags(t *testing.T) {
	for _, c := range []struct {
		line, file string
		want       string // the flags, or a part of the error
	}{
		{"", "", "0 0s false 0 []"},
		{"", "n = 3\nd = \"2m\"\nb = true\nf = 0.5", "3 2m0s true 0.5 []"},
		{"", "d = '1s' # a comment\nb = false", "0 1s false 0 []"},
		{"", `to = ["a", "b"]`, "0 0s false 0 [a b]"},
		{"", `to = "a"`, "0 0s false 0 [a]"},
		{"", `to = []`, "0 0s false 0 []"},
		{"-n 4", "n = 3\nf = 2", "4 0s false 2 []"},
		{"-to c", `to = ["a", "b"]`, "0 0s false 0 [c]"},
		{"", "n = 1_000", "1000 0s false 0 []"},
		{"", "x = 1", "c.toml: x: want the name"},
		{"", "config = 'c'", "c.toml: config: want the name"},
		{"", "n = 'x'", "c.toml: n: x: parse error"},
		{"", "n = 1.5", "c.toml: n: 1.5: parse error"},
		{"", "n = [1]", "c.toml: n: want one value, and no list"},
		{"", "[n]\nm = 1", "c.toml: n: want a string, a number"},
		{"", "to = [['a']]", "c.toml: to: want a string, a number"},
		{"", "to = ['a', 'bad']", "c.toml: to: bad: is bad"},
		{"", "d = 1979-05-27T07:32:00Z", "c.toml: d: want a string, a number"},
		{"", "n = 1\nn = 2", "c.toml:2: "},
		{"", "n = 1\n\nd = ", "c.toml:3: "},
		{"", "n = 'x'\nx = 2", "c.toml: x: want the name"}, // both are told
	} {
		name := filepath.Join(t.TempDir(), "c.toml")
		if err := os.WriteFile(name, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		var to []string
		fs := flag.NewFlagSet("", flag.ContinueOnError)
		n, d, b := fs.Int("n", 0, ""), fs.Duration("d", 0, ""), fs.Bool("b", false, "")
		f := fs.Float64("f", 0, "")
		fs.Var(many{&to}, "to", "")
		fs.String("config", "", "")
		if err := ParseNamed(fs, strings.Fields(c.line), io.Discard, ""); err != nil {
			t.Fatal(err)
		}
		err := ReadFlags(fs, name, "config")
		got := fmt.Sprint(*n, *d, *b, *f, to)
		if strings.Contains(c.want, "c.toml") {
			if usage := (*UsageError)(nil); !errors.As(err, &usage) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %q: %v; want %s", c.line, c.file, err, c.want)
			}
		} else if err != nil || got != c.want {
			t.Errorf("%s, %q: %s, %v; want %s", c.line, c.file, got, err, c.want)
		}
	}
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	if err := ReadFlags(fs, filepath.Join(t.TempDir(), "c.toml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
