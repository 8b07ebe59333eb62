package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// frozen are the folders of the packages whose names stay within v0.1.
var frozen = []string{".", "buf", "file", "logs", "sock", "stats"}

// systems are the systems for which the names are listed.
var systems = []string{"linux", "darwin", "windows"}

func main() {
	write := flag.Bool("write", false, "write the lists, for a release")
	flag.Parse()
	if err := run(".", frozen, *write); err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(1)
	}
}

// run lists the packages of the module in root, and compares the lists, or with write writes them.
func run(root string, packages []string, write bool) error {
	found := map[string]lines{}
	for _, system := range systems {
		err := load(root, system, packages, func(dir string, names []string) {
			if found[dir] == nil {
				found[dir] = lines{}
			}
			for _, name := range names {
				found[dir][name] = append(found[dir][name], system)
			}
		})
		if err != nil {
			return fmt.Errorf("%s: %w", system, err)
		}
	}
	except, err := readExcept(filepath.Join(root, "api", "except"))
	if err != nil {
		return err
	}
	used := map[string]bool{}
	var faults []error
	n := 0
	for _, dir := range packages {
		name := path.Base(dir)
		if dir == "." {
			name = "ringo"
		}
		file := filepath.Join(root, "api", name+".txt")
		n += len(found[dir])
		if write {
			faults = append(faults, os.WriteFile(file, []byte(found[dir].String()), 0o644))
			continue
		}
		was, err := read(file)
		if err != nil {
			return err
		}
		if len(was) == 0 {
			faults = append(faults, fmt.Errorf("%s is empty, and so promises nothing of package %s", file, name))
		}
		faults = append(faults, found[dir].lack(name, was, except, used)...)
	}
	for line := range except {
		if !write && !used[line] {
			faults = append(faults, fmt.Errorf("api/except: %s: is not needed: nothing like it has gone", line))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	fmt.Printf("api: %d names of %d packages on %s\n", n, len(packages), strings.Join(systems, ", "))
	return nil
}

// lines are the lines of a package, each with the systems that have it.
type lines map[string][]string

// String returns the lines as a file has them.
func (l lines) String() string {
	var all []string
	for name, on := range l {
		if len(on) < len(systems) {
			name += " [" + strings.Join(on, " ") + "]"
		}
		all = append(all, name+"\n")
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

// lack returns an error for each line of was that is gone from some system and that except does not have for that
// system. It notes in used which exceptions were needed.
func (l lines) lack(pkg string, was, except lines, used map[string]bool) (faults []error) {
	for name, on := range was {
		gone := slices.DeleteFunc(slices.Clone(on), func(s string) bool { return slices.Contains(l[name], s) })
		if excepted := except[pkg+": "+name]; len(gone) > 0 && len(excepted) > 0 {
			used[pkg+": "+name] = true
			gone = slices.DeleteFunc(gone, func(s string) bool { return slices.Contains(excepted, s) })
		}
		if len(gone) == 0 {
			continue
		}
		faults = append(faults, fmt.Errorf("%s: %s\n\tis in api/%s.txt, and no more on %s: package %s is frozen. "+
			"Bring it back, or write the line into api/except, with the reason", pkg, name, pkg,
			strings.Join(gone, ", "), pkg))
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return faults
}

// read returns the lines of a file. Lines that begin with # are comments.
func read(name string) (lines, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	l := lines{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		on := systems
		if name, some, ok := strings.Cut(line, " ["); ok && listsSystems(strings.TrimSuffix(some, "]")) {
			line, on = name, strings.Fields(strings.TrimSuffix(some, "]"))
		}
		l[line] = on
	}
	return l, nil
}

// readExcept reads api/except, in which each line, or group of lines, has its reason as a comment above it.
func readExcept(name string) (lines, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	reason := false
	for line := range strings.Lines(strings.TrimPrefix(string(text), exceptHead)) {
		line = strings.TrimSpace(line)
		if reason = line != "" && (reason || line[0] == '#'); !reason && line != "" {
			return nil, fmt.Errorf("%s: %s: has no reason, which is a comment above it", name, line)
		}
	}
	return read(name)
}

// exceptHead is the first line of api/except, which is not a reason.
const exceptHead = "# Names of the frozen packages that have gone or changed since the last release, as the tool " +
	"says them, each below its reason.\n"

func listsSystems(text string) bool {
	for name := range strings.FieldsSeq(text) {
		if !slices.Contains(systems, name) {
			return false
		}
	}
	return text != ""
}
