//go:build windows

package file_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"ringo"
	"ringo/file"
)

// A Root is not left by names that have Windows' separators, drives, devices or streams, and those that stay in it lead
// where they do elsewhere.
func TestRootOfWindows(t *testing.T) {
	outside := tempDir(t)
	dir, secret := filepath.Join(outside, "dir"), filepath.Join(outside, "secret")
	err := errors.Join(os.MkdirAll(dir+`\a`, 0o700), os.WriteFile(secret, []byte("secret"), 0o600),
		os.WriteFile(dir+`\a\b`, []byte("b"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	eachCallerHere(t, func(t *testing.T, _ *ringo.Loop) {
		d, err := file.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		for _, name := range []string{`..\secret`, `a\..\..\secret`, `a/..\..\secret`, `\secret`, secret,
			secret[:2] + "x", "NUL", `a\CON`, "a/b:stream"} {
			_, opened := d.Open(name)
			_, read := d.ReadFile(name)
			_, stat := d.Lstat(name)
			for what, err := range map[string]error{"Open": opened, "ReadFile": read, "Lstat": stat,
				"WriteFile": d.WriteFile(name, nil, 0o600), "Mkdir": d.Mkdir(name, 0o700), "Remove": d.Remove(name),
				"RemoveAll": d.RemoveAll(name), "Rename": d.Rename("a", name), "Link": d.Link(`a\b`, name),
				"Symlink": d.Symlink("a", name), "Chmod": d.Chmod(name, 0o600)} {
				if !errors.Is(err, file.ErrEscapes) {
					t.Errorf("%s(%q) = %v, want ErrEscapes", what, name, err)
				}
			}
		}
		if got, err := d.ReadFile(`a\b`); string(got) != "b" || err != nil {
			t.Errorf("ReadFile = %q, %v", got, err)
		}
		if got, err := os.ReadFile(secret); string(got) != "secret" || err != nil {
			t.Errorf("outside is %q, %v", got, err)
		}
	})
}
