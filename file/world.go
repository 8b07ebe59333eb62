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

// stranger is why the caller may not use what was opened in the simulated world of home: it is no task there, or the
// host has crashed since.
func stranger(home *loop.Loop) error {
	if home == nil {
		return nil
	}
	return home.StrangerTo("a call on a file in a simulated world")
}

// errWorldFIFO is the error of an open that would have to wait there.
var errWorldFIFO = fmt.Errorf("%w: in a simulated world the open of a FIFO does not wait: open it with O_NONBLOCK",
	errors.ErrUnsupported)

// tempDir is os.TempDir, but that a simulated world has one whatever the environment says.
func tempDir() string {
	if loop.Home() != nil {
		return "/tmp"
	}
	return os.TempDir()
}

// inLinux reports whether names are Linux's and not the system's: in a simulated world, where the system has others.
func inLinux() bool { return filepath.Separator != '/' && loop.Home() != nil }

// kernelName is a name as the kernel has it: what filepath has joined means in a simulated world what it means on
// Linux.
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

// within is a name in a directory as package os makes it, which does not clean it as join does: so "." is what a link
// leads to, and of a file nothing, and ".." is above what a link leads to.
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

// localize is a name of package fs as those of the kernel.
func localize(name string) (string, error) {
	if inLinux() && fs.ValidPath(name) && !strings.Contains(name, `\`) {
		return name, nil
	}
	return filepath.Localize(name)
}

// inRoot is a name as a Root looks it up, with slashes between its parts. Of parts that the system would take for more
// than the name of a file, as of a drive or a device, ErrEscapes is said.
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
