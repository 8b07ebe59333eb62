package sockhttp_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2/hpack"

	"ringo"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sock/sockhttp"
)

// scripted2 is a server of HTTP/2 that sends the same frames to whoever asks first on a connection, and then its end.
// Connections behind the first get a whole answer.
type scripted2 struct {
	*rawServer
	mu    sync.Mutex
	sent  string
	conns int
}

func newScripted2(t testing.TB) *scripted2 {
	s := new(scripted2)
	s.rawServer = newRawServer(t, "", func(r *raw, _ int) {
		s.mu.Lock()
		sent := s.sent
		if s.conns++; s.conns > 1 {
			sent = okOn(1)
		}
		s.mu.Unlock()
		if _, ok := r.maybe(headers); ok {
			r.send(sent)
			r.Conn.(*net.TCPConn).CloseWrite()
			r.drain()
		}
	})
	return s
}

// play has a transport make one request, and says all that its caller sees.
func (s *scripted2) play(tr http.RoundTripper, method, sent string) string {
	s.mu.Lock()
	s.sent, s.conns = sent, 0
	s.mu.Unlock()
	var got strings.Builder
	r, err := http.NewRequest(method, s.url(), nil)
	if err != nil {
		panic(err)
	}
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			fmt.Fprintf(&got, "%d %q\n", code, header)
			return nil
		}}))
	a, err := tr.RoundTrip(r)
	if err != nil {
		fmt.Fprintf(&got, "error %s\n", kind2(err))
	} else {
		body, err := io.ReadAll(a.Body)
		a.Body.Close()
		fmt.Fprintf(&got, "%s %s length %d coding %v close %v uncompressed %v own %v\n", a.Proto, a.Status,
			a.ContentLength, a.TransferEncoding, a.Close, a.Uncompressed, a.Request == r)
		show(&got, "field", a.Header)
		if err == nil {
			show(&got, "trailer", a.Trailer)
		}
		fmt.Fprintf(&got, "body %q %s\n", body, kind2(err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%s%d connections\n", &got, s.conns)
}

// codes2 finds the code of an error of HTTP/2, be it the stream's or the connection's.
var codes2 = regexp.MustCompile(`(?:stream|connection) error: (?:stream ID \d+; )?([A-Z_]+|unknown error code \w+)`)

// kind2 is an error as far as its words are net/http's.
func kind2(err error) string {
	var op *net.OpError
	switch {
	case err == nil:
		return "none"
	case errors.As(err, &op):
		return "of the connection"
	case err.Error() == "http2: frame too large":
		return "FRAME_SIZE_ERROR"
	}
	if m := codes2.FindStringSubmatch(err.Error()); m != nil {
		return m[1]
	}
	return err.Error()
}

// strict2 are answers that net/http takes, and that are refused here: those of a status that is no number of three
// digits, of a length that is none, of fields of HTTP/1's connections, of 101, of a body that there must not be, and of
// one that is longer than its length.
var strict2 = regexp.MustCompile(`(?m)^HTTP/2.0 (\d{1,2}|\d{4,}|\D\S*|0\d\d) |` +
	`^field Content-Length: (\d+ [0-9a-f]|\[("\d*\D+\d*"|""|"\d{19,}"|"[^"]*" .*)\])|` +
	`^field (Connection|Keep-Alive|Proxy-Connection|Transfer-Encoding|Upgrade): |` +
	`^1\d\d map.*"(Connection|Keep-Alive|Proxy-Connection|Transfer-Encoding|Upgrade)":|` +
	`^101 map|` +
	`^HTTP/2.0 (204|304) .* uncompressed true|` +
	`^HTTP/2.0 (204|304) [^"]*(\nfield.*|\ntrailer.*)*\nbody "[^"]|` +
	`more than declared Content-Length; truncated\n`)

var (
	// framing2 are trailers that net/http has announced, and that are not here: they say how a message is framed.
	framing2 = regexp.MustCompile(`(?m)^trailer (Content-Length|Transfer-Encoding|Trailer): \[\]\n`)
	// bodiless2 are answers that have a length, but no body, which net/http thinks is missing.
	bodiless2 = regexp.MustCompile(`(?m)^HTTP/2.0 (204|304) (?s:.*)\nbody "" unexpected EOF\n`)
)

// failed2 finds why an answer, or its body, has failed.
var failed2 = regexp.MustCompile(`(?m)^(error|body ".*") [^n]`)

// agrees2 reports whether what a caller saw is what net/http's sees, or is a refusal that net/http should have made.
// Altered bytes may be refused.
func agrees2(sent string, altered bool, got, want string) bool {
	want = framing2.ReplaceAllString(want, "")
	return got == want || bodiless2.MatchString(want) && strings.Contains(got, "\nbody \"\" none\n") ||
		(strict2.MatchString(want) || strays(sent) || unsound(sent)) && strings.Contains(got, " PROTOCOL_ERROR\n") ||
		altered && failed2.MatchString(got) || endsEarly(sent)
}

// endsEarly reports whether something ends the stream, and its answer goes on. What net/http makes of that depends on
// which of its goroutines comes first.
func endsEarly(sent string) bool {
	all := framesOf(sent)
	i := slices.IndexFunc(all, func(f got) bool {
		return f.kind == reset && f.id == 1 || f.kind == goAway
	})
	return i >= 0 && slices.ContainsFunc(all[i+1:], func(f got) bool { return f.id == 1 })
}

// strays reports whether there is a frame of a stream that was not begun, which net/http does not always mind.
func strays(sent string) bool {
	return slices.ContainsFunc(framesOf(sent), func(f got) bool {
		switch f.kind {
		case data, headers, reset, window, continuation:
			return f.id > 1
		}
		return false
	})
}

// unsound reports whether a setting has a value that it must not have, which net/http minds since Go 1.26.
func unsound(sent string) bool {
	return slices.ContainsFunc(framesOf(sent), func(f got) bool {
		for p := f.payload; f.kind == settings && len(p) >= 6; p = p[6:] {
			value := binary.BigEndian.Uint32(p[2:])
			switch binary.BigEndian.Uint16(p) {
			case 2, 8: // ENABLE_PUSH and ENABLE_CONNECT_PROTOCOL
				if value > 1 {
					return true
				}
			case 5: // MAX_FRAME_SIZE
				if value < 1<<14 || value >= 1<<24 {
					return true
				}
			}
		}
		return false
	})
}

// framesOf takes apart what is sent.
func framesOf(sent string) (all []got) {
	for p := []byte(sent); len(p) >= 9; {
		end := min(len(p), 9+int(p[0])<<16+int(p[1])<<8+int(p[2]))
		all = append(all, got{p[3], p[4], binary.BigEndian.Uint32(p[5:]) & (1<<31 - 1), p[9:end]})
		p = p[end:]
	}
	return all
}

// differ2 has both transports make one request, and gives what they saw if that differs. What net/http makes of what
// comes behind an error depends on which of its goroutines comes first, so it may try again.
func differ2(l *ringo.Loop, s *scripted2, method, sent string, altered bool) (got, want string, differ bool) {
	const most = 4000
	tr := &sockhttp.Transport{Protocols: prior2(), MaxResponseHeaderBytes: most}
	got = s.play(tr, method, sent)
	tr.CloseIdleConnections()
	for range 20 {
		want = besides(l, func() string {
			peer := &http.Transport{Protocols: prior2(), MaxResponseHeaderBytes: most}
			defer peer.CloseIdleConnections()
			return s.play(peer, method, sent)
		})
		if agrees2(sent, altered, got, want) {
			return got, want, false
		}
	}
	return got, want, true
}

// answerer makes up what a server sends.
type answerer struct {
	*rand.Rand
	method  string
	text    bytes.Buffer
	encoder *hpack.Encoder
	frames  []string
}

func newAnswerer(rnd *rand.Rand, method string) *answerer {
	a := &answerer{Rand: rnd, method: method}
	a.encoder = hpack.NewEncoder(&a.text)
	return a
}

func (a *answerer) one(of ...string) string { return of[a.IntN(len(of))] }

// rarely is one time of twenty.
func (a *answerer) rarely() bool { return a.IntN(20) == 0 }

func (a *answerer) add(kind, flags byte, payload string) {
	if (kind == data || kind == headers) && a.IntN(4) == 0 {
		n := a.IntN(20)
		flags, payload = flags|padded, string(rune(n))+payload+strings.Repeat("\x00", n)
	}
	a.frames = append(a.frames, made(kind, flags, 1, payload))
}

// block adds a list of fields, in one frame or in some.
func (a *answerer) block(flags byte, list []string) {
	a.text.Reset()
	if a.rarely() {
		a.encoder.SetMaxDynamicTableSize(uint32(a.IntN(4096)))
	}
	for i := 0; i < len(list); i += 2 {
		a.encoder.WriteField(hpack.HeaderField{Name: list[i], Value: list[i+1], Sensitive: a.IntN(3) == 0})
	}
	text, kind := a.text.String(), byte(headers)
	for a.IntN(4) == 0 {
		n := a.IntN(len(text) + 1)
		a.add(kind, flags, text[:n])
		text, kind, flags = text[n:], continuation, 0
	}
	a.add(kind, flags|endHeaders, text)
}

// fields is some, few of which are wrong.
func (a *answerer) fields(list ...string) []string {
	for range a.IntN(5) {
		list = append(list, a.one("a", "b", "set-cookie", "content-type", "etag"), a.one("", "1", "2", "text", "\xff"))
	}
	if a.IntN(3) == 0 {
		list = append(list, "trailer", a.one("x", "X, y", "content-length", ",", ""))
	}
	if a.rarely() {
		list = append(list, a.one(":status", ":path", "A", "connection", "transfer-encoding", "te", "keep-alive",
			"upgrade", "a b", "", "proxy-connection", "content-length", "a", "trailer"),
			a.one("200", "", "a\nb", "\x00", "x", " 1", strings.Repeat("x", 5000), strings.Repeat("y", 2500)))
	}
	return list
}

// between adds frames that mean little.
func (a *answerer) between() {
	for a.IntN(4) == 0 {
		switch a.IntN(5) {
		case 0:
			a.frames = append(a.frames, made(ping, byte(a.IntN(2)), 0, "12345678"))
		case 1:
			a.frames = append(a.frames, made(settings, 0, 0, setting(uint16(a.IntN(10)), uint32(a.IntN(70000)))))
		case 2:
			a.frames = append(a.frames, made(window, 0, uint32(a.IntN(2)), word(uint32(1+a.IntN(1000)))))
		case 3:
			a.frames = append(a.frames, made(priority, 0, uint32(1+2*a.IntN(5)), word(0)+"x"))
		default:
			a.frames = append(a.frames, made(byte(10+a.IntN(200)), byte(a.IntN(256)), uint32(a.IntN(9)), "any"))
		}
	}
}

// answer is all that is sent: as a rule a whole answer.
func (a *answerer) answer() (sent string, altered bool) {
	a.between()
	for a.IntN(4) == 0 {
		a.block(0, a.fields(":status", a.one("100", "103", "102", "199", "101")))
		a.between()
	}
	length := a.IntN(40)
	body := strings.Repeat("x", length)
	if a.method == "HEAD" && !a.rarely() {
		body = ""
	}
	list := a.fields(":status", a.one("200", "200", "200", "404", "204", "304", "500", "999", "0200", "abc", "20"))
	switch a.IntN(8) {
	case 0:
		list = append(list, "content-length", a.one("", "1", "-1", "+1", "x", "99999999999999999999", "7,7"))
	case 1, 2, 3:
		list = append(list, "content-length", fmt.Sprint(length))
	case 4:
		if slices.Contains(list, "content-length") {
			break // net/http does not show the length of what it unpacks
		}
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		io.WriteString(w, body)
		w.Close()
		body = zipped.String()
		list = append(list, "content-encoding", "gzip")
	}
	if a.IntN(6) == 0 {
		a.block(endStream, list)
		return a.altered()
	}
	a.block(0, list)
	for body != "" && a.IntN(5) > 0 {
		a.between()
		n := a.IntN(len(body) + 1)
		a.add(data, 0, body[:n])
		body = body[n:]
	}
	a.between()
	switch a.IntN(8) {
	case 0:
		a.add(data, 0, body)
	case 1:
		a.add(data, 0, body)
		a.frames = append(a.frames, made(reset, 0, 1, word(uint32(a.IntN(14)))))
	case 2:
		a.add(data, 0, body)
		a.frames = append(a.frames, made(goAway, 0, 0, word(uint32(2*a.IntN(2)))+word(uint32(a.IntN(14)))+"why"))
	case 3, 4:
		a.add(data, 0, body)
		a.block(endStream, a.fields("x", "1"))
	default:
		a.add(data, endStream, body)
	}
	a.between()
	return a.altered()
}

// altered is all frames, at times with one that is not there, or twice, or elsewhere, or with another byte.
func (a *answerer) altered() (string, bool) {
	frames := a.frames
	i, j := a.IntN(len(frames)), a.IntN(len(frames))
	how := a.IntN(12)
	switch how {
	case 0:
		frames = append(frames[:i:i], frames[i+1:]...)
	case 1:
		frames = append(frames[:i+1:i+1], frames[i:]...)
	case 2:
		frames[i], frames[j] = frames[j], frames[i]
	case 3, 4:
		p := []byte(frames[i])
		p[a.IntN(len(p))] ^= 1 << a.IntN(8)
		frames[i] = string(p)
	}
	return strings.Join(frames, ""), how < 5
}

// What comes of any answer is what net/http makes of it.
func TestTransport2RandomAnswersAsNet(t *testing.T) {
	log.SetOutput(io.Discard) // net/http's words
	defer log.SetOutput(os.Stderr)
	seed := rand.Uint64()
	s := newScripted2(t)
	socktest.OnLoop(t, ringo.Config{}, func(l *ringo.Loop) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		times := 1000
		if testmain.Long() {
			times = 50_000
		}
		for range times {
			method := []string{"GET", "POST", "HEAD"}[rnd.IntN(3)]
			sent, altered := newAnswerer(rnd, method).answer()
			if got, want, differ := differ2(l, s, method, sent, altered); differ {
				t.Errorf("seed %d: %s, %q\n got %s\nwant %s", seed, method, sent, got, want)
			}
		}
	})
}
