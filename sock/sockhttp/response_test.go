package sockhttp

import (
	"math/rand/v2"
	"net/http"
	"testing"
)

// The type of a body is the one that net/http finds, for what begins as a text and for what does not.
func TestContentType(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	begins := []string{
		"", "<html>", "%PDF-", "%!PS-Adobe-", "BM", "GIF87a", "GIF89a", "RIFF1234WEBPVP", "FORM1234AIFF",
		"a234567890123456789012345678901234LP", "ID3", "OggS\x00", "MThd\x00\x00\x00\x06", "OTTO", "ttcf",
		"wOFF", "wOF2", "PK\x03\x04", "Rar!\x1a\x07\x00", "\xef\xbb\xbf", "\x00asm", "{", "[1", "#!",
		"\t <!--", "<?xml", "\x00\x00\x00\x10ftypmp4", "\x7f",
	}
	for _, begin := range begins {
		for c := range 256 {
			for _, rest := range []string{"", "bc \r\n\t", "\x0b", "\x1b[", "\xff"} {
				one := string([]byte{byte(c)})
				for _, p := range []string{begin + one + rest, one + begin + rest} {
					if got, want := contentType([]byte(p)), http.DetectContentType([]byte(p)); got != want {
						t.Fatalf("%q: %s, want %s", p, got, want)
					}
				}
			}
		}
	}
	for range 20_000 {
		p := make([]byte, 1+r.IntN(600))
		for i := range p {
			if p[i] = byte(' ' + r.IntN(95)); r.IntN(2000) == 0 {
				p[i] = byte(r.IntN(256))
			}
		}
		if got, want := contentType(p), http.DetectContentType(p); got != want {
			t.Fatalf("%q: %s, want %s", p, got, want)
		}
	}
}
