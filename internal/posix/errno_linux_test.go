//go:build linux

package posix

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Where a system has no numbers they are written down: these must be Linux's, and the
// same names must be there.
func TestNumbers(t *testing.T) {
	there, here := constants(t, "errno_plan9.go"), constants(t, "errno.go")
	if len(there) < 30 || len(there) != len(here) {
		t.Errorf("%d numbers for Plan 9, %d for the others", len(there), len(here))
	}
	for name, value := range there {
		if _, ok := here[name]; !ok {
			t.Errorf("%s is on Plan 9 only", name)
		}
		n, err := strconv.Atoi(value)
		if name == "EOPNOTSUPP" && n == int(unix.EOPNOTSUPP) {
			continue // ENOTSUP is the same
		}
		if err != nil || unix.ErrnoName(syscall.Errno(n)) != name {
			t.Errorf("%s is %s, which is %s on Linux", name, value, unix.ErrnoName(syscall.Errno(n)))
		}
	}
	if ETIME != unix.ETIME || ETXTBSY != unix.ETXTBSY {
		t.Errorf("ETIME is %d, ETXTBSY %d", ETIME, ETXTBSY)
	}
}

// constants returns the constants of a file with their values as they are written.
func constants(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == 1 {
			values[spec.Names[0].Name] = ""
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
				values[spec.Names[0].Name] = lit.Value
			}
		}
		return true
	})
	return values
}

func TestError(t *testing.T) {
	if err := Error(-int32(EPIPE)); err != syscall.EPIPE {
		t.Error(err)
	}
	if !errors.Is(ErrSystem, errors.ErrUnsupported) || ErrSystem.Error() != "not supported on linux" {
		t.Error(ErrSystem)
	}
}

// Each number of Linux's that Darwin and the BSDs have, too, is in the tables: else what a system says of a host that
// is down comes as a number that nothing here knows, and what a simulated world says of it there as EIO.
func TestTablesHaveWhatAllSystemsHave(t *testing.T) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]int{}
	systems := []string{"darwin", "freebsd", "netbsd", "openbsd", "dragonfly"}
	for _, system := range systems {
		list := filepath.Join(strings.TrimSpace(string(root)), "src/syscall/zerrors_"+system+"_amd64.go")
		for name := range constants(t, list) {
			there[name]++
		}
	}
	tables := ""
	for _, file := range []string{"native_table.go", "native_more.go", "nodata_attr.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tables += string(source)
	}
	shared := 0
	for n := range syscall.Errno(133) {
		name := unix.ErrnoName(n)
		if there[name] < len(systems) || name == "ENOTBLK" { // of mount(2)
			continue
		}
		shared++
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(tables) {
			t.Errorf("%s (%d) is in no table", name, n)
		}
	}
	if shared < 70 {
		t.Errorf("%d numbers that all systems have", shared)
	}
}
