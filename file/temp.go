package file

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"ringo/internal/loop"
)

// triesMax is how many names are tried for a temporary file.
const triesMax = 10000

var errPattern = errors.New("pattern contains path separator")

// CreateTemp makes a file with a new, unique name, for reading and writing, as os.CreateTemp does: in dir, or
// os.TempDir if that is "", with a number in place of the last * of pattern, or after it. The caller has to remove it.
// It may wait; a task parks.
func CreateTemp(dir, pattern string) (f *File, err error) {
	err = tryNames("createtemp", dir, pattern, func(name string) error {
		f, err = OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	return f, err
}

// MkdirTemp makes a directory with a new, unique name, as os.MkdirTemp does; see CreateTemp. It may wait; a task parks.
func MkdirTemp(dir, pattern string) (made string, err error) {
	err = tryNames("mkdirtemp", dir, pattern, func(name string) error {
		err := Mkdir(name, 0o700)
		if err == nil {
			made = name
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		if _, missing := Stat(cmp.Or(dir, tempDir())); errors.Is(missing, fs.ErrNotExist) {
			err = missing
		}
	}
	return made, err
}

// tryNames calls f with names until one is free.
func tryNames(what, dir, pattern string, f func(name string) error) error {
	if dir == "" {
		dir = tempDir()
	}
	if strings.Contains(pattern, separator()) {
		return pathError(what, pattern, errPattern)
	}
	before, after := pattern, ""
	if i := strings.LastIndexByte(pattern, '*'); i >= 0 {
		before, after = pattern[:i], pattern[i+1:]
	}
	before = within(dir, before)
	for try := 1; ; try++ {
		err := f(before + strconv.FormatUint(uint64(uint32(loop.Rand())), 10) + after)
		switch {
		case !errors.Is(err, fs.ErrExist):
			return err
		case try == triesMax:
			return pathError(what, before+"*"+after, fs.ErrExist)
		}
	}
}
