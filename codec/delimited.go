package codec

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
)

// Delimited is the Codec of tokens that end with a delimiter, which is not part of the token.
type Delimited struct {
	Delim string // one byte or more
	Max   int    // bytes of a token with its delimiter; 0: 65536
}

var _ Codec = (*Delimited)(nil)

// errDelimiter is that of a token which would be read as two.
var errDelimiter = errors.New("codec: the token has the delimiter in it")

// Append appends a token and its delimiter to dst. If it fails it returns dst as it was: the error matches
// bufio.ErrTooLong if both are more than Max bytes, and is another one if a Scanner would find the delimiter before the
// token's end, or across it. Any goroutine may call it.
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

// find looks for the delimiter's last byte, which is among those that are new, also if the others are not.
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
