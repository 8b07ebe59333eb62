package main

import (
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
)

// The kinds of files, as in stat(2).
const (
	typeDir     = 0o040000
	typeChar    = 0o020000
	typeRegular = 0o100000
)

// The device number of /dev/console, the only device in an archive.
const consoleMajor, consoleMinor = 5, 1

const trailer = "TRAILER!!!" // name of the last member of an archive

// An archive is written one member after the other. After an error nothing more is written; close returns the first.
type archive struct {
	w     io.Writer
	size  int64 // bytes written
	inode int   // number of the last member
	known map[string]bool
	err   error
}

func newArchive(w io.Writer) *archive {
	return &archive{w: w, known: map[string]bool{".": true}}
}

// add writes a file or directory, after the directories that it is in.
func (a *archive) add(name string, mode fs.FileMode, content []byte) {
	if name = path.Clean(name); a.known[name] {
		if !mode.IsDir() {
			a.fail(fmt.Errorf("%s is there twice", name))
		}
		return
	}
	if dir := path.Dir(name); !a.known[dir] {
		a.add(dir, fs.ModeDir|0o755, nil)
	}
	a.known[name] = true
	kind := typeRegular
	switch {
	case mode.IsDir():
		kind = typeDir
	case mode&fs.ModeCharDevice != 0:
		kind = typeChar
	}
	a.member(name, kind, mode.Perm(), content)
}

// close writes the end of the archive.
func (a *archive) close() error {
	a.member(trailer, 0, 0, nil)
	return a.err
}

// member writes the header, the name and the content, the latter two padded.
func (a *archive) member(name string, kind int, perm fs.FileMode, content []byte) {
	if uint64(len(content)) > math.MaxUint32 {
		a.fail(fmt.Errorf("%s has %d bytes: the format has no way to write more than %d", name, len(content),
			uint32(math.MaxUint32)))
		return
	}
	a.inode++
	links, major, minor := 1, 0, 0
	switch kind {
	case typeDir:
		links = 2
	case typeChar:
		major, minor = consoleMajor, consoleMinor
	}
	a.write([]byte("070701"))
	for _, field := range [...]int{
		a.inode, kind | int(perm), 0, 0, links, 0, // inode, mode, owner, group, links, time
		len(content), 0, 0, major, minor, // size, device that it is on, device that it is
		len(name) + 1, 0, // name with its NUL, check sum (none in this format)
	} {
		a.write(fmt.Appendf(nil, "%08x", field))
	}
	a.write([]byte(name + "\x00"))
	a.pad()
	a.write(content)
	a.pad()
}

// pad writes zeros up to the next multiple of four.
func (a *archive) pad() { a.write(make([]byte, -a.size&3)) }

func (a *archive) write(p []byte) {
	if a.err != nil {
		return
	}
	n, err := a.w.Write(p)
	a.size += int64(n)
	a.err = err
}

func (a *archive) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}
