package serve

import (
	"net/http"
	"net/textproto"
	"strings"
	"time"
)

// The preconditions of RFC 9110, section 13, as package net/http has them.

// precondition is what a condition says.
type precondition int

const (
	absent precondition = iota
	holds
	fails
)

// preconditions gives the status that they make of a request for a file, 200 if the file is
// wanted, and whether the ranges that are asked for still count.
func (r *request) preconditions(etag string, modified time.Time) (status int, ranged bool) {
	is := tagged(r.ifMatch, etag, strongly)
	if is == absent {
		is = notAfter(modified, r.ifUnmodified)
	}
	if is == fails {
		return http.StatusPreconditionFailed, false
	}
	switch tagged(r.ifNoneMatch, etag, weakly) {
	case holds:
		return http.StatusNotModified, false
	case absent:
		if notAfter(modified, r.ifModified) == holds {
			return http.StatusNotModified, false
		}
	}
	return http.StatusOK, len(r.ranges) > 0 && r.rangeHolds(etag, modified)
}

// tagged looks for a tag in a list of them, or for a star.
func tagged(list []byte, etag string, equal func(a, b string) bool) precondition {
	if len(list) == 0 {
		return absent
	}
	rest := string(list)
	for {
		rest = textproto.TrimString(rest)
		switch {
		case rest == "":
			return fails
		case rest[0] == ',':
			rest = rest[1:]
			continue
		case rest[0] == '*':
			return holds
		}
		tag, behind := scanETag(rest)
		switch {
		case tag == "":
			return fails
		case equal(tag, etag):
			return holds
		}
		rest = behind
	}
}

func strongly(a, b string) bool { return a == b && a[0] == '"' }

func weakly(a, b string) bool {
	return strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/")
}

// scanETag cuts the tag off that s begins with; "" if it begins with none.
func scanETag(s string) (tag, rest string) {
	s = textproto.TrimString(s)
	start := 0
	if strings.HasPrefix(s, "W/") {
		start = 2
	}
	if len(s[start:]) < 2 || s[start] != '"' {
		return "", ""
	}
	for i := start + 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[:i+1], s[i+1:]
		case c < '!' || c == 0x7f:
			return "", ""
		}
	}
	return "", ""
}

// notAfter compares a time with a date, to the second; what is no date does not count.
func notAfter(t time.Time, date []byte) precondition {
	if len(date) == 0 || isEpoch(t) {
		return absent
	}
	at, err := http.ParseTime(string(date))
	switch {
	case err != nil:
		return absent
	case t.Truncate(time.Second).After(at):
		return fails
	}
	return holds
}

// isEpoch reports whether a file's time is one that nobody has set.
func isEpoch(t time.Time) bool { return t.IsZero() || t.Unix() == 0 && t.Nanosecond() == 0 }

// rangeHolds reports whether the file is the one of which a range is wanted.
func (r *request) rangeHolds(etag string, modified time.Time) bool {
	if len(r.ifRange) == 0 {
		return true
	}
	if tag, _ := scanETag(string(r.ifRange)); tag != "" {
		return strongly(tag, etag)
	}
	at, err := http.ParseTime(string(r.ifRange))
	return err == nil && at.Unix() == modified.Unix()
}
