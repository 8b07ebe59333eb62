package sockhttp

import (
	"fmt"
	"strings"

	"ringo/internal/httptext"
)

// codings are the content codings of files that are compressed beforehand.
var codings = [...]struct {
	ending string // of the file's name, as Files.Precompressed has it
	token  string // as fields have it
}{{"br", "br"}, {"zst", "zstd"}, {"gz", "gzip"}}

// codingOf is the number of a coding.
func codingOf(ending string) int {
	for i := range codings {
		if codings[i].ending == ending {
			return i
		}
	}
	panic(fmt.Sprintf("sockhttp: Files.Precompressed has %q: want br, zst or gz", ending))
}

// wishes are what a client says of codings by Accept-Encoding (RFC 9110, 12.5.3): weights in thousandths, 0 for what it
// does not take. For identity 0 says no more than that all else is preferred: what there is in no coding is sent as it
// is, since no answer would be better.
type wishes struct {
	of       [len(codings)]int16
	identity int16
}

// unnamed is the weight of what is not in the list.
const unnamed = -1

// wishesOf reads the field's lines. Of weights for one name the least counts, and one that can't be read is 0: where it
// is not clear what a client takes, it takes the plain file.
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

// named is where the weight of a name goes; that of "*" to rest, of others nowhere.
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

// weightOf reads what is behind a name's semicolon: q=0.5. What is none is 0.
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

// best is which of these endings is wanted most, the first of equals, and takes it from the wishes; -1: the plain file
// is wanted more.
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
