package serve

import (
	"errors"
	"fmt"
	"net/textproto"
	"strconv"
	"strings"
)

// byteRange is some bytes of a file.
type byteRange struct{ off, n int64 }

func (s byteRange) contentRange(size int64) string {
	return fmt.Sprintf("bytes %d-%d/%d", s.off, s.off+s.n-1, size)
}

var (
	errRange     = errors.New("invalid range")
	errNoOverlap = errors.New("invalid range: failed to overlap")
)

// parseRanges reads a Range header as package net/http does. None are the whole file, which
// it also is if they are more than that together.
func parseRanges(header string, size int64) ([]byteRange, error) {
	rest, ok := strings.CutPrefix(header, "bytes=")
	if !ok {
		return nil, errRange
	}
	var all []byteRange
	sum, beyond := int64(0), false
	for word := range strings.SplitSeq(rest, ",") {
		if word = textproto.TrimString(word); word == "" {
			continue
		}
		s, err := parseRange(word, size)
		if err == errNoOverlap {
			beyond = true
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s)
		sum += s.n
	}
	switch {
	case beyond && len(all) == 0 && size > 0:
		return nil, errNoOverlap
	case sum > size:
		return nil, nil
	}
	return all, nil
}

func parseRange(word string, size int64) (s byteRange, err error) {
	from, to, ok := strings.Cut(word, "-")
	if !ok {
		return s, errRange
	}
	from, to = textproto.TrimString(from), textproto.TrimString(to)
	if from == "" { // so many at the end
		n, err := strconv.ParseInt(to, 10, 64)
		if err != nil || n < 0 || to[0] == '-' {
			return s, errRange
		}
		n = min(n, size)
		return byteRange{size - n, n}, nil
	}
	first, err := strconv.ParseInt(from, 10, 64)
	switch {
	case err != nil || first < 0:
		return s, errRange
	case first >= size:
		return s, errNoOverlap
	case to == "":
		return byteRange{first, size - first}, nil
	}
	last, err := strconv.ParseInt(to, 10, 64)
	if err != nil || first > last {
		return s, errRange
	}
	return byteRange{first, min(last, size-1) - first + 1}, nil
}
