package stage

import (
	"ringo/internal/kernel"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// HostKernel is the whole kernel of a host.
type HostKernel interface {
	kernel.Kernel
	Kernel
}

// Guarded is a host's kernel that goroutines may call too: each of their calls enters the world. Calls on files and
// names are for tasks only, those on descriptors and sockets for all callers.
type Guarded struct {
	HostKernel
	stage *Stage
}

// Guard makes a Guarded.
func Guard(s *Stage, k HostKernel) *Guarded { return &Guarded{k, s} }

// Call enters the world, as the methods below do.
func (g *Guarded) Call(o *op.Op) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.Call(o)
}

func (g *Guarded) Close(fd int32) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.Close(fd)
}

func (g *Guarded) CloseLingering(fd int32) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.CloseLingering(fd)
}

func (g *Guarded) Dup(fd int32) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.Dup(fd)
}

func (g *Guarded) Getfl(fd int32) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.Getfl(fd)
}

func (g *Guarded) Polls(fd int32) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.Polls(fd)
}

func (g *Guarded) Setfl(fd int32, flags int32) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.Setfl(fd, flags)
}

func (g *Guarded) Pipe(size int) (r, w, res int32) {
	defer g.stage.Enter()()
	return g.HostKernel.Pipe(size)
}

func (g *Guarded) Socket(family, kind, protocol int) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.Socket(family, kind, protocol)
}

func (g *Guarded) Socketpair(kind int) (a, b, res int32) {
	defer g.stage.Enter()()
	return g.HostKernel.Socketpair(kind)
}

func (g *Guarded) Bind(fd int32, to *sys.Sockaddr) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.Bind(fd, to)
}

func (g *Guarded) Connect(fd int32, to *sys.Sockaddr) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.Connect(fd, to)
}

func (g *Guarded) Listen(fd int32, backlog int) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.Listen(fd, backlog)
}

func (g *Guarded) Shutdown(fd int32, how int) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.Shutdown(fd, how)
}

func (g *Guarded) Peek(fd int32, p []byte) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.Peek(fd, p)
}

func (g *Guarded) Getsockname(fd int32, sa *sys.Sockaddr) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.Getsockname(fd, sa)
}

func (g *Guarded) Getpeername(fd int32, sa *sys.Sockaddr) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.Getpeername(fd, sa)
}

func (g *Guarded) Getsockopt(fd int32, level, name int) (value, res int32) {
	defer g.stage.Enter()()
	return g.HostKernel.Getsockopt(fd, level, name)
}

func (g *Guarded) Setsockopt(fd int32, level, name, value int) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.Setsockopt(fd, level, name, value)
}

func (g *Guarded) GetsockoptBytes(fd int32, level, name int, p []byte) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.GetsockoptBytes(fd, level, name, p)
}

func (g *Guarded) SetsockoptBytes(fd int32, level, name int, p []byte) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.SetsockoptBytes(fd, level, name, p)
}

func (g *Guarded) SetsockoptFilter(fd int32, level, name int, program []sys.Filter) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.SetsockoptFilter(fd, level, name, program)
}

func (g *Guarded) SetLinger(fd int32, seconds int) int32 {
	defer g.stage.Enter()()
	return g.HostKernel.SetLinger(fd, seconds)
}
