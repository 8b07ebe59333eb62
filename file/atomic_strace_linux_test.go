//go:build linux

package file_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ringo/file"
)

// WriteFileAtomic makes what it has written durable before it gives it its name, and then
// the name, in that order: a crash between any two calls leaves the old file or the new.
func TestWriteFileAtomicOrder(t *testing.T) {
	if name := os.Getenv("RINGO_ATOMIC"); name != "" {
		if err := file.WriteFileAtomic(name, []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skipf("no strace: %v", err)
	}
	dir, out := tempDir(t), filepath.Join(tempDir(t), "trace")
	name := filepath.Join(dir, "name")
	cmd := exec.Command(strace, "-f", "-qq", "-y", "-e", "trace=write,fsync,fdatasync,rename,renameat,renameat2", "-o",
		out, os.Args[0], "-test.run", "^TestWriteFileAtomicOrder$")
	cmd.Env = append(os.Environ(), "RINGO_ATOMIC="+name)
	if text, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(text), "ptrace") || strings.Contains(string(text), "not permitted") {
			t.Skipf("strace: %s", text)
		}
		t.Fatalf("%v: %s", err, text)
	}
	b, err := readFile(out)
	if err != nil {
		t.Fatal(err)
	}
	temp := regexp.QuoteMeta(dir) + `/\.ringo-[0-9a-z]+`
	want := regexp.MustCompile(fmt.Sprintf(`(?s)write\(\d+<%s>, "content".*fsync\(\d+<%s>.*`+
		`rename\w*\(.*"name".*fsync\(\d+<%s>`, temp, temp, regexp.QuoteMeta(dir)))
	if !want.Match(b) {
		t.Errorf("the calls are\n%s\nwant a write, fsync of the file, rename, fsync of the directory", b)
	}
}
