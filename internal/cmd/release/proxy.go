package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	modpath "golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// writeProxy writes, for each module that is released, the files that the go command asks a proxy for, and prints the
// sums.
func writeProxy(root, version string, at time.Time, proxy string) error {
	all, err := released(root)
	if err != nil {
		return err
	}
	for _, m := range all {
		if err := m.publish(version, at, proxy); err != nil {
			return fmt.Errorf("%s: %w", m.path(), err)
		}
		sums, err := m.sums(version)
		if err != nil {
			return err
		}
		for _, line := range sums {
			fmt.Print(line)
		}
	}
	return nil
}

// publish writes the four files of a version, one of which is the list of versions.
func (m *module) publish(version string, at time.Time, proxy string) error {
	escaped, err := modpath.EscapePath(m.path())
	if err != nil {
		return err
	}
	dir := filepath.Join(proxy, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	info, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{version, at.UTC()})
	if err != nil {
		return err
	}
	mod, err := os.ReadFile(m.in("go.mod"))
	if err != nil {
		return err
	}
	files := map[string][]byte{"list": []byte(version + "\n"), version + ".info": info, version + ".mod": mod}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return written(filepath.Join(dir, version+".zip"), func(w io.Writer) error { return m.zip(w, version) })
}

// zip writes the module's zip, without the modules inside it and without git's files.
func (m *module) zip(w io.Writer, version string) error {
	return zip.CreateFromDir(w, m.version(version), m.in("."))
}

func (m *module) version(version string) modpath.Version {
	return modpath.Version{Path: m.path(), Version: version}
}

// written makes a file with what write writes.
func written(name string, write func(w io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	err = write(f)
	return errors.Join(err, f.Close())
}

// sums returns the module's lines for a go.sum.
func (m *module) sums(version string) ([]string, error) {
	return m.sumsOf(version, func(w io.Writer) error { return m.zip(w, version) })
}

// sumsOf returns these lines for the zip that create writes.
func (m *module) sumsOf(version string, create func(w io.Writer) error) ([]string, error) {
	dir, err := os.MkdirTemp("", "release")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "zip")
	if err := written(name, create); err != nil {
		return nil, err
	}
	all, err := dirhash.HashZip(name, dirhash.Hash1)
	if err != nil {
		return nil, err
	}
	open := func(string) (io.ReadCloser, error) { return os.Open(m.in("go.mod")) }
	mod, err := dirhash.Hash1([]string{"go.mod"}, open)
	return []string{fmt.Sprintf("%s %s %s\n", m.path(), version, all),
		fmt.Sprintf("%s %s/go.mod %s\n", m.path(), version, mod)}, err
}

// compare checks that the zips that the go command makes from a repository's tags have the same sums as those made from
// root.
func compare(root, version, repository string) error {
	all, err := released(root)
	if err != nil {
		return err
	}
	for _, m := range all {
		tag, dir := version, ""
		if m.dir != "." {
			tag, dir = m.dir+"/"+version, m.dir
		}
		want, err := m.sums(version)
		if err != nil {
			return err
		}
		got, err := m.sumsOf(version, func(w io.Writer) error {
			return zip.CreateFromVCS(w, m.version(version), repository, tag, dir)
		})
		if err != nil {
			return err
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("tag %s has %s, and the proxy %s", tag, got, want)
		}
		fmt.Println(tag, "is", m.path(), version)
	}
	return nil
}
