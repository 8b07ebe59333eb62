//go:build linux

package main

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// script is what the siblings of a small file are when they are decoded.
const script = "let it = 'be';\n"

// siblings are script in each coding, as brotli, zstd and gzip have it.
var siblings = map[string]string{
	"br":  "\v\a\x80" + script + "\x03",
	"zst": "\x28\xb5\x2f\xfd\x00\x58\x79\x00\x00" + script,
	"gz":  gzipped(script),
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

// precompressed is a site of script with siblings, and of a large file with one.
func precompressed(t *testing.T) (dir, large string) {
	large = numbered(3 << 20)
	files := map[string]string{"a.js": script, "large.txt": large, "large.txt.gz": gzipped(large), "bare": "bare"}
	for ending, content := range siblings {
		files["a.js."+ending] = content
	}
	return site(t, files), large
}

// TestServePrecompressed: a client of net/http gets what it decodes by itself, in the clear and by TLS, of HTTP/1
// and 2.
func TestServePrecompressed(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		dir, large := precompressed(t)
		made := t.TempDir()
		pool := writeCertificate(t, made, 1)
		for _, version := range []int{0, 1, 2} {
			args, scheme := []string{"-driver", driver, "-precompressed", "br,zst,gz"}, "http"
			if version > 0 {
				args = append(args, "-cert", filepath.Join(made, "cert"), "-key", filepath.Join(made, "key"))
				scheme = "https"
			}
			p, addr := startServe(t, dir, args...)
			tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "ringo.test"},
				ForceAttemptHTTP2: version == 2}
			for path, want := range map[string]string{"/a.js": script, "/large.txt": large, "/bare": "bare"} {
				for range 3 {
					a, err := (&http.Client{Transport: tr}).Get(scheme + "://" + addr + path)
					if err != nil {
						t.Fatal(err)
					}
					body, err := io.ReadAll(a.Body)
					a.Body.Close()
					if err != nil || string(body) != want || a.Uncompressed != (path != "/bare") ||
						a.Header.Get("Vary") != "Accept-Encoding" || (a.ProtoMajor == 2) != (version == 2) {
						t.Errorf("%s %s: %d bytes, %v, uncompressed %v, %v", a.Proto, path, len(body), err,
							a.Uncompressed, a.Header)
					}
				}
			}
			tr.CloseIdleConnections()
			p.finish()
		}
	})
}

// TestServePrecompressedCurl: curl decodes each coding, and resumes the download of a coded file.
func TestServePrecompressedCurl(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skipf("no curl here: %v", err)
	}
	can, err := exec.Command(curl, "-V").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir, large := precompressed(t)
	_, addr := startServe(t, dir, "-precompressed", "gz,zst,br")
	get := func(args ...string) string {
		t.Helper()
		args = append([]string{"-sS", "--max-time", "20", "-w", "\n%{http_code} %header{content-encoding}"}, args...)
		got, err := exec.CommandContext(t.Context(), curl, args...).CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v, %.200q", args, err, got)
		}
		return string(got)
	}
	for token, feature := range map[string]string{"gzip": "libz", "zstd": "zstd", "br": "brotli"} {
		if !strings.Contains(string(can), feature) {
			t.Logf("this curl has no %s", feature)
			continue
		}
		want := script + "\n200 " + token
		if got := get("--compressed", "-H", "Accept-Encoding: "+token, "http://"+addr+"/a.js"); got != want {
			t.Errorf("%s: %q, want %q", token, got, want)
		}
	}
	if got, want := get("--compressed", "http://"+addr+"/a.js"), script+"\n200 gzip"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := get("http://"+addr+"/a.js"), script+"\n200 "; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	coded := gzipped(large)
	out := filepath.Join(t.TempDir(), "part")
	put(t, out, coded[:len(coded)/2])
	got := get("-H", "Accept-Encoding: gzip", "-C", "-", "-o", out, "http://"+addr+"/large.txt")
	if got != "\n206 gzip" {
		t.Errorf("%q", got)
	}
	if got, err := os.ReadFile(out); err != nil || string(got) != coded {
		t.Errorf("%d bytes, %v, want %d", len(got), err, len(coded))
	}
}
