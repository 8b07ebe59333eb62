package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"ringo/internal/loop"
)

// stranger returns an error if the caller must not use a file that was opened in the simulated world of home: because
// it is not a task of that host, or because the host has crashed since.
func stranger(home *loop.Loop) error {
	if home == nil {
		return nil
	}
	return home.StrangerTo("a call on a file in a simulated world")
}

// errWorldFIFO is the error of an open that would have to wait in a simulated world.
var errWorldFIFO = fmt.Errorf("%w: in a simulated world the open of a FIFO does not wait: open it with O_NONBLOCK",
	errors.ErrUnsupported)

// tempDir is os.TempDir, except that a simulated world has the same one whatever the environment says.
func tempDir() string {
	if loop.Home() != nil {
		return "/tmp"
	}
	return os.TempDir()
}

// inLinux reports whether names follow Linux's rules on a system with others: in a simulated world.
func inLinux() bool { return filepath.Separator != '/' && loop.Home() != nil }

// kernelName returns a name as the kernel expects it. In a simulated world, names that filepath has joined with the
// system's separator get slashes.
func kernelName(name string) string {
	if inLinux() {
		return filepath.ToSlash(name)
	}
	return name
}

func separator() string {
	if inLinux() {
		return "/"
	}
	return string(filepath.Separator)
}

func join(dir, name string) string {
	if inLinux() {
		return path.Join(filepath.ToSlash(dir), name)
	}
	return filepath.Join(dir, name)
}

// within joins a directory and a name as package os does: without cleaning, unlike join. So a "." or ".." in dir is
// resolved by the kernel, after links, and dir must be a directory.
func within(dir, name string) string {
	if dir == "" || !os.IsPathSeparator(dir[len(dir)-1]) {
		dir += separator()
	}
	return dir + name
}

func base(name string) string {
	if inLinux() {
		return path.Base(filepath.ToSlash(name))
	}
	return filepath.Base(name)
}

// localize converts a name of package fs to one for the kernel.
func localize(name string) (string, error) {
	if inLinux() && fs.ValidPath(name) && !strings.Contains(name, `\`) {
		return name, nil
	}
	return filepath.Localize(name)
}

// inRoot returns a name with slashes between its parts, as a Root looks it up. It returns ErrEscapes if the system
// would take a part for more than a file's name, such as a drive or a device.
func inRoot(name string) (string, error) {
	if filepath.Separator == '/' || inLinux() {
		return name, nil
	}
	name = filepath.ToSlash(name)
	for part := range strings.SplitSeq(name, "/") {
		if part != "" && part != "." && part != ".." && !filepath.IsLocal(part) {
			return "", ErrEscapes
		}
	}
	return name, nil
}
