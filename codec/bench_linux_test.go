//go:build linux

package codec_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"ringo"
	"ringo/codec"
	"ringo/sock"
)

// BenchmarkTokens reads lines, and frames, of 64 bytes from a peer that is always ahead, by tokens and by what package
// bufio has.
func BenchmarkTokens(b *testing.B) {
	line := strings.Repeat("x", 63) + "\n"
	lines := &codec.Delimited{Delim: "\n"}
	frames := &codec.Prefixed{Size: 4}
	tokens := func(c codec.Codec) func(src codec.Source, n int) error {
		return func(src codec.Source, n int) error {
			s := codec.Scanner{Codec: c}
			for _, err := range s.Tokens(src) {
				if n--; err != nil || n <= 0 {
					return err
				}
			}
			return io.EOF
		}
	}
	frame := be(4, 60, strings.Repeat("x", 60))
	b.Run("lines/ringo/task", func(b *testing.B) { onTask(b, line, tokens(lines)) })
	b.Run("lines/net/Tokens", func(b *testing.B) {
		onNet(b, line, func(c net.Conn, n int) error { return tokens(lines)(bufio.NewReader(c), n) })
	})
	b.Run("lines/net/bufio.Scanner", func(b *testing.B) {
		onNet(b, line, func(c net.Conn, n int) error {
			for in := bufio.NewScanner(c); n > 0 && in.Scan(); n-- {
			}
			return nil
		})
	})
	b.Run("lines/net/ReadSlice", func(b *testing.B) {
		onNet(b, line, func(c net.Conn, n int) error {
			for r := bufio.NewReader(c); n > 0; n-- {
				if _, err := r.ReadSlice('\n'); err != nil {
					return err
				}
			}
			return nil
		})
	})
	b.Run("lines/ringo/ReadSlice", func(b *testing.B) {
		onTask(b, line, func(src codec.Source, n int) error {
			for r := bufio.NewReader(src.(io.Reader)); n > 0; n-- {
				if _, err := r.ReadSlice('\n'); err != nil {
					return err
				}
			}
			return nil
		})
	})
	b.Run("frames/ringo/task", func(b *testing.B) { onTask(b, frame, tokens(frames)) })
	b.Run("frames/net/ReadFull", func(b *testing.B) {
		onNet(b, frame, func(c net.Conn, n int) error {
			body := make([]byte, 1<<16)
			for r := bufio.NewReader(c); n > 0; n-- {
				if _, err := io.ReadFull(r, body[:4]); err != nil {
					return err
				}
				if _, err := io.ReadFull(r, body[:binary.BigEndian.Uint32(body)]); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// feed connects, and writes pieces until the peer has gone.
func feed(b *testing.B, addr, piece string) {
	b.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Error(err)
		return
	}
	go func() {
		defer c.Close()
		for all := []byte(strings.Repeat(piece, 1024)); ; {
			if _, err := c.Write(all); err != nil {
				return
			}
		}
	}()
}

// onTask has a task read as many tokens as the benchmark asks for.
func onTask(b *testing.B, piece string, read func(src codec.Source, n int) error) {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		feed(b, ln.Addr().String(), piece)
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		defer c.Close()
		measure(b, piece)
		return read(c, b.N)
	})
	if err != nil {
		b.Error(err)
	}
}

// onNet has a goroutine do so on a connection of package net.
func onNet(b *testing.B, piece string, read func(c net.Conn, n int) error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	feed(b, ln.Addr().String(), piece)
	c, err := ln.Accept()
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	measure(b, piece)
	if err := read(c, b.N); err != nil {
		b.Error(err)
	}
}

func measure(b *testing.B, piece string) {
	b.SetBytes(int64(len(piece)))
	b.ReportAllocs()
	b.ResetTimer()
}

// BenchmarkSplit is what a token costs that is here.
func BenchmarkSplit(b *testing.B) {
	line := []byte(strings.Repeat("x", 62) + "\r\n")
	frame := []byte(be(4, 60, strings.Repeat("x", 60)))
	short := []byte(varint(62, strings.Repeat("x", 62)))
	for name, c := range map[string]struct {
		split bufio.SplitFunc
		data  []byte
	}{
		"line":            {(&codec.Scanner{Codec: &codec.Delimited{Delim: "\r\n"}}).Split, line},
		"bufio.ScanLines": {bufio.ScanLines, line},
		"frame":           {(&codec.Scanner{Codec: &codec.Prefixed{Size: 4}}).Split, frame},
		"varint":          {(&codec.Scanner{Codec: &codec.Prefixed{}}).Split, short},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if n, _, err := c.split(c.data, false); n == 0 || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}
