package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const abiDir = "../../abi"

func TestGeneratedFilesAreCurrent(t *testing.T) {
	files, err := generate(filepath.Join(abiDir, "include/linux/io_uring.h"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		got, err := os.ReadFile(filepath.Join(abiDir, f.name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, f.text) {
			t.Errorf("%s is not what the header gives: run go generate ./internal/abi", f.name)
		}
	}
}

func TestEvalExpr(t *testing.T) {
	names := map[string]int64{"BIT": 5, "A": 4, "B": 8}
	for expr, want := range map[string]int64{
		"0": 0, "0x8000000ULL": 0x8000000, "1U << 31": 1 << 31, "(1U << BIT)": 32, "(A | B)": 12, "(~0U)": 0xffffffff,
		"(-2)": -2, "1 << 2 | 1": 5, "1 << 2 + 1": 8, "((1U << 2) | (1U << 3))": 12, "5 - 2 - 1": 2,
	} {
		got, err := evalExpr(tokenize(expr, 1), names)
		if err != nil || got.v != want {
			t.Errorf("%s: want %d, got %d, %v", expr, want, got.v, err)
		}
	}
}

// TestRefuses: what the generator does not understand must stop it, or an ABI would be wrong in silence.
func TestRefuses(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"type", "struct a { long x; };", "unknown type"},
		{"struct", "struct a { struct b x; };", "unknown struct b"},
		{"hole", "struct a { __u8 x; __u32 y; };", "hole before y"},
		{"hole at the end", "struct a { __u32 x; __u8 y; };", "hole at the end"},
		{"two declarators", "struct a { __u32 x, y; };", `want ";"`},
		{"bit field", "struct a { __u32 x : 3; };", `want ";"`},
		{"declaration", "int f(void);", "want enum or struct"},
		{"expression", "#define A (1 ? 2 : 3)\n", `A: line 1: want ")"`},
		{"left over", "#define A 1 2\n", `"2" left over`},
		{"name", "enum { A = B };", `"B"`},
		{"parameters", "#define A(x) x\n", "macro A has parameters"},
		{"directive", "#if 1\n#endif\n", "#if"},
		{"conditional", "#ifndef A\n", "not closed"},
		{"endif", "#endif\n", "without"},
		{"comment", "enum { A }; /*", "comment not closed"},
		{"end", "enum { A", "want ,"},
		{"line number", "\n/* a\nb */\n\nenum { A = B };", "line 5"},
	} {
		_, err := parse(c.src)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: want an error with %q, got %v", c.name, c.want, err)
		}
	}
}

func TestParseUnion(t *testing.T) {
	h, err := parse("#ifdef __cplusplus\nextern {\n#endif\nstruct u { union { __u16 small; __u64 big; struct { __u32 " +
		"lo; __u32 hi; }; }; __u32 x; __u32 y; __u32 tail[]; };")
	if err != nil {
		t.Fatal(err)
	}
	got := h.structs[0].places(0)
	want := []place{{"small", 0}, {"big", 0}, {"lo", 0}, {"hi", 4}, {"x", 8}, {"y", 12}, {"tail", 16}}
	if !slices.Equal(got, want) {
		t.Errorf("want %v, got %v", want, got)
	}
}
