package sockhttp

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"sync"

	"ringo/internal/httptext"
)

// Classes of bytes.
const (
	tokenChar = 1 << iota // RFC 9110, 5.6.2
	valueChar             // of a field: all but controls
	pathChar              // of a URL's path, where it needs no decoding
	hostChar
	textChar // of an ASCII text
	loneChar // followed by textChars it begins no type that net/http detects
)

var chars = func() (t [256]uint8) {
	for c := range 256 {
		if c >= ' ' && c != 0x7f || c == '\t' {
			t[c] |= valueChar
		}
		if c >= ' ' && c < 0x80 || c == '\t' || c == '\n' || c == '\r' {
			t[c] |= textChar
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
	mark(loneChar, letters+"-._~$&'()*+,;=:[]{}#/\"")
	for _, c := range []byte("BFGIMOPRtw") { // images, sounds, fonts and archives begin with them
		t[c] &^= loneChar
	}
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

// canonical returns a field's name as in http.Header; false if it is not a token.
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
	return textproto.CanonicalMIMEHeaderKey(name), true // it does not allocate common names
}

// bodyAllowed reports whether an answer with that status may have a body.
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// fields are an answer's header fields as they are sent. They are a copy, because changes that a handler makes after
// WriteHeader have no effect. They are sorted by name.
type fields struct {
	list []field
}

// field is one line. With none it is no line, and says that the server must not add a field of that name.
type field struct {
	key, value string
	none       bool
}

var fieldsPool = sync.Pool{New: func() any { return new(fields) }}

// fieldsOf copies a header; release ends the use of the copy. It returns nil for an empty header.
func fieldsOf(h http.Header) *fields {
	if len(h) == 0 {
		return nil
	}
	f := fieldsPool.Get().(*fields)
	for key, values := range h {
		if len(values) == 0 {
			f.list = append(f.list, field{key, "", true})
		}
		for _, v := range values {
			f.list = append(f.list, field{key, v, false})
		}
	}
	slices.SortStableFunc(f.list, func(a, b field) int { return strings.Compare(a.key, b.key) })
	return f
}

// fieldsMax is the most fields that memory is kept for.
const fieldsMax = 64

// kept returns memory for fields that are no longer needed, empty; nil if it is too large to be kept.
func kept[T any](list []T) []T {
	if cap(list) > fieldsMax {
		return nil
	}
	clear(list)
	return list[:0]
}

func (f *fields) release() {
	if f != nil {
		f.list = kept(f.list)
		fieldsPool.Put(f)
	}
}

// all iterates over the fields.
func (f *fields) all() func(yield func(field) bool) {
	return func(yield func(field) bool) {
		if f == nil {
			return
		}
		for _, one := range f.list {
			if !yield(one) {
				return
			}
		}
	}
}

// has reports whether a field is there, even one that must not be added.
func (f *fields) has(key string) bool {
	for one := range f.all() {
		if one.key == key {
			return true
		}
	}
	return false
}

// get returns the first value of a field.
func (f *fields) get(key string) string {
	for one := range f.all() {
		if one.key == key {
			return one.value
		}
	}
	return ""
}

// hasToken reports whether one of a field's lists contains a token.
func (f *fields) hasToken(key, token string) bool {
	for one := range f.all() {
		if one.key == key && httptext.HasToken([]string{one.value}, token) {
			return true
		}
	}
	return false
}

// drop removes a field.
func (f *fields) drop(key string) {
	if f != nil {
		f.list = slices.DeleteFunc(f.list, func(one field) bool { return one.key == key })
	}
}

// keepFirst drops all fields of that name but the first.
func (f *fields) keepFirst(key string) {
	found := false
	f.list = slices.DeleteFunc(f.list, func(one field) bool {
		again := found && one.key == key
		found = found || one.key == key
		return again
	})
}

// append appends the lines. It skips names that are not tokens, such as those of trailers.
func (f *fields) append(out []byte) []byte {
	for one := range f.all() {
		if one.none || !isToken(one.key) {
			continue
		}
		out = append(append(out, one.key...), ": "...)
		from := len(out)
		out = append(out, textproto.TrimString(one.value)...)
		for i := from; i < len(out); i++ {
			if out[i] == '\r' || out[i] == '\n' {
				out[i] = ' '
			}
		}
		out = append(out, "\r\n"...)
	}
	return out
}
