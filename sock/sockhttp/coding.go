package sockhttp

import (
	"fmt"
	"strings"

	"ringo/internal/httptext"
)

// codings are the content codings of precompressed files.
var codings = [...]struct {
	ending string // of the file name, as in Files.Precompressed
	token  string // as in header fields
}{{"br", "br"}, {"zst", "zstd"}, {"gz", "gzip"}}

// codingOf returns the index of a coding.
func codingOf(ending string) int {
	for i := range codings {
		if codings[i].ending == ending {
			return i
		}
	}
	panic(fmt.Sprintf("sockhttp: Files.Precompressed has %q: want br, zst or gz", ending))
}

// wishes are what a client's Accept-Encoding says about codings (RFC 9110, 12.5.3): weights in thousandths, 0 for a
// coding that it does not accept. For identity 0 only means that everything else is preferred: a file without a sibling
// is sent as it is, since no answer would be better.
type wishes struct {
	of       [len(codings)]int16
	identity int16
}

// unnamed is the weight of a coding that the list does not name.
const unnamed = -1

// wishesOf parses the field's lines. The least of several weights for one name counts, and a malformed weight is 0: if
// it is not clear what a client accepts, it gets the plain file.
func wishesOf(lines []string) wishes {
	w, rest := wishes{identity: unnamed}, int16(unnamed)
	for i := range w.of {
		w.of[i] = unnamed
	}
	for _, line := range lines {
		for more := true; more; {
			var one string
			one, line, more = strings.Cut(line, ",")
			name, weight, weighted := strings.Cut(one, ";")
			if at := w.named(httptext.Trim(name), &rest); at != nil {
				q := int16(1000)
				if weighted {
					q = weightOf(weight)
				}
				if *at == unnamed || q < *at {
					*at = q
				}
			}
		}
	}
	for i := range w.of {
		if w.of[i] == unnamed {
			w.of[i] = max(0, rest)
		}
	}
	if w.identity == unnamed {
		w.identity = max(0, rest)
	}
	return w
}

// named returns where the weight of a name goes: rest for "*", nil for a name that does not matter.
func (w *wishes) named(name string, rest *int16) *int16 {
	switch {
	case name == "*":
		return rest
	case httptext.EqualFold(name, "identity"):
		return &w.identity
	case httptext.EqualFold(name, "x-gzip"): // RFC 9110, 8.4.1.3
		name = "gzip"
	}
	for i := range codings {
		if httptext.EqualFold(name, codings[i].token) {
			return &w.of[i]
		}
	}
	return nil
}

// weightOf parses what follows a name's semicolon, such as q=0.5. It returns 0 if that is malformed.
func weightOf(s string) (q int16) {
	s = httptext.Trim(s)
	if len(s) < len("q=0") || len(s) > len("q=0.000") || s[0]|0x20 != 'q' || s[1] != '=' || s[2] != '0' && s[2] != '1' {
		return 0
	}
	q = int16(s[2]-'0') * 1000
	if s = s[3:]; s == "" {
		return q
	}
	if s[0] != '.' {
		return 0
	}
	for i, unit := 1, int16(100); i < len(s); i, unit = i+1, unit/10 {
		if s[i] < '0' || s[i] > '9' {
			return 0
		}
		q += int16(s[i]-'0') * unit
	}
	if q > 1000 {
		return 0
	}
	return q
}

// best returns the index of the ending that the client wants most, the first of equals, and removes it from the wishes.
// It returns -1 if the client prefers the plain file.
func (w *wishes) best(endings []string) int {
	best, most := -1, max(1, w.identity)
	for i, ending := range endings {
		if q := w.of[codingOf(ending)]; q > most || q == most && best < 0 {
			best, most = i, q
		}
	}
	if best >= 0 {
		w.of[codingOf(endings[best])] = 0
	}
	return best
}
