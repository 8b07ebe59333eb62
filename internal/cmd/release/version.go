package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// setVersion makes the modules that are released require each other by version, without replace lines: those count only
// in the main module, so not for modules that require it, and go install refuses a module that has any.
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

// require sets the version of the known modules in go.mod and go.sum, and drops their replace lines.
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
	slices.SortFunc(lines, bySum)
	return os.WriteFile(m.in("go.sum"), []byte(strings.Join(lines, "")), 0o644)
}

// bySum orders lines of a go.sum as the go command does: by semantic version, so that v0.9.0 is before v0.10.0.
func bySum(a, b string) int {
	pathA, ofA := versionOf(a)
	pathB, ofB := versionOf(b)
	versionA, fileA, _ := strings.Cut(ofA, "/")
	versionB, fileB, _ := strings.Cut(ofB, "/")
	return cmp.Or(strings.Compare(pathA, pathB), semver.Compare(versionA, versionB), strings.Compare(fileA, fileB),
		strings.Compare(a, b))
}

// versionOf returns the path and the version of a line; the version may be that of a go.mod, "v0.9.0/go.mod".
func versionOf(line string) (path, version string) {
	path, line, _ = strings.Cut(line, " ")
	version, _, _ = strings.Cut(line, " ")
	return path, version
}
