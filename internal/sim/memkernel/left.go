package memkernel

import (
	"fmt"
	"path"
	"strings"

	"ringo/internal/sys"
)

// Describe lists what is open, by descriptor, at most most of it, for people who look for what they have not closed.
func (h *Host) Describe(most int) (all []string) {
	for _, n := range h.numbers {
		if n == nil {
			continue
		}
		if len(all) == most {
			return append(all, "...")
		}
		all = append(all, h.describe(n.file.object))
	}
	return all
}

func (h *Host) describe(o object) string {
	switch o := o.(type) {
	case *file:
		if name := pathOf(h.root, "/", o.inode); name != "" {
			return name
		}
		return "a file without a name"
	case *socket:
		return o.describe()
	case readEnd:
		return "read end of a pipe"
	case writeEnd:
		return "write end of a pipe"
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", o), "*memkernel.")
}

func (s *socket) describe() string {
	kind, local, remote := "tcp", s.name, s.peerName
	switch {
	case s.family == sys.AFUnix:
		kind = "unix"
	case s.kind == sys.SockDgram:
		kind = "udp"
	}
	if s.local.IsValid() {
		local = s.local.String()
	}
	if s.remote.IsValid() {
		remote = s.remote.String()
	}
	what := kind + " socket"
	switch s.state {
	case listening:
		what = kind + " listener"
	case connected, closed:
		what = kind + " connection"
	}
	if local != "" {
		what += " " + local
	}
	if remote != "" {
		what += " to " + remote
	}
	return what
}

// pathOf returns a path of an inode at or below a directory; "" if there is none.
func pathOf(dir *inode, name string, of *inode) string {
	if dir == of {
		return name
	}
	for x := range dir.entries.all() {
		if at := pathOf(x.inode, path.Join(name, x.name), of); at != "" {
			return at
		}
	}
	return ""
}
