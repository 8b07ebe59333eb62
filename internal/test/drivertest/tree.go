package drivertest

import (
	"strings"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/test/linux"
)

// Ops on names and directories, whose calls may wait for a disk.
var treeCases = []testCase{
	{name: "open", run: onWays(treeOpen)},
	{name: "open no way out", run: onWays(treeBeneath)},
	{name: "stat", run: onWays(treeStat)},
	{name: "what is in memory can be tried", run: treeCached},
	{name: "make, rename and remove", run: onWays(treeNames)},
	{name: "two directories", run: onWays(treeTwo)},
	{name: "links", run: onWays(treeLinks)},
	{name: "cancel at once", run: onWays(treeCancel)},
	{name: "cancel tells what was made", run: onWays(treeCancelKept)},
}

// dir makes a directory, with a file "f" that holds "0123456789".
func (h *harness) dir() (name string, f *desc) {
	h.Helper()
	name = h.m.folder(h.T)
	h.writeFile(name+"/f", "0123456789", 0o600)
	return name, h.open(name, 0|sys.ODirectory)
}

// named builds an op on a name relative to dir; a nil dir is the working directory.
func (h *harness) named(code op.Code, dir *desc, path string) *call {
	h.Helper()
	c := h.op(code, dir)
	h.slab.Ext(c.o).Name = &op.Name{Path: nulled(path)}
	return c
}

func nulled(path string) []byte { return append([]byte(path), 0) }

// to sets the op's second name.
func (c *call) to(dir *desc, path string) *call {
	c.o.Ext.Name.To = nulled(path)
	if dir != nil {
		c.o.Ext.Name.ToDir = dir.Sys()
	}
	return c
}

func (c *call) how(flags, mode, resolve uint64) *call {
	c.o.Ext.Name.How = sys.OpenHow{Flags: flags | sys.OCloexec, Mode: mode, Resolve: resolve}
	return c
}

// opened waits for the end of an open and returns its descriptor.
func (c *call) opened() *desc {
	c.h.Helper()
	n := c.end()
	if n < 0 {
		c.h.Fatalf("%s gave %s, want a descriptor", c, show(n))
	}
	return c.h.desc(n)
}

func (h *harness) wantNames(dir, want string) {
	h.Helper()
	names, res := h.m.names(dir)
	h.checkRes(res)
	if got := strings.Join(names, " "); got != want {
		h.Fatalf("%s has %q, want %q", dir, got, want)
	}
}

func (h *harness) wantMode(name string, want uint32) {
	h.Helper()
	if mode, res := h.m.mode(name); res < 0 || mode != want {
		h.Errorf("the mode of %s is %#o, %s; want %#o", name, mode, show(res), want)
	}
}

func treeOpen(h *harness, flags op.Flags) {
	name, d := h.dir()
	f := h.named(op.Openat2, d, "f").how(sys.ORdwr, 0, 0).with(flags).submit().opened()
	if got := h.content(f); got != "0123456789" {
		h.Errorf("the file has %q", got)
	}
	if h.m.inherited(f.Sys()) {
		h.Error("children inherit the descriptor")
	}
	h.named(op.Openat2, nil, name+"/new").how(sys.OWronly|sys.OCreat|sys.OExcl, 0o500,
		0).with(flags).submit().opened()
	h.wantMode(name+"/new", linux.S_IFREG|0o500)
	h.named(op.Openat2, d, "new").how(sys.OWronly|sys.OCreat|sys.OExcl, 0o500,
		0).with(flags).submit().want(-sys.EEXIST)
	h.named(op.Openat2, d, "none").how(0, 0, 0).with(flags).submit().want(-sys.ENOENT)
	h.named(op.Openat2, d, "f/x").how(0, 0, 0).with(flags).submit().want(-sys.ENOTDIR)
}

// beneath skips the case where there is no openat2.
func (h *harness) beneath() {
	h.Helper()
	how := sys.OpenHow{Flags: sys.OPath | sys.OCloexec, Resolve: sys.ResolveBeneath}
	res := h.m.Openat2(sys.AtFdcwd, nulled("."), &how)
	if res < 0 {
		h.Skipf("openat2 is refused: %s", show(res))
	}
	h.m.Close(res)
}

func treeBeneath(h *harness, flags op.Flags) {
	h.beneath()
	name, d := h.dir()
	h.checkRes(h.m.symlink("../", name+"/up"))
	h.checkRes(h.m.symlink("/", name+"/root"))
	h.checkRes(h.m.symlink("f", name+"/fine"))
	for path, want := range map[string]int32{"..": -sys.EXDEV, "/": -sys.EXDEV, "up": -sys.EXDEV, "up/x": -sys.EXDEV,
		"root/etc": -sys.EXDEV} {
		h.named(op.Openat2, d, path).how(0, 0, sys.ResolveBeneath).with(flags).submit().want(want)
	}
	h.named(op.Openat2, d, "fine").how(0, 0, sys.ResolveBeneath).with(flags).submit().opened()
}

func treeStat(h *harness, flags op.Flags) {
	name, d := h.dir()
	h.checkRes(h.m.symlink("f", name+"/link"))
	for path, want := range map[string]uint16{"f": linux.S_IFREG | 0o600, "link": linux.S_IFREG | 0o600} {
		c := h.named(op.Statx, d, path).with(flags)
		st := &c.o.Ext.Name.Stat
		c.submit().want(0)
		if st.Mode != want || st.Size != 10 || st.Nlink != 1 {
			h.Errorf("%s has mode %o, size %d and %d names, want mode %o", path, st.Mode, st.Size, st.Nlink, want)
		}
	}
	c := h.named(op.Statx, d, "link").flags(sys.AtSymlinkNofollow).with(flags)
	st := &c.o.Ext.Name.Stat
	c.submit().want(0)
	if st.Mode&linux.S_IFMT != linux.S_IFLNK {
		h.Errorf("the link has mode %o", st.Mode)
	}
	h.named(op.Statx, nil, name+"/none").with(flags).submit().want(-sys.ENOENT)
}

// A Try of an op on names answers from what the kernel has in memory. An op that would make a file can't be answered
// so.
func treeCached(h *harness) {
	h.beneath()
	name, d := h.dir()
	n := &op.Name{Path: nulled("f")}
	tried := func(code op.Code) (int32, bool) {
		return h.try(&op.Op{Code: code, FD: &d.FD, Ext: &op.Ext{Name: n}})
	}
	switch res, ok := tried(op.Statx); {
	case ok && res == -sys.EOPNOTSUPP:
		h.Skip("this kernel has no RESOLVE_CACHED")
	case !ok && n.Stat.DevMajor == 0: // the file system may have to ask a server
	case !ok || res != 0 || n.Stat.Size != 10:
		h.Errorf("Try of a stat gave %s, %v and size %d", show(res), ok, n.Stat.Size)
	}
	n.How.Flags = sys.OCloexec
	res, ok := tried(op.Openat2)
	if !ok || res < 0 {
		h.Fatalf("Try of an open gave %s, %v", show(res), ok)
	}
	h.desc(res)
	n.Path, n.How = nulled("new"), sys.OpenHow{Flags: sys.OCloexec}
	if res, ok := tried(op.Openat2); ok && res != -sys.ENOENT { // the last lookup has cached that there is none
		h.Errorf("Try of an open of nothing gave %s", show(res))
	}
	n.How = sys.OpenHow{Flags: sys.OCloexec | sys.OCreat, Mode: 0o600}
	if res, ok := tried(op.Openat2); ok {
		h.Errorf("Try of an open that makes a file gave %s", show(res))
	}
	h.checkRes(h.m.fifo(name + "/fifo"))
	n.Path, n.How = nulled("fifo"), sys.OpenHow{Flags: sys.OCloexec}
	if res, ok := tried(op.Openat2); ok {
		h.Errorf("Try of the open of a FIFO gave %s", show(res))
	}
	n.Path = nulled("made")
	if res, ok := tried(op.Mkdirat); !ok || res != -sys.EOPNOTSUPP {
		h.Errorf("Try of a mkdir gave %s, %v", show(res), ok)
	}
	h.wantNames(name, "f fifo")
}

func treeNames(h *harness, flags op.Flags) {
	name, d := h.dir()
	h.named(op.Mkdirat, d, "dir").how(0, 0o500, 0).with(flags).submit().want(0)
	h.wantMode(name+"/dir", linux.S_IFDIR|0o500)
	h.named(op.Mkdirat, d, "dir").how(0, 0o500, 0).with(flags).submit().want(-sys.EEXIST)
	h.named(op.Renameat, d, "dir").to(d, "f").flags(sys.RenameNoreplace).with(flags).submit().want(-sys.EEXIST)
	h.named(op.Renameat, d, "dir").to(d, "f").flags(sys.RenameExchange).with(flags).submit().want(0)
	h.named(op.Unlinkat, d, "f").with(flags).submit().want(-sys.EISDIR)
	h.named(op.Unlinkat, d, "f").flags(sys.AtRemovedir).with(flags).submit().want(0)
	h.wantNames(name, "dir")
	h.named(op.Renameat, nil, name+"/dir").to(nil, name+"/g").with(flags).submit().want(0)
	h.wantNames(name, "g")
	h.named(op.Unlinkat, d, "g").with(flags).submit().want(0)
	h.named(op.Unlinkat, d, "g").with(flags).submit().want(-sys.ENOENT)
	h.wantNames(name, "")
}

func treeTwo(h *harness, flags op.Flags) {
	a, from := h.dir()
	b, into := h.dir()
	h.named(op.Linkat, from, "f").to(into, "other").with(flags).submit().want(0)
	h.wantNames(b, "f other")
	h.named(op.Renameat, from, "f").to(into, "moved").with(flags).submit().want(0)
	h.wantNames(a, "")
	h.wantNames(b, "f moved other")
}

func treeLinks(h *harness, flags op.Flags) {
	name, d := h.dir()
	h.named(op.Symlinkat, d, "link").to(nil, "where/ever").with(flags).submit().want(0)
	if to, res := h.m.leads(name + "/link"); to != "where/ever" {
		h.Errorf("the link leads to %q, %s", to, show(res))
	}
	h.named(op.Linkat, d, "link").to(d, "both").with(flags).submit().want(0)
	if to, res := h.m.leads(name + "/both"); to != "where/ever" {
		h.Errorf("the link's second name leads to %q, %s", to, show(res))
	}
	h.named(op.Linkat, d, "link").to(d, "none").flags(sys.AtSymlinkFollow).with(flags).submit().want(-sys.ENOENT)
}

// A cancelled op on names ends once: as cancelled, or with the result of its call. If it ends as cancelled it has
// changed nothing, and a descriptor that it opened is closed.
func treeCancel(h *harness, flags op.Flags) {
	name, d := h.dir()
	for _, build := range []func() *call{
		func() *call { return h.named(op.Openat2, d, "f").how(0, 0, 0) },
		func() *call { return h.named(op.Statx, d, "none") },
		func() *call { return h.named(op.Mkdirat, d, "f") },
		func() *call { return h.named(op.Unlinkat, d, "none") },
		func() *call { return h.named(op.Renameat, d, "none").to(d, "x") },
		func() *call { return h.named(op.Linkat, d, "none").to(d, "x") },
		func() *call { return h.named(op.Symlinkat, d, "f").to(nil, "x") },
	} {
		c := build().with(flags)
		if res := c.submit().cancel().end(); res >= 0 {
			h.Errorf("%s was cancelled, would have failed, and gave %s", c, show(res))
		}
	}
	h.wantNames(name, "f")
}

// An open that creates a file, has op.Keep and is cancelled either has created none, or returns its descriptor.
func treeCancelKept(h *harness, flags op.Flags) {
	name, d := h.dir()
	for range 40 {
		c := h.named(op.Openat2, d, "new").how(sys.OWronly|sys.OCreat|sys.OExcl, 0o600,
			0).with(flags | op.Keep).submit()
		h.wait(driver.Poll)
		if !c.ended {
			c.cancel()
		}
		res := c.end()
		if _, there := h.m.mode(name + "/new"); (there >= 0) != (res >= 0) {
			h.Fatalf("the open gave %s, and the file: %s", show(res), show(there))
		}
		if res >= 0 {
			h.checkRes(h.m.Close(res))
			h.checkRes(h.m.remove(name + "/new"))
		}
	}
}
