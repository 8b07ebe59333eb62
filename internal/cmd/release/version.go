package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// setVersion makes the modules that are released require each other by version. A replace counts in the main module
// alone: whoever requires the module has none, and go install refuses a module with one.
func setVersion(root, version string) error {
	if semver.Canonical(version) != version || semver.Major(version) != "v0" && semver.Major(version) != "v1" {
		return fmt.Errorf("version %s: want one like v0.1.0; from v2 on the path would have to end in it", version)
	}
	all, err := released(root)
	if err != nil {
		return err
	}
	license, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		return err
	}
	known := map[string][]string{} // lines of go.sum, by path
	for _, m := range all {
		if err := m.require(version, known); err != nil {
			return err
		}
		if err := os.WriteFile(m.in("LICENSE"), license, 0o644); err != nil {
			return err
		}
		if known[m.path()], err = m.sums(version); err != nil {
			return err
		}
	}
	return nil
}

// require asks for version of those that are known, without a replace.
func (m *module) require(version string, known map[string][]string) error {
	var lines []string
	for _, r := range slices.Clone(m.mod.Replace) {
		if known[r.Old.Path] == nil {
			return fmt.Errorf("%s: replaces %s, which is none of the modules released before it", m.path(), r.Old.Path)
		}
		if err := m.mod.DropReplace(r.Old.Path, r.Old.Version); err != nil {
			return err
		}
	}
	for _, r := range m.mod.Require {
		if sums := known[r.Mod.Path]; sums != nil {
			if err := m.mod.AddRequire(r.Mod.Path, version); err != nil {
				return err
			}
			lines = append(lines, sums...)
		}
	}
	if err := m.write(); err != nil || lines == nil {
		return err
	}
	text, err := os.ReadFile(m.in("go.sum"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if name, _, _ := strings.Cut(line, " "); known[name] == nil {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return os.WriteFile(m.in("go.sum"), []byte(strings.Join(lines, "")), 0o644)
}
