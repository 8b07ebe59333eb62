//go:build linux

package file_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// overlay mounts an overlayfs, which takes privileges.
func overlay(t testing.TB) (string, error) {
	t.Helper()
	return overlayIn(t, tempDir(t))
}

// overlayIn has all layers of it in one folder.
func overlayIn(t testing.TB, base string) (string, error) {
	t.Helper()
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		if err := makeDir(filepath.Join(base, name), 0o700); err != nil {
			return "", err
		}
	}
	at := filepath.Join(base, "merged")
	options := "lowerdir=" + base + "/lower,upperdir=" + base + "/upper,workdir=" + base + "/work"
	if err := unix.Mount("overlay", at, "overlay", 0, options); err != nil {
		return "", os.NewSyscallError("mount", err)
	}
	t.Cleanup(func() { unix.Unmount(at, unix.MNT_DETACH) })
	return at, nil
}

// command runs a program of the system's, if it is there.
func command(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	return string(out), err
}
