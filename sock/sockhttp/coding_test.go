package sockhttp

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"ringo/internal/test/alloctest"
)

// TestAcceptEncoding: what is wanted, in order, of a file with three siblings; "" is the plain one.
func TestAcceptEncoding(t *testing.T) {
	endings := []string{"br", "zst", "gz"}
	for field, want := range map[string]string{
		"": "", ",": "", ", ,": "", "identity": "", "deflate": "", "compress, deflate": "",
		"gzip": "gz", "GZip": "gz", "x-gzip": "gz", "X-GZIP;q=0.1": "gz", "br": "br", "BR": "br", "zstd": "zst",
		"gzip, deflate, br, zstd": "br zst gz", "gzip,deflate,br,zstd": "br zst gz", "\tgzip\t,\tbr\t": "br gz",
		"*": "br zst gz", "*;q=0": "", "*;q=0.5, gzip": "gz br zst", "gzip;q=0, *": "br zst", "*, br;q=0": "zst gz",
		"gzip;q=0": "", "gzip;q=0.0": "", "gzip;q=0.000": "", "gzip;q=0.": "", "gzip;q=0.001": "gz", "gzip;q=1.": "gz",
		"gzip;q=1.000": "gz", "br;q=0.5, gzip;q=0.8": "gz br", "br;q=0.5, gzip;q=0.500": "br gz",
		"gzip ; q=1": "gz", "gzip;\tQ=1": "gz", "gzip;q=1 ": "gz",
		// identity weighs as it says, or as "*" does, or less than all else.
		"gzip, identity": "gz", "gzip;q=0.5, identity": "", "gzip;q=0.5, identity;q=0.5": "gz",
		"br, gzip;q=0.3, identity;q=0.5": "br", "identity;q=0": "", "identity;q=0, *": "br zst gz",
		"identity;q=0, gzip":  "gz",
		"gzip;q=0.3, *;q=0.5": "br zst", "gzip;q=0.3, *;q=0.5, identity;q=0": "br zst gz", "gzip;q=0.1, *;q=0": "gz",
		// What can't be read is not taken, be it named in another place or meant by "*".
		"gzip;q=2": "", "gzip;q=1.001": "", "gzip;q=1.1": "", "gzip;q=-1": "", "gzip;q=.5": "", "gzip;q=0.5000": "",
		"gzip;q=": "", "gzip;q": "", "gzip;": "", "gzip;q=a": "", "gzip;q =1": "", "gzip;q= 1": "", "gzip;x=1": "",
		"gzip;q=1;x=1": "", "gzip;q=1;": "", "gzip;;q=1": "", "gzip;q=0.5a": "", "gzip;q=0a5": "", "gzip;q=\"1\"": "",
		"gzip;q=00": "", "gzip;q=١": "", "gzip q=1": "", "gzip;q=x, *": "br zst", "gzip;q=x, gzip": "",
		"gzip, gzip;q=0": "",
		"gzip;q=0, gzip": "", "gzip;q=0.5, gzip, br;q=0.7": "br gz", "*;q=x": "", "*;q=x, br": "br",
		"identity;q=x, gzip;q=0.1": "gz", "\"gzip\"": "", "gzi p": "", "gzipp": "", "gzip/br": "", "\u00a0gzip": "",
		"br|gzip": "br gz", "gzip;q=0|*": "br zst", "gzip;q=0.5|br;q=0.4": "gz br", "|": "", // lines
	} {
		w := wishesOf(strings.Split(field, "|"))
		var got []string
		for i := w.best(endings); i >= 0; i = w.best(endings) {
			got = append(got, endings[i])
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%q: %q, want %q", field, got, want)
		}
	}
	lines := []string{"gzip, deflate;q=0.5, br;q=1.0, zstd, *;q=0"}
	if n := alloctest.Least(100, 0.1, func() {
		w := wishesOf(lines)
		w.best(endings)
	}); n > 0.1 {
		t.Errorf("%v allocations", n)
	}
}

// TestPreference: among equals the server's order counts, and only what it has.
func TestPreference(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ endings, field, want string }{
		{"gz br", "br, gzip", "gz"}, {"br gz", "br, gzip", "br"}, {"gz", "br, gzip;q=0.1", "gz"},
		{"zst", "br, gzip", ""},
		{"gz zst br", "*", "gz"}, {"gz br", "gzip;q=0.9, br", "br"}, {"", "*", ""},
	} {
		endings := strings.Fields(c.endings)
		got, w := "", wishesOf([]string{c.field})
		if i := w.best(endings); i >= 0 {
			got = endings[i]
		}
		if got != c.want {
			t.Errorf("%q of %q: %q, want %q", c.field, c.endings, got, c.want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("an ending that there is not is taken")
		}
	}()
	codingOf("gzip")
}

// FuzzAcceptEncoding: the weights are those that a reading by the grammar gives, and need no memory.
func FuzzAcceptEncoding(f *testing.F) {
	for _, field := range []string{"gzip, deflate, br;q=0.5", "*;q=0.1,identity;q=0", "gzip;q=1.000;x", ",,;q=,",
		"x-gzip"} {
		f.Add(field, "")
	}
	f.Add("gzip", "gzip;q=0")
	f.Fuzz(func(t *testing.T, one, two string) {
		if got, want := wishesOf([]string{one, two}), byGrammar(one+","+two); got != want {
			t.Errorf("%q, %q: %+v, want %+v", one, two, got, want)
		}
	})
}

var weightForm = regexp.MustCompile(`^[ \t]*[qQ]=(0(\.[0-9]{0,3})?|1(\.0{0,3})?)[ \t]*$`)

// byGrammar is wishesOf in the words of RFC 9110.
func byGrammar(list string) (w wishes) {
	weights := make(map[string]int16)
	for one := range strings.SplitSeq(list, ",") {
		name, weight, weighted := strings.Cut(one, ";")
		name = smallLetters(strings.Trim(name, " \t"))
		if name == "x-gzip" {
			name = "gzip"
		}
		q := int16(1000)
		if weighted {
			q = 0
			if m := weightForm.FindStringSubmatch(weight); m != nil {
				n, _ := strconv.ParseFloat(m[1], 64)
				q = int16(n*1000 + .5)
			}
		}
		if before, ok := weights[name]; !ok || q < before {
			weights[name] = q
		}
	}
	of := func(name string) int16 {
		if q, ok := weights[name]; ok {
			return q
		}
		return weights["*"]
	}
	for i := range codings {
		w.of[i] = of(codings[i].token)
	}
	w.identity = of("identity")
	return w
}

// smallLetters is a name in lower case, letters of ASCII alone.
func smallLetters(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
