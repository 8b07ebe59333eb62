// Cat is libuv's uvcat by package event: it opens files, reads them in pieces and writes the pieces to stdout. All of
// that is done in callbacks, and none of them waits for a disk: event.Go makes a call that may wait in a task, and then
// calls the callback with its result.
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"os"

	"ringo"
	"ringo/event"
	"ringo/file"
)

func main() {
	if err := cat(os.Stdout, os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

// cat prints the files one after the other.
func cat(out io.Writer, names []string) error {
	c := &printer{out: out, names: names, piece: make([]byte, 64<<10)}
	err := event.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *event.Loop) error {
		c.l = l
		c.next()
		return nil
	})
	return errors.Join(err, c.err)
}

// printer is the state between callbacks.
type printer struct {
	l     *event.Loop
	out   io.Writer
	names []string
	f     *file.File
	off   int64
	piece []byte
	err   error
}

// next opens the next file.
func (c *printer) next() {
	if len(c.names) == 0 {
		return // nothing is active any more, so the loop ends
	}
	name := c.names[0]
	c.names = c.names[1:]
	event.Go(c.l, func() (*file.File, error) { return file.Open(name) }, c.opened)
}

// opened begins to read the file.
func (c *printer) opened(f *file.File, err error) {
	if err != nil {
		c.err = err
		return
	}
	c.f, c.off = f, 0
	c.read()
}

// read reads the next piece. The callback wasRead gets the result.
func (c *printer) read() {
	event.Go(c.l, func() (int, error) { return c.f.ReadAt(c.piece, c.off) }, c.wasRead)
}

// wasRead writes a piece. At the end of the file there may be a last piece with io.EOF.
func (c *printer) wasRead(n int, err error) {
	c.off += int64(n)
	write := func() (int, error) {
		written := 0
		failed := c.l.Ringo().Offload(func(context.Context) (failed error) { // out may block: on a goroutine
			written, failed = c.out.Write(c.piece[:n])
			return failed
		})
		return written, failed
	}
	event.Go(c.l, write, func(_ int, failed error) {
		if failed != nil {
			err = failed // and not the end of the file
		}
		c.written(err)
	})
}

// written continues after a piece, or ends the file; err is the error of reading or writing the piece.
func (c *printer) written(err error) {
	if err == nil {
		c.read()
		return
	}
	f := c.f
	event.Go(c.l, func() (bool, error) { return true, f.Close() }, func(_ bool, closed error) {
		if !errors.Is(err, io.EOF) || closed != nil {
			c.err = errors.Join(err, closed)
			return
		}
		c.next()
	})
}
