package differ

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ringo/internal/test/socktest"
)

const sendFlags = os.O_RDWR | os.O_CREATE | os.O_TRUNC

func digest(p []byte) string {
	h := fnv.New32a()
	h.Write(p)
	return fmt.Sprintf("%d bytes %08x", len(p), h.Sum32())
}

// tree returns the path of a program's file in its folder.
func (x *exec) tree(name string) string { return filepath.Join(x.Dir, "tree") + "/" + name }

var open = &verb{"f%[1]d = OpenFile(%[5]q, %#[6]x)", func(x *actor, s *Step) string {
	f, err := x.Files().OpenFile(x.tree(s.Name), s.How, 0o600)
	return put(x, s.O, f, err)
}}

func fill(n, at int) []byte {
	p := make([]byte, n)
	socktest.Pattern(p, at)
	return p
}

// gave describes the result of a read.
func gave(p []byte, err error) string { return class(err) + ", " + digest(p) }

// info describes what must be the same about a file on two file systems.
func info(i fs.FileInfo, err error) string {
	if err != nil {
		return class(err)
	}
	size := i.Size()
	if i.IsDir() {
		size = 0
	}
	return fmt.Sprint(i.Name(), " ", i.Mode(), " ", size)
}

func entries(list []fs.DirEntry, err error) string {
	var names []string
	for _, e := range list {
		names = append(names, e.Name()+" "+e.Type().String())
	}
	slices.Sort(names)
	return class(err) + ", " + strings.Join(names, ", ")
}

// fileCalls are the calls on an open file; n is a size and at an offset. A call with reads neither changes the file nor
// moves the position.
var fileCalls = []struct {
	name  string
	reads bool
	call  func(x *actor, f File, n, at int) string
}{
	{"Write", false, func(_ *actor, f File, n, at int) string { return valued(f.Write(fill(n, at))) }},
	{"WriteAt", false, func(_ *actor, f File, n, at int) string { return valued(f.WriteAt(fill(n, at+1), int64(at))) }},
	{"Read", false, func(_ *actor, f File, n, _ int) string {
		p := make([]byte, n)
		n, err := io.ReadFull(f, p)
		return gave(p[:n], err)
	}},
	{"ReadAt", true, func(_ *actor, f File, n, at int) string {
		p := make([]byte, n)
		n, err := f.ReadAt(p, int64(at))
		return gave(p[:n], err)
	}},
	{"Seek", false, func(_ *actor, f File, n, at int) string {
		whence := n % 3
		if info, err := f.Stat(); err == nil && info.IsDir() {
			whence %= io.SeekEnd
		}
		pos, err := f.Seek(int64(at)-1000, whence)
		return valued(int(pos), err)
	}},
	{"Truncate", false, func(_ *actor, f File, n, at int) string { return class(f.Truncate(int64(at))) }},
	{"Stat", true, func(_ *actor, f File, _, _ int) string { return info(f.Stat()) }},
	{"Sync", true, func(_ *actor, f File, _, _ int) string { return class(f.Sync()) }},
	{"Datasync", true, func(_ *actor, f File, _, _ int) string { return class(f.Datasync()) }},
	{"ReadVAt", true, func(_ *actor, f File, n, at int) string {
		p := make([]byte, n)
		k, err := f.ReadVAt([][]byte{p[:n/3], nil, p[n/3 : n/2], p[n/2:]}, int64(at))
		return gave(p[:k], err)
	}},
	{"WriteVAt", false, func(_ *actor, f File, n, at int) string {
		p := fill(n, at+2)
		return valued(f.WriteVAt([][]byte{p[:n/3], nil, p[n/3 : n/2], p[n/2:]}, int64(at)))
	}},
	{"WriteTo", false, func(_ *actor, f File, _, _ int) string {
		var b bytes.Buffer
		n, err := f.WriteTo(&b)
		return valued(int(n), err) + digest(b.Bytes())
	}},
	{"ReadFrom", false, func(_ *actor, f File, n, at int) string {
		k, err := f.ReadFrom(plainReader{bytes.NewReader(fill(n, at))})
		return valued(int(k), err)
	}},
	{"Chmod", false, func(_ *actor, f File, n, _ int) string { return class(f.Chmod(0o600 | fs.FileMode(n%8))) }},
	{"Reader", true, func(_ *actor, f File, _, at int) string {
		var b bytes.Buffer
		_, err := f.StreamOut(&b, int64(at%500))
		return gave(b.Bytes(), err)
	}},
	{"Writer", false, func(_ *actor, f File, n, at int) string {
		p := fill(n, at+3)
		return class(f.StreamIn([][]byte{p[:n/2], p[n/2:]}, int64(at%3000)))
	}},
}

var fileVerb = &verb{"f%[1]d.%[5]s(%[3]d, %[4]d)", func(x *actor, s *Step) string {
	return fileCalls[s.How].call(x, get[File](x, s.O), s.N, s.M)
}}

var closeFile = &verb{"f%[1]d.Close()", func(x *actor, s *Step) string {
	return class(get[File](x, s.O).Close())
}}

var useFile = &verb{"f%[1]d.Read, WriteAt, Stat, Close // it is closed", func(x *actor, s *Step) string {
	f := get[File](x, s.O)
	_, r := f.Read(make([]byte, 4))
	_, w := f.WriteAt([]byte{1}, 0)
	_, st := f.Stat()
	return class(r) + ", " + class(w) + ", " + class(st) + ", " + class(f.Close())
}}

// nameCalls are the calls on names. Each may use two names.
var nameCalls = []struct {
	name  string
	reads bool
	call  func(x *actor, a, b string, n int) string
}{
	{"Stat", true, func(x *actor, a, _ string, _ int) string { return info(x.Files().Stat(a)) }},
	{"Lstat", true, func(x *actor, a, _ string, _ int) string { return info(x.Files().Lstat(a)) }},
	{"ReadDir", true, func(x *actor, a, _ string, _ int) string { return entries(x.Files().ReadDir(filepath.Dir(a))) }},
	{"ReadFile", true, func(x *actor, a, _ string, _ int) string { return gave(x.Files().ReadFile(a)) }},
	{"WriteFile", false, func(x *actor, a, _ string, n int) string {
		return class(x.Files().WriteFile(a, fill(n*9, n), 0o640))
	}},
	{"WriteFileAtomic", false, func(x *actor, a, _ string, n int) string {
		return class(x.Files().WriteFileAtomic(a, fill(n*7, n), 0o640))
	}},
	{"CopyFile", false, func(x *actor, a, b string, _ int) string {
		n, err := x.Files().CopyFile(a, b)
		return valued(int(n), err)
	}},
	{"Mkdir", false, func(x *actor, a, _ string, _ int) string { return class(x.Files().Mkdir(a, 0o700)) }},
	{"MkdirAll", false, func(x *actor, a, _ string, _ int) string { return class(x.Files().MkdirAll(a, 0o700)) }},
	{"Remove", false, func(x *actor, a, _ string, _ int) string { return class(x.Files().Remove(a)) }},
	{"RemoveAll", false, func(x *actor, a, _ string, _ int) string { return class(x.Files().RemoveAll(a)) }},
	{"Rename", false, func(x *actor, a, b string, _ int) string { return class(x.Files().Rename(a, b)) }},
	{"Rename", false, func(x *actor, a, b string, _ int) string { return class(x.Files().Rename(b, a)) }},
	{"Link", false, func(x *actor, a, b string, _ int) string { return class(x.Files().Link(a, b)) }},
	{"Symlink", false, func(x *actor, a, b string, _ int) string {
		return class(x.Files().Symlink(filepath.Base(a), b))
	}},
	{"ReadLink", true, func(x *actor, a, _ string, _ int) string {
		to, err := x.Files().ReadLink(a)
		return class(err) + ", " + to
	}},
	{"Truncate", false, func(x *actor, a, _ string, n int) string { return class(x.Files().Truncate(a, int64(n)*20)) }},
	{"Chmod", false, func(x *actor, a, _ string, n int) string {
		return class(x.Files().Chmod(a, 0o700|fs.FileMode(n%8)))
	}},
	{"Walk", true, func(x *actor, _, _ string, _ int) string {
		var names []string
		err := x.Files().Walk(x.tree(""), func(name string, _ fs.DirEntry, err error) error {
			names = append(names, strings.TrimPrefix(name, x.Dir)+" "+class(err))
			return nil
		})
		return class(err) + ", " + strings.Join(names, ", ")
	}},
}

var nameVerb = &verb{"%[5]s // names %[3]d, %[4]d", func(x *actor, s *Step) string {
	return nameCalls[s.How].call(x, x.tree(nameOf(byte(s.N))), x.tree(nameOf(byte(s.M))), s.N)
}}

var makePipe = &verb{"f%[1]d, f%[2]d = Pipe()", func(x *actor, s *Step) string {
	r, w, err := x.Pipe()
	if err == nil {
		x.objs[s.P] = w
	}
	return put(x, s.O, r, err)
}}

var writePipe = &verb{"f%[1]d.Write(%[7]d)", func(x *actor, s *Step) string {
	return valued(get[File](x, s.O).Write(content(s.Segs)))
}}

var readPipe = &verb{"f%[1]d.Read(%[7]d)", func(x *actor, s *Step) string {
	p := make([]byte, total(s.Segs))
	n, err := io.ReadFull(get[File](x, s.O), p)
	return sawBytes(p[:n], err, s.Segs)
}}

var readPipeEnd = &verb{"f%[1]d.Read to the end // %[7]d", func(x *actor, s *Step) string {
	var b bytes.Buffer
	_, err := io.Copy(&b, plainReader{get[File](x, s.O)})
	return sawBytes(b.Bytes(), err, s.Segs)
}}
