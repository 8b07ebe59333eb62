package memkernel

import (
	"fmt"

	"ringo/internal/fd"
	"ringo/internal/kernel"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// either is a kernel: the system's, or one in memory.
type either struct {
	kernel.Kernel
	do  func(o *op.Op) int32
	dir string
	fds []int32 // by the numbers that a script knows
}

func (k *either) op(code op.Code, number int32, fill func(o *op.Op)) int32 {
	o := &op.Op{Code: code, Off: -1, Ext: &op.Ext{Name: new(op.Name)}}
	if number != sys.AtFdcwd {
		o.FD = new(fd.FD)
		o.FD.Init(number)
	}
	if fill != nil {
		fill(o)
	}
	return k.do(o)
}

// take gives a descriptor that came the next of the script's numbers, of which there is nothing else to compare.
func (k *either) take(fd int32) string {
	if fd < 0 {
		return fmt.Sprint(fd)
	}
	k.fds = append(k.fds, fd)
	return "a descriptor"
}

func (k *either) fd(i int) int32 {
	if len(k.fds) == 0 {
		return -1
	}
	return k.fds[i%len(k.fds)]
}

func (k *either) path(name string) []byte { return append([]byte(k.dir+"/"+name), 0) }

func (k *either) closeAll() {
	for _, fd := range k.fds {
		k.Close(fd)
	}
}

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i>>8 + n)
	}
	return p
}

// bindTo binds a socket of its own to an address, and says how that ends.
func (k *either) bindTo(at *sys.Sockaddr, reuse int) (fd, res int32) {
	fd = k.Socket(sys.AFInet, sys.SockStream, 0)
	k.Setsockopt(fd, sys.SolSocket, sys.SoReuseaddr, reuse)
	return fd, k.Bind(fd, at)
}
