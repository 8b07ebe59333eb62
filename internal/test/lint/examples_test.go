package lint

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// shows is a test file with examples: some that go test runs, one of them without a line of output, and one that it
// only compiles.
func shows(run, silent, compiled int) string {
	src := "package p_test\n"
	for i := range run {
		src += fmt.Sprintf("func Example_run%d() {\n\tprintln()\n\t// Output: something\n}\n", i)
	}
	for i := range silent {
		src += fmt.Sprintf("func Example_silent%d() {\n\tprintln()\n\t// Output:\n}\n", i)
	}
	for i := range compiled {
		src += fmt.Sprintf("func Example_compiled%d() {\n\tprintln()\n}\n", i)
	}
	return src
}

func TestExamples(t *testing.T) {
	for _, c := range []struct {
		dir, src string
		want     string
	}{
		{"sock", shows(2, 1, 0), ""},
		{"sock", shows(2, 0, 4), "sock: 2 examples with an Output, want 3"},
		{"sock", "package p_test", "sock: 0 examples"},
		{"buf", shows(2, 0, 0), ""},
		{"buf", shows(1, 0, 1), "1 examples with an Output, and 2 were there"},
		{"buf", shows(3, 0, 0), "knows of 2 examples, and there are 3"},
		{"internal/loop", "package p_test", ""},
	} {
		tree, err := Load(fstest.MapFS{
			"go.mod":               {Data: []byte("module ringo\n")},
			c.dir + "/p.go":        {Data: []byte("package p")},
			c.dir + "/any_test.go": {Data: []byte(c.src)},
		})
		if err != nil {
			t.Fatal(err)
		}
		faults := Examples(tree)
		if got := strings.Join(faults, "\n"); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.dir, got, c.want)
		}
	}
	for dir := range examplesFewer {
		if _, err := os.Stat("../../../" + dir); err != nil {
			t.Errorf("examplesFewer has a package that is not there: %v", err)
		}
	}
}

// The modules inside the module that users import have one function each, and show it.
func TestExamplesOfModules(t *testing.T) {
	for _, dir := range []string{"metrics/prometheus", "metrics/otel"} {
		tree, err := Load(os.DirFS("../../../" + dir))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, f := range tree.Packages[0].Files {
			n += played(f)
		}
		if n == 0 {
			t.Errorf("%s has no example that go test runs", dir)
		}
	}
}
