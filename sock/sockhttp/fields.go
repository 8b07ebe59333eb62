package sockhttp

import (
	"net/http"
	"net/textproto"
	"strings"
)

// What a byte may be a part of.
const (
	tokenChar = 1 << iota // RFC 9110, 5.6.2
	valueChar             // of a field: all but controls
	pathChar              // of a URL's path, where it stands for itself
	hostChar
)

var chars = func() (t [256]uint8) {
	for c := range 256 {
		if c >= ' ' && c != 0x7f || c == '\t' {
			t[c] |= valueChar
		}
	}
	mark := func(bit uint8, set string) {
		for _, c := range []byte(set) {
			t[c] |= bit
		}
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	mark(tokenChar, letters+"!#$%&'*+-.^_`|~")
	mark(pathChar, letters+"-._~$&+,/:;=@")
	mark(hostChar, letters+"-._~%!$&'()*+,;=:[]")
	return t
}()

func isAll(s string, bit uint8) bool {
	for i := range len(s) {
		if chars[s[i]]&bit == 0 {
			return false
		}
	}
	return true
}

func isToken(s string) bool { return s != "" && isAll(s, tokenChar) }
func isValue(s string) bool { return isAll(s, valueChar) }
func isHost(s string) bool  { return isAll(s, hostChar) }

// trim takes blanks off both ends.
func trim(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// canonical is a field's name as http.Header has it; false if it is no token.
func canonical(name string) (key string, ok bool) {
	if name == "" {
		return "", false
	}
	is, upper := true, true
	for i := range len(name) {
		c := name[i]
		if chars[c]&tokenChar == 0 {
			return "", false
		}
		if upper && 'a' <= c && c <= 'z' || !upper && 'A' <= c && c <= 'Z' {
			is = false
		}
		upper = c == '-'
	}
	if is {
		return name, true
	}
	return textproto.CanonicalMIMEHeaderKey(name), true // which allocates none that is common
}

// equalFold compares with a text in lower case.
func equalFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// hasToken reports whether one of the lists of tokens has it.
func hasToken(values []string, token string) bool {
	for _, v := range values {
		for more := true; more; {
			var one string
			one, v, more = strings.Cut(v, ",")
			if equalFold(trim(one), token) {
				return true
			}
		}
	}
	return false
}

// bodyAllowed reports whether an answer of that status may have a body.
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
