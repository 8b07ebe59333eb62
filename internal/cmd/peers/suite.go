package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// tries is how often a test whose result differs is run alone, at most, on each side.
const tries = 3

// A suite is packages of another project, whose tests are run with and without Ringo.
type suite struct {
	name, version string
	root, dir     string
	skip          string
	helpers       []string // folders below the root with code for tests, rewritten like these
	files         []string // folders below the root whose files use package file in place of os
	wrapped       bool     // all tests are subtests of one
	short         bool
	drivers       []string
	accepted      []acceptance
}

// A line is the result of a suite on one driver.
type line struct {
	suite, version, driver string
	control, passed        int // tests that passed on the control, and those of them that passed with Ringo
	handles                int
	differs, unsteady      []string // names of tests, those that are accepted among them
}

// A pkg is one package's test binary.
type pkg struct {
	path, dir, binary string
	short, wrapped    bool
	accepted          []acceptance
	skip              string
	tests             []string
	runs              func(driver string, names []string) (*once, int, error) // the method run, or what a test sets
	took              time.Duration                                           // the time that the control took
}

// run builds and runs all packages, and returns a line for each driver.
func (s *suite) run(paths []string) ([]*line, error) {
	work, err := os.MkdirTemp("", "peers")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	lines := make([]*line, len(s.drivers))
	for i, d := range s.drivers {
		lines[i] = &line{suite: s.name, version: s.version, driver: d}
	}
	all, err := output(s.dir, "go", append([]string{"list"}, paths...)...)
	if err != nil {
		return nil, err
	}
	for _, path := range strings.Fields(all) {
		p := &pkg{path: path, short: s.short, wrapped: s.wrapped, skip: s.skip,
			accepted: s.accepted, binary: filepath.Join(work, "test")}
		p.runs = p.run
		if has, err := p.build(s); err != nil {
			return nil, err
		} else if !has {
			continue
		}
		if err := p.compare(lines); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

// callersOf returns what follows the slash in a driver's name: who uses the sockets, and how.
func callersOf(driver string) string {
	_, callers, ok := strings.Cut(driver, "/")
	if !ok {
		return "goroutines"
	}
	return callers
}

// hook returns the package to import: that for sockets, or the one for net/http's servers as well, if a driver needs
// it.
func (s *suite) hook() string {
	for _, d := range s.drivers {
		if c := callersOf(d); c == "server" || c == "others" {
			return "ringo/peers/server"
		}
	}
	return "ringo/peers"
}

// build makes the test binary with the hook in it. It returns false if the package has no tests.
func (p *pkg) build(s *suite) (has bool, err error) {
	const format = "{{.Dir}}\n{{.Name}}\n{{len .TestGoFiles}}{{len .XTestGoFiles}}"
	text, err := output(s.dir, "go", "list", "-f", format, p.path)
	if err != nil {
		return false, err
	}
	about := strings.Split(text, "\n")
	p.dir = about[0]
	if about[2] == "00" {
		return false, nil
	}
	if rel, err := filepath.Rel(s.root, p.dir); err != nil || strings.HasPrefix(rel, "..") {
		return false, fmt.Errorf("%s is in %s, and only below %s may be written", p.path, p.dir, s.root)
	}
	hook := fmt.Sprintf("package %s_test\n\nimport _ \"%s\"\n", about[1], s.hook())
	if err := os.WriteFile(filepath.Join(p.dir, "ringo_hook_test.go"), []byte(hook), 0o666); err != nil {
		return false, err
	}
	if err := p.compile(s); err != nil {
		return false, err
	}
	list, err := output(p.dir, p.binary, "-test.list", ".")
	if err != nil {
		return false, err
	}
	for name := range strings.FieldsSeq(list) {
		if strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Example") || strings.HasPrefix(name, "Fuzz") {
			p.tests = append(p.tests, name)
		}
	}
	return true, nil
}

// compile compiles the tests with Ringo's types wherever the compiler accepts them.
func (p *pkg) compile(s *suite) error {
	changes := map[string]change{p.dir: netInTests}
	for _, dir := range s.helpers {
		changes[filepath.Join(s.root, dir)] = netInAll
	}
	for _, dir := range s.files {
		changes[filepath.Join(s.root, dir)] = osInAll
	}
	rw := &rewriting{}
	for dir, what := range changes {
		more, err := rewrite(dir, what)
		if err != nil {
			return err
		}
		rw.files = append(rw.files, more.files...)
	}
	for {
		_, err := output(s.dir, "go", "test", "-c", "-vet=off", "-gcflags="+p.path+"=-e", "-o", p.binary, p.path)
		if err == nil {
			return nil
		}
		left, changed, e := rw.leave(err.Error())
		if e != nil {
			return e
		}
		if !changed {
			return err
		}
		if len(left) > 0 {
			fmt.Printf("%s: as they were, since they use what Ringo's types haven't: %s\n", p.path,
				strings.Join(left, ", "))
		}
	}
}

// compare runs the package on the control and on each driver, and adds to the lines.
func (p *pkg) compare(lines []*line) error {
	begin := time.Now()
	control, _, err := p.whole("")
	if err != nil {
		return err
	}
	p.took = time.Since(begin)
	fmt.Printf("%s: %d tests passed on the control in %d s\n", p.path, count(control), int(p.took.Seconds()))
	for _, l := range lines {
		begin := time.Now()
		got, handles, err := p.whole(l.driver)
		if err != nil {
			return err
		}
		l.handles += handles
		l.control += count(control)
		verdict, err := p.again(l.driver, control, got)
		if err != nil {
			return err
		}
		differs := map[string]bool{}
		for _, name := range slices.Sorted(maps.Keys(verdict)) {
			v := verdict[name]
			if v.unsteady {
				l.unsteady = append(l.unsteady, p.path+"."+name)
			} else {
				l.differs = append(l.differs, p.path+"."+name)
				differs[name] = true
			}
		}
		for name, s := range control {
			if s == pass && !differs[name] && !below(name, differs) {
				l.passed++
			}
		}
		fmt.Printf("%s: %s: %d handles, %d differ, in %d s\n", p.path, l.driver, handles, len(verdict),
			int(time.Since(begin).Seconds()))
	}
	return nil
}

func count(r results) (n int) {
	for _, s := range r {
		if s == pass {
			n++
		}
	}
	return n
}

// A verdict is what was found out about a test that was run again.
type verdict struct {
	what     string
	said     string // output of the last run with Ringo that did not pass
	unsteady bool
}

// again runs each test whose result differs, unless that is accepted, alone.
func (p *pkg) again(driver string, control, got results) (map[string]verdict, error) {
	tops, missed := map[string]bool{}, map[string]bool{}
	for name, want := range control {
		if want == pass && got[name] != pass {
			missed[name] = true
		}
	}
	found := map[string]verdict{}
	for name := range missed {
		if _, ok := accept(p.accepted, driver, p.path+"."+name); ok && !below(name, missed) {
			found[name] = verdict{what: "accepted"}
		}
	}
	for name := range missed {
		if found[name].what != "" || below(name, missed) {
			continue // the latter shows in a subtest
		}
		top, rest, _ := strings.Cut(name, "/")
		if p.wrapped {
			rest, _, _ = strings.Cut(rest, "/")
			top = strings.TrimSuffix(top+"/"+rest, "/")
		}
		tops[top] = true
	}
	for _, top := range slices.Sorted(maps.Keys(tops)) {
		one := map[string]verdict{}
		if err := p.alone(driver, top, missed, one); err != nil {
			return nil, err
		}
		for name, v := range one {
			fmt.Printf("\n--- %s: %s.%s: %s\n%s\n", driver, p.path, name, v.what, indent(v.said))
		}
		maps.Copy(found, one)
	}
	return found, nil
}

// alone runs one test by turns on both sides, until it passes with Ringo.
func (p *pkg) alone(driver, top string, missed map[string]bool, found map[string]verdict) error {
	failed := map[string]int{} // tries in a row, from the first, in which each passed on the control only
	said := map[string]string{}
	for try := 1; try <= tries; try++ {
		r, _, err := p.runs(driver, []string{top})
		if err != nil {
			return err
		}
		c, _, err := p.runs("", []string{top})
		if err != nil {
			return err
		}
		differ := c.differ(r)
		fmt.Printf("%s: %s: %s alone: %d differ\n", p.path, driver, top, len(differ))
		for _, name := range differ {
			if failed[name] != try-1 || !inTest(top, name) {
				continue
			}
			failed[name] = try
			said[name] = r.said[name]
			if r.results[name] == "" { // it did not start, or did not end
				said[name] += r.tail
			}
		}
		if len(differ) == 0 {
			break
		}
	}
	for name, n := range failed {
		if n < tries {
			delete(failed, name)
		}
	}
	for name := range failed {
		if !below(name, failed) {
			found[name] = verdict{said: said[name], what: "differs"}
		}
	}
	for name := range missed {
		if inTest(top, name) && failed[name] == 0 && !below(name, missed) {
			found[name] = verdict{unsteady: true, what: "did not pass among the others, and passed alone"}
		}
	}
	return nil
}

// below reports whether a test fails because one of its subtests does.
func below[V any](name string, failed map[string]V) bool {
	for inner := range failed {
		if strings.HasPrefix(inner, name+"/") {
			return true
		}
	}
	return false
}

// inTest reports whether name is the test top, or a subtest of it.
func inTest(top, name string) bool { return name == top || strings.HasPrefix(name, top+"/") }

func indent(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString("    " + line)
	}
	return b.String()
}
