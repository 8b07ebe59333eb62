//go:build linux

package sock_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"

	"ringo"
	"ringo/sock"
)

// BenchmarkBuffers writes 64 slices to a peer that answers when it has all of them: by net.Buffers to package net's
// connection and to ours, which is one Write for each slice, and by WriteV.
func BenchmarkBuffers(b *testing.B) {
	const slices = 64
	for _, size := range []int{16, 256, 1024} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer ln.Close()
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					for p := make([]byte, slices*size); ; {
						if _, err := io.ReadFull(c, p); err != nil {
							return
						}
						c.Write(p[:1])
					}
				}()
			}
		}()
		all := make([][]byte, slices)
		for i := range all {
			all[i] = make([]byte, size)
		}
		work := make(net.Buffers, slices)
		buffers := func(c net.Conn) (int64, error) {
			work = append(work[:0], all...)
			rest := work
			return rest.WriteTo(c)
		}
		writeV := func(c net.Conn) (int64, error) { return c.(*sock.Conn).WriteV(all) }
		turns := func(b *testing.B, c net.Conn, write func(net.Conn) (int64, error)) {
			b.ReportAllocs()
			for p := make([]byte, 1); b.Loop(); {
				if _, err := write(c); err != nil {
					b.Fatal(err)
				}
				if _, err := c.Read(p); err != nil {
					b.Fatal(err)
				}
			}
			c.Close()
		}
		eachSlice := func(c net.Conn) (int64, error) {
			rest := append(work[:0], all...)
			return rest.WriteTo(struct{ io.Writer }{c})
		}
		for how, write := range map[string]func(net.Conn) (int64, error){"Buffers": buffers, "Write": eachSlice} {
			b.Run(fmt.Sprintf("size=%d/net/%s", size, how), func(b *testing.B) {
				c, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				turns(b, c, write)
			})
		}
		for _, driver := range []string{"uring", "epoll"} {
			for how, write := range map[string]func(net.Conn) (int64, error){"Buffers": buffers, "WriteV": writeV} {
				for _, who := range []string{"task", "goroutine"} {
					b.Run(fmt.Sprintf("size=%d/%s/%s/%s", size, driver, who, how), func(b *testing.B) {
						cfg := &ringo.Config{Loops: 1, Driver: driver}
						err := ringo.Run(context.Background(), cfg, func(l *ringo.Loop) error {
							c, err := sock.Dial(l, "tcp", ln.Addr().String())
							if err != nil {
								return err
							}
							if who == "task" {
								turns(b, c, write)
								return nil
							}
							return l.Offload(func(context.Context) error { turns(b, c, write); return nil })
						})
						if err != nil {
							b.Fatal(err)
						}
					})
				}
			}
		}
	}
}
