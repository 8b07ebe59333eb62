package abi

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The tables in zuring_layout_test.go say what the generator believes. The tests here ask the Go compiler and the C
// compiler whether they agree.

type cStruct struct {
	name   string
	typ    reflect.Type
	size   int
	fields []cField
}

type cField struct {
	name   string
	offset int
}

type cConst struct {
	name  string
	value int64
}

func TestLayoutGo(t *testing.T) {
	for _, s := range append(slices.Clone(cStructs), registerStructs...) {
		if got := int(s.typ.Size()); got != s.size {
			t.Errorf("sizeof %s: want %d, got %d", s.name, s.size, got)
		}
		byName := map[string]int{}
		for _, f := range s.fields {
			byName[f.name] = f.offset
		}
		for i := range s.typ.NumField() {
			f := s.typ.Field(i)
			if f.Name == "_" {
				continue
			}
			name := strings.ToLower(f.Name[:1]) + f.Name[1:]
			if want, ok := byName[name]; !ok || want != int(f.Offset) {
				t.Errorf("%s.%s: want offset %d (listed %v), got %d", s.name, name, want, ok, f.Offset)
			}
		}
	}
}

func TestLayoutC(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler:", err)
	}
	if err := exec.Command(cc, "-fsyntax-only", "-include", "linux/fs.h", "-xc", "/dev/null").Run(); err != nil {
		t.Skip("the C compiler has no Linux headers:", err)
	}
	want, src := checkProgram()
	dir := t.TempDir()
	prog := filepath.Join(dir, "layout")
	if err := os.WriteFile(prog+".c", []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(cc, "-Iinclude", "-o", prog, prog+".c").CombinedOutput(); err != nil {
		t.Fatalf("compiling: %v\n%s", err, out)
	}
	out, err := exec.Command(prog).Output()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(got) != len(want) {
		t.Fatalf("want %d lines, got %d", len(want), len(got))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("Go says %q, C says %q", want[i], got[i])
		}
	}
	t.Logf("%d sizes, offsets and values agree", len(want))
}

// checkProgram returns a C program that prints every size, offset and value, and the lines it should print.
func checkProgram() (want []string, src string) {
	var b bytes.Buffer
	line := func(label, expr string, value int64) {
		want = append(want, fmt.Sprintf("%s %d", label, value))
		fmt.Fprintf(&b, "printf(\"%s %%lld\\n\", (long long)(%s));\n", label, expr)
	}
	b.WriteString("#include <linux/io_uring.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {\n")
	for _, s := range cStructs {
		line(s.name, "sizeof(struct "+s.name+")", int64(s.size))
		for _, f := range s.fields {
			line(s.name+"."+f.name, "offsetof(struct "+s.name+", "+f.name+")", int64(f.offset))
		}
	}
	for _, c := range cConsts {
		line(c.name, c.name, c.value)
	}
	b.WriteString("return 0;\n}\n")
	return want, b.String()
}
