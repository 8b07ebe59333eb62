package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unpack reads an archive as the kernel does (init/initramfs.c): header, name, content, each part aligned to four.
func unpack(t *testing.T, b []byte) (members []string) {
	t.Helper()
	inodes := map[int]bool{}
	for at := 0; ; {
		head := b[at : at+110]
		if string(head[:6]) != "070701" {
			t.Fatalf("magic %q at %d", head[:6], at)
		}
		field := func(i int) int {
			n, err := strconv.ParseUint(string(head[6+8*i:14+8*i]), 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		}
		name := string(b[at+110 : at+110+field(11)])
		at = (at + 110 + field(11) + 3) &^ 3
		content := b[at : at+field(6)]
		at = (at + field(6) + 3) &^ 3
		if name == trailer+"\x00" {
			if at != len(b) {
				t.Fatalf("%d bytes behind the end", len(b)-at)
			}
			return members
		}
		if inodes[field(0)] {
			t.Errorf("%q has an inode that another file has: the kernel would link the two", name)
		}
		inodes[field(0)] = true
		members = append(members, fmt.Sprintf("%q %o links=%d dev=%d:%d %q", name, field(1), field(4),
			field(9), field(10), content))
	}
}

func TestPack(t *testing.T) {
	dir := t.TempDir()
	program, list := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := os.WriteFile(program, []byte("12345"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, []byte("12345678"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{program: 0o755, list: 0o644} {
		if err := os.Chmod(name, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := pack(&b, []string{"/init=" + program, "etc/deep/list=" + list, "tmp/", "etc/deep/"}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`"dev\x00" 40755 links=2 dev=0:0 ""`,
		`"dev/console\x00" 20600 links=1 dev=5:1 ""`,
		`"init\x00" 100755 links=1 dev=0:0 "12345"`,
		`"etc\x00" 40755 links=2 dev=0:0 ""`,
		`"etc/deep\x00" 40755 links=2 dev=0:0 ""`,
		`"etc/deep/list\x00" 100644 links=1 dev=0:0 "12345678"`,
		`"tmp\x00" 40755 links=2 dev=0:0 ""`,
	}
	if got := unpack(t, b.Bytes()); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Whatever the lengths of names and contents are, every part is aligned.
func TestAlignment(t *testing.T) {
	for name := 1; name <= 9; name++ {
		for size := range 9 {
			var b bytes.Buffer
			a := newArchive(&b)
			file, content := strings.Repeat("n", name), bytes.Repeat([]byte{'c'}, size)
			a.add(file, 0o644, content)
			a.add("next", 0o644, nil)
			if err := a.close(); err != nil {
				t.Fatal(err)
			}
			got := unpack(t, b.Bytes())
			if want := fmt.Sprintf("%q 100644 links=1 dev=0:0 %q", file+"\x00", content); len(got) != 2 ||
				got[0] != want {
				t.Errorf("got %q, want %s", got, want)
			}
		}
	}
}

func TestPackErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"no such file":    {"a=" + file + "x"},
		"neither":         {"a"},
		"both":            {"a/=" + file},
		"twice":           {"a=" + file, "/a=" + file},
		"file, directory": {"a/", "a=" + file},
	} {
		if err := pack(new(bytes.Buffer), args); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	full := fullWriter(100)
	a := newArchive(&full)
	a.add("f", fs.ModePerm, nil)
	if err := a.close(); err == nil {
		t.Error("a writer's error is lost")
	}
}

// A fullWriter takes so many bytes.
type fullWriter int

func (w *fullWriter) Write(p []byte) (int, error) {
	if *w -= fullWriter(len(p)); *w < 0 {
		return 0, fmt.Errorf("full")
	}
	return len(p), nil
}
