package sock_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"

	"ringo"
	"ringo/file"
	"ringo/sock"
)

// A part of a file is sent behind a head: by sendfile where it is in memory, and else from a buffer that a
// read of the disk has filled, for which the task parks and its loop does not.
func ExampleConn_SendFile() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "numbers")
	if err := os.WriteFile(name, []byte(strings.Repeat("0123456789", 100_000)), 0o600); err != nil {
		log.Fatal(err)
	}
	err = ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		if l.Index() > 0 {
			return nil
		}
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		client := l.Go(func() {
			l.Offload(func(context.Context) error {
				c, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					return err
				}
				defer c.Close()
				got, err := io.ReadAll(c)
				fmt.Println(len(got), string(got[:12]), err)
				return err
			})
		})
		defer client.Wait()
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		defer c.Close()
		f, err := file.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		return sendPart(c, []byte("head: "), f, 5, 500_000)
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 500006 head: 567890 <nil>
}

func sendPart(c *sock.Conn, head []byte, f *file.File, off, n int64) error {
	const most = 256 << 10
	var p []byte
	for n > 0 {
		m := int(min(n, most))
		in, err := f.Cached(off, int64(m))
		if in && err == nil {
			if m, err = c.SendFile(head, f, off, int64(m)); err != nil {
				return err
			}
		} else {
			p = append(p[:0], head...)
			p = append(p, make([]byte, m)...)
			if _, err := f.ReadAt(p[len(head):], off); err != nil {
				return err
			}
			if _, err := c.Write(p); err != nil {
				return err
			}
		}
		head, off, n = nil, off+int64(m), n-int64(m)
	}
	return nil
}
