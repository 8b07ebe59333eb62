package relay

import (
	"io"
	"net"
	"os"
	"reflect"
	"sync"
	"syscall"

	"ringo/internal/kernel"
	"ringo/internal/sys"
)

// The standard library hands its own connections and files to other code in wrappers that it does not export: io.Copy
// to or from a *net.TCPConn, or from an *os.File, calls ReadFrom or WriteTo of the other end with a wrapper, so as not
// to be called back. What is in such a wrapper can be spliced like the connection itself. What a program wraps around
// a connection can't, since it may do anything to the bytes. To tell the two apart, the library is made to pass its
// wrappers once, of a socket that is not connected and of a pipe, and their types are kept.

// wrappers holds the library's types, which are found out when the first value comes that may be one.
var wrappers struct {
	mu    sync.Mutex
	conns map[reflect.Type]bool
	files map[reflect.Type]bool
}

// netConn returns the connection of package net in v; nil if there is none.
func netConn(v any) net.Conn {
	switch c := v.(type) {
	case *net.TCPConn:
		return c
	case *net.UnixConn:
		return c
	case *net.UDPConn:
		return c
	case *net.IPConn:
		return c
	}
	inner, t := embedded[*net.TCPConn](v)
	if t == nil {
		return nil
	}
	wrappers.mu.Lock()
	defer wrappers.mu.Unlock()
	if wrappers.conns == nil {
		wrappers.conns = connWrappers()
	}
	if !wrappers.conns[t] {
		return nil
	}
	return inner
}

// File is a file whose bytes the kernel can be asked to send.
type File interface {
	syscall.Conn
	Stat() (os.FileInfo, error)
}

// files finds files of other packages: see Know.
var files []func(v any) File

// Know makes FileOf find the files of another package, by a function that returns nil for everything else. Call it in
// init.
func Know(find func(v any) File) { files = append(files, find) }

// FileOf returns the file in v, with or without a wrapper of the file's own package; nil if there is none.
func FileOf(v any) File {
	for _, find := range files {
		if f := find(v); f != nil {
			return f
		}
	}
	if f := osFile(v); f != nil {
		return f
	}
	return nil
}

func osFile(v any) *os.File {
	if f, ok := v.(*os.File); ok {
		return f
	}
	inner, t := embedded[*os.File](v)
	if t == nil {
		return nil
	}
	wrappers.mu.Lock()
	defer wrappers.mu.Unlock()
	if wrappers.files == nil {
		wrappers.files = fileWrappers()
	}
	if !wrappers.files[t] {
		return nil
	}
	return inner
}

// embedded returns the T that the struct v embeds, and the struct's type; nil if v is not such a struct.
func embedded[T any](v any) (inner T, t reflect.Type) {
	s := reflect.ValueOf(v)
	if s.Kind() != reflect.Struct {
		return inner, nil
	}
	for i := range s.NumField() {
		if s.Type().Field(i).Anonymous && s.Field(i).CanInterface() {
			if inner, ok := s.Field(i).Interface().(T); ok {
				return inner, s.Type()
			}
		}
	}
	return inner, nil
}

// probe is the other end of a copy that moves nothing: it records the types that it is called with.
type probe struct{ met map[reflect.Type]bool }

func (p probe) ReadFrom(r io.Reader) (int64, error) { p.met[reflect.TypeOf(r)] = true; return 0, nil }
func (p probe) WriteTo(w io.Writer) (int64, error)  { p.met[reflect.TypeOf(w)] = true; return 0, nil }
func (p probe) Read([]byte) (int, error)            { return 0, io.EOF }
func (p probe) Write(b []byte) (int, error)         { return len(b), nil }

// connWrappers returns the types in which package net passes its streams; nil if they can't be found out, because
// there is no descriptor left, or none that package net accepts.
func connWrappers() map[reflect.Type]bool {
	n := kernel.Host{}.Socket(sys.AFInet, sys.SockStream, 0)
	if n < 0 {
		return nil
	}
	f, err := kernel.OSFile(n, "socket")
	if err != nil {
		return nil
	}
	c, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return nil
	}
	defer c.Close()
	met := map[reflect.Type]bool{}
	c.(io.ReaderFrom).ReadFrom(probe{met})
	c.(io.WriterTo).WriteTo(probe{met})
	return met
}

// fileWrappers returns the types in which package os passes its files.
func fileWrappers() map[reflect.Type]bool {
	r, w, res := kernel.Host{}.Pipe(0)
	if res < 0 {
		return nil
	}
	kernel.Host{}.Close(w)
	f, err := kernel.OSFile(r, "pipe")
	if err != nil {
		return nil
	}
	defer f.Close()
	met := map[reflect.Type]bool{}
	f.WriteTo(probe{met})
	return met
}
