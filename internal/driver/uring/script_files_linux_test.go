//go:build linux

package uring

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// folder is where a world's ops on names and writes of files go. Each op has a name, or a
// place, of its own, by which it can be told whether it was done.
type folder struct {
	fd.FD
	path string
	sink fd.FD // what is written goes there
	used int   // names and places so far
}

const (
	placeSize = 256 // of a write in the sink
	sinkSize  = 1 << 20
	there     = "there" // a file that is there from the beginning
)

func (w *world) openFolder() *folder {
	if w.folder != nil {
		return w.folder
	}
	d := new(folder)
	var err error
	if d.path, err = os.MkdirTemp("", "script"); err != nil {
		w.Fatal(err)
	}
	d.make(w, there)
	n, err := unix.Open(d.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		w.Fatal(err)
	}
	d.Init(int32(n))
	if n, err = unix.MemfdCreate("sink", unix.MFD_CLOEXEC); err != nil {
		w.Fatal(err)
	}
	d.sink.Init(int32(n))
	if err := unix.Ftruncate(n, sinkSize); err != nil {
		w.Fatal(err)
	}
	w.folder = d
	return d
}

func (d *folder) make(w *world, name string) {
	if err := os.WriteFile(filepath.Join(d.path, name), []byte("content"), 0o600); err != nil {
		w.Fatal(err)
	}
}

func (d *folder) has(name string) bool {
	_, err := os.Lstat(filepath.Join(d.path, name))
	return err == nil
}

func (d *folder) finish(w *world) {
	if d.Busy() || d.sink.Busy() {
		w.fail("a folder or a file is held after Close")
	}
	sys.Close(d.Sys())
	sys.Close(d.sink.Sys())
	if err := os.RemoveAll(d.path); err != nil {
		w.Fatal(err)
	}
}

// fileRows makes an op of each row that goes by an entry to a thread of the kernel's, with
// what is to be true of it when it has ended.
var fileRows = map[op.Code]func(w *world) *call{
	op.ReadAt: func(w *world) *call { return w.readsFile(op.ReadAt, 100, 30) },
	op.ReadVec: func(w *world) *call {
		c := w.readsFile(op.ReadVec, 100, 30)
		w.slab.Ext(c.o).SetVec([][]byte{c.in[:30], c.in[30:]}, 0)
		return c
	},
	op.WriteAt: func(w *world) *call {
		c := w.writesFile(op.WriteAt)
		c.o.Buf = c.out
		return c
	},
	op.WriteVec: func(w *world) *call {
		c := w.writesFile(op.WriteVec)
		w.slab.Ext(c.o).SetVec([][]byte{c.out[:70], c.out[70:]}, 0)
		return c
	},
	op.Sync: func(w *world) *call { return w.onSink(op.Sync, 0) },
	op.Allocate: func(w *world) *call {
		c := w.onSink(op.Allocate, 0)
		w.slab.Ext(c.o).Len = sinkSize
		return c
	},
	op.Ftruncate: func(w *world) *call { return w.onSink(op.Ftruncate, sinkSize) },
	op.Openat2: func(w *world) *call {
		c := w.named(op.Openat2, "", "", false)
		c.o.Ext.Name.How = sys.OpenHow{Flags: unix.O_RDWR | unix.O_CREAT | unix.O_CLOEXEC, Mode: 0o600}
		return c
	},
	op.Statx: func(w *world) *call {
		c := w.named(op.Statx, there, "", false)
		c.then = func(res int32, done bool) {
			if size := c.o.Ext.Name.Stat.Size; done && size != uint64(len("content")) {
				w.fail("%s gave a size of %d", c, size)
			}
		}
		return c
	},
	op.Mkdirat: func(w *world) *call {
		c := w.named(op.Mkdirat, "", "", false)
		c.o.Ext.Name.How.Mode = 0o700
		return c
	},
	op.Unlinkat:  func(w *world) *call { return w.named(op.Unlinkat, "", "", true) },
	op.Renameat:  func(w *world) *call { return w.named(op.Renameat, "", "to", true) },
	op.Linkat:    func(w *world) *call { return w.named(op.Linkat, "", "to", true) },
	op.Symlinkat: func(w *world) *call { return w.named(op.Symlinkat, "", "to", false) },
}

// readsFile reads a part of the file whose bytes are their own places.
func (w *world) readsFile(code op.Code, n int, at int64) *call {
	c := w.op(code, &w.openFile().FD)
	c.in = make([]byte, n)
	c.o.Buf, c.o.Off = c.in, at
	if code == op.ReadVec {
		c.o.Buf = nil
	}
	c.then = func(res int32, done bool) {
		if done {
			w.accountFile(c, res)
		}
	}
	return c
}

// writesFile writes to a place of its own, at which there is what the result says.
func (w *world) writesFile(code op.Code) *call {
	d := w.openFolder()
	c := w.op(code, &d.sink)
	d.used++
	at := int64(d.used) * placeSize % sinkSize
	c.o.Off = at
	c.out = make([]byte, placeSize/2)
	for i := range c.out {
		c.out[i] = byte(1 + (i+d.used)%255)
	}
	c.then = func(res int32, done bool) {
		got := make([]byte, placeSize)
		if _, err := unix.Pread(int(d.sink.Sys()), got, at); err != nil {
			w.Fatal(err)
		}
		n := int(max(res, 0))
		if n > len(c.out) || string(got[:n]) != string(c.out[:n]) ||
			string(got[n:]) != string(make([]byte, placeSize-n)) {
			w.fail("%s gave %d, and others were written", c, res)
		}
		if done && (n == 0 || c.o.Flags&op.Full != 0 && n < len(c.out) && !c.canceled && !w.closed && !w.failed(c)) {
			w.fail("%s of %d bytes gave %d", c, len(c.out), res)
		}
	}
	return c
}

// onSink is an op whose effect is there already.
func (w *world) onSink(code op.Code, off int64) *call {
	c := w.op(code, &w.openFolder().sink)
	c.o.Off = off
	c.then = func(res int32, done bool) {
		if done && res != 0 {
			w.fail("%s gave %d", c, res)
		}
	}
	return c
}

// named is an op on a name of its own, or on the one given, and on another name if to has
// one. Was says that the first is there before. It is done or not, as the result says.
func (w *world) named(code op.Code, name, to string, was bool) *call {
	d := w.openFolder()
	c := w.op(code, &d.FD)
	d.used++
	id := strconv.Itoa(d.used)
	if name == "" {
		name = "name" + id
	}
	if was {
		d.make(w, name)
	}
	x := w.slab.Ext(c.o)
	x.Name = &op.Name{Path: append([]byte(name), 0), ToDir: d.Sys()}
	if to != "" {
		to += id
		x.Name.To = append([]byte(to), 0)
	}
	c.then = func(res int32, done bool) {
		has, hasTo := d.has(name), to != "" && d.has(to)
		want, wantTo := was, false
		switch code {
		case op.Openat2, op.Mkdirat, op.Symlinkat:
			want = done
		case op.Unlinkat:
			want = !done
		case op.Renameat:
			want, wantTo = !done, done
		case op.Linkat:
			wantTo = done
		}
		// Of an open that nobody wants any more the file may be there.
		if late := code == op.Openat2 && !done && (c.canceled || w.closed) &&
			c.o.Flags&op.Keep == 0; (has != want && !late) || hasTo != wantTo {
			w.fail("%s gave %d; the name is there: %v, want %v; the other one: %v, want %v", c, res,
				has, want, hasTo, wantTo)
		}
		if done && code == op.Openat2 {
			sys.Close(res)
		}
	}
	return c
}

// accountFileOp holds the end of an op of fileRows against the model.
func (w *world) accountFileOp(c *call, res int32) {
	ended := res == -int32(unix.ECANCELED) && (c.canceled || w.closed)
	if res < 0 && !ended && !w.k.Injected(c.token, res) {
		w.fail("%s completed with %d", c, res)
	}
	c.then(res, res >= 0)
}

// failed reports whether the script has had an op fail.
func (w *world) failed(c *call) bool {
	for _, errno := range fileErrnos {
		if w.k.Injected(c.token, -int32(errno)) {
			return true
		}
	}
	return false
}

var fileErrnos = []unix.Errno{unix.EIO, unix.ENOSPC, unix.EDQUOT, unix.EROFS}
