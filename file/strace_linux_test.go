//go:build linux

package file_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ringo/file"
)

// straced is a child's half of TestCallsLikeOS: the calls of one tree, between marks
// that the trace shows.
func straced(dir string, t tree) error {
	os.Lstat("/begin") // a mark
	err := errors.Join(t.mkdir(dir+"/d", 0o751|fs.ModeSetgid), t.writeFile(dir+"/f", []byte("content"), 0o640),
		t.chmod(dir+"/f", 0o604|fs.ModeSetuid), t.chtimes(dir+"/f", time.Unix(5, 7), time.Time{}),
		t.truncate(dir+"/f", 3), t.link(dir+"/f", dir+"/l"), t.symlink("f", dir+"/s"), t.rename(dir+"/l", dir+"/m"))
	_, err2 := t.readLink(dir + "/s")
	_, err3 := t.readDir(dir)
	_, err4 := t.readFile(dir + "/f")
	_, err5 := t.stat(dir + "/f")
	_, err6 := t.lstat(dir + "/s")
	err = errors.Join(err, err2, err3, err4, err5, err6, t.remove(dir+"/m"), t.remove(dir+"/d"),
		t.mkdirAll(dir+"/x/y", 0o700), t.removeAll(dir+"/x"))
	os.Lstat("/end")
	return err
}

// The calls on names that a goroutine makes are those of package os: the same ones with
// the same flags and modes.
func TestCallsLikeOS(t *testing.T) {
	if which := os.Getenv("RINGO_STRACED"); which != "" {
		if err := straced(os.Getenv("RINGO_STRACED_DIR"),
			map[string]tree{"os": osTree, "file": ourTree}[which]); err != nil {
			t.Fatal(err)
		}
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skipf("no strace: %v", err)
	}
	traces := map[string][]string{}
	for _, which := range []string{"os", "file"} {
		dir, out := filepath.Join(tempDir(t), "tree"), filepath.Join(tempDir(t), "trace")
		if err := makeDir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(strace, "-f", "-qq", "-e", "trace=file,getdents64", "-o", out, os.Args[0],
			"-test.run", "^TestCallsLikeOS$")
		cmd.Env = append(os.Environ(), "RINGO_STRACED="+which, "RINGO_STRACED_DIR="+dir)
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
		traces[which] = essence(string(b), dir)
	}
	if len(traces["os"]) < 20 {
		t.Fatalf("os's trace has %q", traces["os"])
	}
	if !slices.Equal(traces["os"], traces["file"]) {
		t.Errorf("the calls are\n%s\nand os's\n%s", strings.Join(traces["file"], "\n"),
			strings.Join(traces["os"], "\n"))
	}
}

var (
	strayed = regexp.MustCompile(`^\d+ +`)
	cwd     = regexp.MustCompile(`AT_FDCWD, `)
	older   = strings.NewReplacer("newfstatat(", "stat(", "fstatat64(", "stat(", "statx(", "stat(", "renameat2(",
		"rename(", "renameat(", "rename(", "O_RDONLY|O_NOCTTY", "O_RDONLY", ", 0)", ")")
	statTail  = regexp.MustCompile(`^(stat\("[^"]*").*(AT_SYMLINK_NOFOLLOW)?.*`)
	atSymlink = "AT_SYMLINK_NOFOLLOW"
)

// joined is the lines of a trace without their threads' numbers, and those whole that another
// thread's came between.
func joined(trace string) (lines []string) {
	begun := map[string]string{} // by thread
	for line := range strings.Lines(trace) {
		line = strings.TrimSpace(line)
		thread := strayed.FindString(line)
		line = line[len(thread):]
		if first, ok := strings.CutSuffix(line, "<unfinished ...>"); ok {
			begun[thread] = first
			continue
		}
		if _, rest, ok := strings.Cut(line, " resumed>"); ok && strings.HasPrefix(line, "<... ") {
			line = strings.TrimSuffix(begun[thread], " ") + rest // the blank is strace's
			delete(begun, thread)
		}
		lines = append(lines, line)
	}
	return lines
}

// A call that a thread began before another's, and ended behind it, is one line.
func TestJoined(t *testing.T) {
	trace := "12  mkdirat(AT_FDCWD, \"d\", 0700) = 0\n12  newfstatat(AT_FDCWD, \"f\",  <unfinished ...>\n345 " +
		"getdents64(3,  <unfinished ...>\n" +
		"12  <... newfstatat resumed>{st_size=1}, 0) = 0\n345 <... getdents64 resumed>0x1 /* 2 entries */, 8192) " +
		"= 48\n12  truncate(\"f\", 3 <unfinished ...>\n12  <... truncate resumed>) = 0\n"
	want := []string{`mkdirat(AT_FDCWD, "d", 0700) = 0`, `newfstatat(AT_FDCWD, "f", {st_size=1}, 0) = 0`,
		"getdents64(3, 0x1 /* 2 entries */, 8192) = 48", `truncate("f", 3) = 0`}
	if got := joined(trace); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// essence is what two traces of the same calls have in common, whichever of two calls
// of one meaning was made: each name, flag and mode.
func essence(trace, dir string) (calls []string) {
	inside := false
	for _, line := range joined(trace) {
		switch {
		case strings.Contains(line, `"/begin"`):
			inside = true
			continue
		case strings.Contains(line, `"/end"`):
			return calls
		case !inside || !strings.Contains(line, dir):
			continue
		}
		line = strings.ReplaceAll(line, dir, "DIR")
		line, result, _ := strings.Cut(line, " = ")
		line = older.Replace(cwd.ReplaceAllString(strings.TrimSpace(line), ""))
		if m := statTail.FindStringSubmatch(line); m != nil {
			nofollow := strings.Contains(line, atSymlink)
			line = fmt.Sprint(m[1], " nofollow=", nofollow)
		}
		if i := strings.Index(line, "readlinkat("); i >= 0 {
			line, _, _ = strings.Cut(line, ", 0x")
			line, _, _ = strings.Cut(line, `", "`)
		}
		failed := strings.HasPrefix(result, "-1")
		calls = append(calls, fmt.Sprint(line, " failed=", failed))
	}
	return calls
}

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
