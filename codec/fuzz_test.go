package codec_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"

	"ringo/codec"
)

// cutter reads pieces of these sizes, again and again.
type cutter struct {
	rest, sizes []byte
	at          int
}

func (c *cutter) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := 1
	if len(c.sizes) > 0 {
		n = 1 + int(c.sizes[c.at%len(c.sizes)])
		c.at++
	}
	n = copy(p[:min(n, len(p))], c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// uncut is what a stream has that is there at once.
func uncut(c codec.Codec, stream []byte) (tokens []string, made []byte, err error) {
	s := codec.Scanner{Codec: c}
	for {
		n, token, err := s.Split(stream[len(made):], true)
		if n == 0 {
			return tokens, made, err
		}
		tokens = append(tokens, string(token))
		made = stream[:len(made)+n]
	}
}

// remade is what Append and AppendLength make of tokens. Frames have bytes before their lengths that no token shows,
// and varints more bytes than they need: those are taken from the stream.
func remade(c codec.Codec, tokens []string, stream []byte) (all []byte, err error) {
	for _, token := range tokens {
		switch c := c.(type) {
		case *codec.Delimited:
			all, err = c.Append(all, []byte(token))
		case *codec.Prefixed:
			from := len(all)
			all = append(all, stream[from:from+c.Offset]...)
			body, size := []byte(token), c.Size
			if size == 0 {
				_, size = binary.Uvarint(stream[len(all):])
			}
			if c.Whole {
				body = body[c.Offset+size:]
			}
			before := len(all)
			if all, err = c.AppendLength(all, len(body)); len(all) < before+size {
				all = append(all[:before], stream[before:before+size]...)
			}
			all = append(all, body...)
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// class is what callers know an error by.
func class(err error) string {
	switch {
	case err == nil:
		return "none"
	case errors.Is(err, bufio.ErrTooLong):
		return "too long"
	}
	return err.Error()
}

// FuzzStreams cuts streams anywhere: by each way of reading they must have the tokens, and the end, that they have in
// one piece. What was read is made again.
func FuzzStreams(f *testing.F) {
	for i, c := range cases {
		stream, cuts := []byte(c.stream[:min(len(c.stream), 500)]), []byte{0, byte(i), 2}
		switch c := c.codec.(type) {
		case *codec.Delimited:
			f.Add(stream, cuts, c.Delim, c.Max, uint8(0), uint8(0), 0, uint8(0))
		case *codec.Prefixed:
			kind := uint8(1)
			if c.Order == binary.LittleEndian {
				kind |= 2
			}
			if c.Whole {
				kind |= 4
			}
			f.Add(stream, cuts, "", c.Max, uint8(c.Size), uint8(c.Offset), c.Adjust, kind)
		}
	}
	f.Fuzz(func(t *testing.T, stream, cuts []byte, delim string, bound int, size, offset uint8, adjust int,
		kind uint8) {
		if bound < 0 || len(stream) > 2000 {
			t.Skip("no bound, or too long: some of the ways below copy all of it for each byte")
		}
		var c codec.Codec = &codec.Delimited{Delim: cmp.Or(delim, "\n"), Max: bound}
		if kind&1 != 0 {
			p := &codec.Prefixed{Size: int(size % 9), Offset: int(offset), Adjust: adjust, Max: bound}
			if kind&2 != 0 {
				p.Order = binary.LittleEndian
			}
			p.Whole = kind&4 != 0
			c = p
		}
		want, made, end := uncut(c, stream)
		for name, way := range ways {
			got, err := way(c, &cutter{rest: stream, sizes: cuts})
			if !slices.Equal(got, want) || class(err) != class(end) {
				t.Errorf("%s of %+v in pieces: %q, %v; in one: %q, %v", name, c, got, err, want, end)
			}
		}
		if again, err := remade(c, want, made); err != nil || !bytes.Equal(again, made) {
			t.Errorf("%+v: %q is made again as %q, %v", c, made, again, err)
		}
	})
}
