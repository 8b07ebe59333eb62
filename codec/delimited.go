package codec

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
)

// Delimited is the Codec of tokens that end with a delimiter. The delimiter is not part of the token.
type Delimited struct {
	Delim string // at least one byte
	Max   int    // bytes of a token with its delimiter; 0: 65536
}

var _ Codec = (*Delimited)(nil)

// errDelimiter is the error of a token that a Scanner would read as two.
var errDelimiter = errors.New("codec: the token has the delimiter in it")

// Append appends a token and its delimiter to dst. If it fails it returns dst as it was. The error matches
// bufio.ErrTooLong if token and delimiter have more than Max bytes together; there is another error if a Scanner would
// find the delimiter inside the token, or across its end. Any goroutine may call it.
func (d *Delimited) Append(dst, token []byte) ([]byte, error) {
	all := append(append(dst, token...), d.Delim...)
	made, bound := all[len(dst):], d.bound()
	if len(made) > bound {
		return dst, &tooLong{uint64(len(made)), bound}
	}
	if t, _ := d.find(made, 0, bound); t.end != len(made) {
		return dst, errDelimiter
	}
	return all, nil
}

// find looks for the last byte of a delimiter among the bytes after the first seen ones; the delimiter's other bytes
// may be among those.
func (d *Delimited) find(data []byte, seen, _ int) (found, error) {
	n := len(d.Delim)
	for at := seen; ; {
		i := bytes.IndexByte(data[at:], d.Delim[n-1])
		if i < 0 {
			return found{}, nil
		}
		if at += i + 1; at >= n && string(data[at-n:at]) == d.Delim {
			return found{0, at - n, at}, nil
		}
	}
}

func (d *Delimited) bound() int {
	if d.Delim == "" || d.Max < 0 {
		panic(fmt.Sprintf("codec: Delimited with the delimiter %q and a Max of %d", d.Delim, d.Max))
	}
	return cmp.Or(d.Max, maxDefault)
}
