package codec_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"ringo/codec"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// be and le are a length of so many bytes, and what comes behind it.
func be(size int, v uint64, behind string) string {
	b := binary.BigEndian.AppendUint64(nil, v)
	return string(b[8-size:]) + behind
}

func le(size int, v uint64, behind string) string {
	b := binary.LittleEndian.AppendUint64(nil, v)
	return string(b[:size]) + behind
}

func varint(v uint64, behind string) string { return string(binary.AppendUvarint(nil, v)) + behind }

// Errors of tables that match no other.
var errAny = errors.New("any other")

// is reports whether an error is the one that is wanted.
func is(err, want error) bool {
	if want == errAny {
		return err != nil && !errors.Is(err, bufio.ErrTooLong) && !errors.Is(err, io.ErrUnexpectedEOF) && err != io.EOF
	}
	return errors.Is(err, want) && (want != nil || err == nil)
}

// cases are streams, and what is in them.
var cases = []struct {
	name   string
	codec  codec.Codec
	stream string
	tokens []string
	err    error // of the end of the stream
}{
	{"lines", &codec.Delimited{Delim: "\n"}, "one\ntwo\n\nthree\n", []string{"one", "two", "", "three"}, nil},
	{"no line", &codec.Delimited{Delim: "\n"}, "", nil, nil},
	{"half a line", &codec.Delimited{Delim: "\n"}, "one\ntw", []string{"one"}, io.ErrUnexpectedEOF},
	{"half a longer line", &codec.Delimited{Delim: "\n"}, "one\n" + strings.Repeat("x", 100), []string{"one"},
		io.ErrUnexpectedEOF},
	{"half a delimiter", &codec.Delimited{Delim: "\r\n"}, "one\r\ntwo\r", []string{"one"}, io.ErrUnexpectedEOF},
	{"CRLF", &codec.Delimited{Delim: "\r\n"}, "a\nb\rc\r\r\n\r\n\n\r\n", []string{"a\nb\rc\r", "", "\n"}, nil},
	{"CRLF CRLF", &codec.Delimited{Delim: "\r\n\r\n"}, "a\r\nb\r\n\r\n\r\n\r\n", []string{"a\r\nb", ""}, nil},
	{"one letter", &codec.Delimited{Delim: "aaa"}, "aaaaaab", []string{"", ""}, io.ErrUnexpectedEOF},
	{"letters again", &codec.Delimited{Delim: "aab"}, "aaabxaab", []string{"a", "x"}, nil},
	{"longest line", &codec.Delimited{Delim: "\r\n", Max: 5}, "abc\r\nabc\r\n", []string{"abc", "abc"}, nil},
	{"longer line", &codec.Delimited{Delim: "\r\n", Max: 5}, "abc\r\nabcd\r\n", []string{"abc"}, bufio.ErrTooLong},
	{"line without an end", &codec.Delimited{Delim: "\r\n", Max: 5}, "abc\r\nabcd\r", []string{"abc"},
		bufio.ErrTooLong},
	{"shorter half a line", &codec.Delimited{Delim: "\r\n", Max: 5}, "abcd", nil, io.ErrUnexpectedEOF},
	{"default bound", &codec.Delimited{Delim: "\n"}, strings.Repeat("x", 65535) + "\n" + strings.Repeat("x", 65536),
		[]string{strings.Repeat("x", 65535)}, bufio.ErrTooLong},
	{"more than bufio.Scanner takes", &codec.Delimited{Delim: "\n", Max: 200_000},
		strings.Repeat("x", 199_999) + "\n", []string{strings.Repeat("x", 199_999)}, nil},

	{"1 byte", &codec.Prefixed{Size: 1}, be(1, 3, "abc") + be(1, 0, "") + be(1, 255, strings.Repeat("x", 255)),
		[]string{"abc", "", strings.Repeat("x", 255)}, nil},
	{"2 bytes", &codec.Prefixed{Size: 2}, be(2, 300, strings.Repeat("x", 300)),
		[]string{strings.Repeat("x", 300)}, nil},
	{"3 bytes", &codec.Prefixed{Size: 3}, be(3, 2, "ab"), []string{"ab"}, nil},
	{"4 bytes", &codec.Prefixed{Size: 4, Order: binary.BigEndian}, be(4, 2, "ab"), []string{"ab"}, nil},
	{"8 bytes", &codec.Prefixed{Size: 8}, be(8, 2, "ab"), []string{"ab"}, nil},
	{"2 bytes of the other order", &codec.Prefixed{Size: 2, Order: binary.LittleEndian},
		le(2, 258, strings.Repeat("x", 258)), []string{strings.Repeat("x", 258)}, nil},
	{"3 bytes of the other order", &codec.Prefixed{Size: 3, Order: binary.LittleEndian}, le(3, 2, "ab"),
		[]string{"ab"}, nil},
	{"8 bytes of the other order", &codec.Prefixed{Size: 8, Order: binary.LittleEndian}, le(8, 2, "ab"),
		[]string{"ab"}, nil},
	{"2 bytes of this machine's order", &codec.Prefixed{Size: 2, Order: binary.NativeEndian},
		string(binary.NativeEndian.AppendUint16(nil, 2)) + "ab", []string{"ab"}, nil},
	{"varint", &codec.Prefixed{}, varint(2, "ab") + varint(0, "") + varint(300, strings.Repeat("x", 300)),
		[]string{"ab", "", strings.Repeat("x", 300)}, nil},
	{"varint with more bytes than it needs", &codec.Prefixed{}, "\x82\x80\x00ab", []string{"ab"}, nil},
	{"counts itself", &codec.Prefixed{Size: 2, Adjust: -2}, be(2, 4, "ab") + be(2, 2, ""), []string{"ab", ""}, nil},
	{"counts less than itself", &codec.Prefixed{Size: 2, Adjust: -2}, be(2, 4, "ab") + be(2, 1, "a"),
		[]string{"ab"}, errAny},
	{"does not count its end", &codec.Prefixed{Size: 2, Adjust: 1}, be(2, 2, "ab;") + be(2, 0, ";"),
		[]string{"ab;", ";"}, nil},
	{"counts itself and more", &codec.Prefixed{Offset: 2, Size: 2, Adjust: -4}, "XY" + be(2, 6, "ab"),
		[]string{"ab"}, nil},
	{"type", &codec.Prefixed{Offset: 1, Size: 4, Adjust: -4, Whole: true}, "Q" + be(4, 6, "ab") + "X" + be(4, 4, ""),
		[]string{"Q" + be(4, 6, "ab"), "X" + be(4, 4, "")}, nil},
	{"type and varint", &codec.Prefixed{Offset: 1, Whole: true}, "Q" + varint(2, "ab"),
		[]string{"Q" + varint(2, "ab")}, nil},
	{"whole", &codec.Prefixed{Size: 4, Whole: true}, be(4, 2, "ab"), []string{be(4, 2, "ab")}, nil},
	{"half a type", &codec.Prefixed{Offset: 3, Size: 1}, "ab", nil, io.ErrUnexpectedEOF},
	{"half a length", &codec.Prefixed{Size: 4}, be(4, 1, "a") + "\x00\x00\x00", []string{"a"}, io.ErrUnexpectedEOF},
	{"half a varint", &codec.Prefixed{}, varint(1, "a") + "\x80", []string{"a"}, io.ErrUnexpectedEOF},
	{"half a frame", &codec.Prefixed{Size: 4}, be(4, 1, "a") + be(4, 2, "b"), []string{"a"}, io.ErrUnexpectedEOF},
	{"half a longer frame", &codec.Prefixed{Size: 4}, be(4, 1, "a") + be(4, 200, strings.Repeat("x", 100)),
		[]string{"a"}, io.ErrUnexpectedEOF},
	{"a length alone", &codec.Prefixed{Size: 4}, be(4, 1, ""), nil, io.ErrUnexpectedEOF},
	{"longest frame", &codec.Prefixed{Size: 4, Max: 6}, be(4, 2, "ab"), []string{"ab"}, nil},
	{"longer frame", &codec.Prefixed{Size: 4, Max: 6}, be(4, 2, "ab") + be(4, 3, "abc"), []string{"ab"},
		bufio.ErrTooLong},
	{"longest frame with a type", &codec.Prefixed{Offset: 1, Size: 1, Adjust: -2, Max: 6}, "T" + be(1, 6, "abcd"),
		[]string{"abcd"}, nil},
	{"longer frame with a type", &codec.Prefixed{Offset: 1, Size: 1, Adjust: -2, Max: 6}, "T" + be(1, 7, "abcde"),
		nil, bufio.ErrTooLong},
	{"longest frame with an end", &codec.Prefixed{Size: 1, Adjust: 1, Max: 6}, be(1, 4, "abcd;"), []string{"abcd;"},
		nil},
	{"longer frame with an end", &codec.Prefixed{Size: 1, Adjust: 1, Max: 6}, be(1, 5, "abcde;"), nil,
		bufio.ErrTooLong},
	{"a length without room", &codec.Prefixed{Size: 8, Max: 6}, be(8, 0, ""), nil, bufio.ErrTooLong},
	{"varint without room", &codec.Prefixed{Max: 2}, "\x80\x80\x00", nil, bufio.ErrTooLong},
	{"varint that takes all room", &codec.Prefixed{Max: 3}, "\x80\x80\x00", []string{""}, nil},
	{"default bound of frames", &codec.Prefixed{Size: 4}, be(4, 65532, strings.Repeat("x", 65532)) + be(4, 65533, ""),
		[]string{strings.Repeat("x", 65532)}, bufio.ErrTooLong},
	{"varint without an end", &codec.Prefixed{}, strings.Repeat("\x80", 10), nil, errAny},
	{"varint of too many bits", &codec.Prefixed{}, strings.Repeat("\xff", 9) + "\x02", nil, errAny},
	{"varint of 9 bytes", &codec.Prefixed{}, strings.Repeat("\x80", 9), nil, io.ErrUnexpectedEOF},
}

// A length at the end of what its integer holds, to which what it does not count is added, is too long, and never wraps
// around; so is one above what an int of 32 bits holds, of which Max may be all.
func TestLengthsNearTheEnd(t *testing.T) {
	for _, size := range []int{0, 1, 2, 3, 4, 5, 7, 8} {
		for _, adjust := range []int{0, 1, 4, 100, -1, -4, -12, math.MaxInt, math.MinInt} {
			for _, most := range []int{1, 20, math.MaxInt32, math.MaxInt} {
				p := &codec.Prefixed{Offset: 3, Size: size, Adjust: adjust, Max: most}
				bits := 8 * size
				if size == 0 {
					bits = 64
				}
				for back := range uint64(30) {
					v := uint64(math.MaxUint64)>>(64-bits) - back
					stream := "typ" + be(max(size, 1), v, "")
					if size == 0 {
						stream = "typ" + varint(v, "")
					}
					checkLength(t, p, v, stream)
				}
			}
		}
	}
}

// checkLength compares a Split of a frame's beginning with what it is by numbers that have no end.
func checkLength(t *testing.T, p *codec.Prefixed, v uint64, stream string) {
	t.Helper()
	s := codec.Scanner{Codec: p}
	n, token, err := s.Split([]byte(stream), false)
	behind := new128(v).add(int64(p.Adjust))
	whole := behind.add(int64(len(stream)))
	switch {
	case behind.negative() && len(stream) <= p.Max:
		if !is(err, errAny) {
			t.Errorf("%+v: length %d: %d, %q, %v; want an error of its own", p, v, n, token, err)
		}
	case !behind.negative() && whole.less(new128(uint64(p.Max)+1)):
		want := 0
		if whole == new128(uint64(len(stream))) {
			want = len(stream)
		}
		if err != nil || n != want {
			t.Errorf("%+v: length %d: %d, %q, %v; want %d", p, v, n, token, err, want)
		}
	default:
		if n != 0 || !errors.Is(err, bufio.ErrTooLong) || !strings.Contains(err.Error(), fmt.Sprint(p.Max)) {
			t.Errorf("%+v: length %d: %d, %q, %v; want ErrTooLong with the bound", p, v, n, token, err)
		}
	}
}

// int128 is numbers with more bits than there are.
type int128 struct {
	high int64
	low  uint64
}

func new128(v uint64) int128 { return int128{0, v} }

func (a int128) add(n int64) int128 {
	sum := int128{a.high, a.low + uint64(n)}
	if n < 0 {
		sum.high--
	}
	if sum.low < a.low || n < 0 && sum.low == a.low {
		sum.high++
	}
	return sum
}

func (a int128) negative() bool { return a.high < 0 }

func (a int128) less(b int128) bool { return a.high < b.high || a.high == b.high && a.low < b.low }

// The error of a token that is too long says how long it is and may be.
func TestTooLongSaysHowMuch(t *testing.T) {
	frame := &codec.Prefixed{Size: 4, Max: 1000}
	_, appending := frame.AppendLength(nil, 997)
	_, adding := (&codec.Delimited{Delim: "\n", Max: 3}).Append(nil, []byte("abc"))
	_, noRoom := (&codec.Prefixed{Size: 1}).AppendLength(nil, 256)
	split := func(c codec.Codec, data string) error {
		_, _, err := (&codec.Scanner{Codec: c}).Split([]byte(data), false)
		return err
	}
	for _, c := range []struct {
		err       error
		size, max int
	}{
		{split(frame, be(4, 997, "")), 1001, 1000},
		{split(&codec.Delimited{Delim: "\n", Max: 3}, "abcd"), 5, 3},
		{split(&codec.Delimited{Delim: "\n", Max: 3}, "abcd\n"), 5, 3},
		{appending, 1001, 1000},
		{adding, 4, 3},
		{noRoom, 257, 256},
	} {
		want := fmt.Sprintf("codec: a token of %d bytes or more, and the bound is %d", c.size, c.max)
		if !errors.Is(c.err, bufio.ErrTooLong) || c.err.Error() != want {
			t.Errorf("%v, want %q and bufio.ErrTooLong", c.err, want)
		}
	}
}

// scanned is what a bufio.Scanner finds by a Scanner.
func scanned(c codec.Codec, r io.Reader) (tokens []string, err error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, math.MaxInt32)
	in.Split((&codec.Scanner{Codec: c}).Split)
	for in.Scan() {
		tokens = append(tokens, in.Text())
	}
	return tokens, in.Err()
}

// ranged is what Tokens finds. small bounds what Peek shows at once.
func ranged(c codec.Codec, r io.Reader, small int) (tokens []string, err error) {
	s, src := codec.Scanner{Codec: c}, bufio.NewReaderSize(r, small)
	for token, err := range s.Tokens(src) {
		if err != nil {
			return tokens, err
		}
		tokens = append(tokens, string(token))
	}
	if n, err := s.Next([]byte("x"), src); string(n) != "x" || err != io.EOF {
		return tokens, fmt.Errorf("behind the end Next returns %q, %w", n, err)
	}
	return tokens, nil
}

// room is for what comes, one stream at a time.
var room [1 << 18]byte

// shown is what is found in what comes as OnData is shown it: what was not used again, with what is new.
func shown(c codec.Codec, r io.Reader) (tokens []string, err error) {
	s, kept := codec.Scanner{Codec: c}, []byte(nil)
	for end := error(nil); end == nil; {
		var n int
		n, end = r.Read(room[:])
		for kept = append(kept, room[:n]...); ; {
			used, token, err := s.Split(kept, false)
			if err != nil {
				return tokens, err
			}
			if used == 0 {
				break
			}
			tokens = append(tokens, string(token))
			kept = bytes.Clone(kept[used:])
		}
	}
	_, _, err = s.Split(nil, true)
	return tokens, err
}

// here is what Buffered finds in what comes piece by piece. kept has one Scanner for all of it; a new one for each
// piece does not know what was left.
func here(c codec.Codec, r io.Reader, kept bool) (tokens []string, err error) {
	s, src := codec.Scanner{Codec: c}, new(pieces)
	for end := error(nil); end == nil; {
		var n int
		n, end = r.Read(room[:])
		if src.here = append(src.here, room[:n]...); !kept {
			s = codec.Scanner{Codec: c}
		}
		for token, err := range s.Buffered(src) {
			if err != nil {
				return tokens, err
			}
			tokens = append(tokens, string(token))
		}
	}
	if !kept {
		return tokens, cutOff(len(src.here) > 0)
	}
	_, _, err = s.Split(nil, true)
	return tokens, err
}

func cutOff(inside bool) error {
	if inside {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// pieces is a Source of what is here. What it has shown is nobody's any more at the next call.
type pieces struct{ here, shown []byte }

func (s *pieces) Buffered() int { return len(s.here) }

func (s *pieces) Peek(n int) ([]byte, error) {
	s.forget()
	if n > len(s.here) {
		return nil, errors.New("a wait")
	}
	s.shown = bytes.Clone(s.here[:n])
	return s.shown[:n:n], nil
}

func (s *pieces) Discard(n int) (int, error) {
	s.forget()
	s.here = s.here[n:]
	return n, nil
}

func (s *pieces) forget() {
	for i := range s.shown {
		s.shown[i] = '?'
	}
}

// ways are all by which a stream can be read.
var ways = map[string]func(c codec.Codec, r io.Reader) ([]string, error){
	"Split of a bufio.Scanner": scanned,
	"Split":                    shown,
	"Tokens":                   func(c codec.Codec, r io.Reader) ([]string, error) { return ranged(c, r, 4096) },
	"Tokens past Peek":         func(c codec.Codec, r io.Reader) ([]string, error) { return ranged(c, r, 16) },
	"Buffered":                 func(c codec.Codec, r io.Reader) ([]string, error) { return here(c, r, false) },
	"Buffered of one Scanner":  func(c codec.Codec, r io.Reader) ([]string, error) { return here(c, r, true) },
}

// cuts are the pieces in which streams come.
var cuts = map[string]func(r io.Reader) io.Reader{
	"one piece":         func(r io.Reader) io.Reader { return r },
	"bytes":             iotest.OneByteReader,
	"halves":            iotest.HalfReader,
	"an end with bytes": iotest.DataErrReader,
}

// Whatever way a stream is read, in one piece or byte by byte, what is found in it is the same.
func TestStreams(t *testing.T) {
	for _, c := range cases {
		for name, way := range ways {
			for kind, cut := range cuts {
				if kind == "bytes" && len(c.stream) > 5000 {
					continue
				}
				got, err := way(c.codec, cut(strings.NewReader(c.stream)))
				if !slices.Equal(got, c.tokens) || !is(err, c.err) {
					t.Errorf("%s by %s, %s: %.50q, %v; want %.50q, %v", c.name, name, kind, got, err, c.tokens, c.err)
				}
			}
		}
	}
}

// What is appended is found again, and what would not be is refused.
func TestAppends(t *testing.T) {
	for _, d := range []*codec.Delimited{{Delim: "\n"}, {Delim: "\r\n"}, {Delim: "aab"}, {Delim: "aa"}} {
		for _, token := range []string{"", "x", "\r", "\n", "a", "aa", "xa", "x\r\ny", "aaba",
			strings.Repeat("y", 1000)} {
			got, err := d.Append([]byte("before"), []byte(token))
			tokens, _ := scanned(d, strings.NewReader(token+d.Delim))
			if len(tokens) == 1 && tokens[0] == token {
				if string(got) != "before"+token+d.Delim || err != nil {
					t.Errorf("Append of %q to end with %q: %q, %v", token, d.Delim, got, err)
				}
			} else if string(got) != "before" || !is(err, errAny) {
				t.Errorf("Append of %q to end with %q, which has other tokens: %q, %v", token, d.Delim, got, err)
			}
		}
	}
	longest := &codec.Delimited{Delim: "\r\n", Max: 5}
	if got, err := longest.Append(nil, []byte("abc")); string(got) != "abc\r\n" || err != nil {
		t.Errorf("Append of the longest: %q, %v", got, err)
	}
	for _, p := range prefixes {
		for n := max(0, p.Adjust); n < 400; n++ {
			before := strings.Repeat("t", p.Offset)
			made, err := p.AppendLength([]byte(before), n)
			frame := string(made) + strings.Repeat("x", n)
			size := cmp.Or(p.Size, len(binary.AppendUvarint(nil, uint64(n-p.Adjust))))
			if p.Offset+size+n > cmp.Or(p.Max, 65536) || p.Size == 1 && n-p.Adjust > 255 {
				if string(made) != before || !errors.Is(err, bufio.ErrTooLong) {
					t.Errorf("%+v: AppendLength of %d: %q, %v", p, n, made, err)
				}
				continue
			}
			want := strings.Repeat("x", n)
			if p.Whole {
				want = frame
			}
			got, wrong := scanned(p, strings.NewReader(frame+frame))
			if !slices.Equal(got, []string{want, want}) || cmp.Or(err, wrong) != nil {
				t.Errorf("%+v: a frame of %d: %v, and it is read as %q, %v", p, n, err, got, wrong)
			}
		}
	}
}

// prefixes are sorts of frames.
var prefixes = []*codec.Prefixed{
	{}, {Size: 1}, {Size: 2}, {Size: 3}, {Size: 4}, {Size: 8}, {Size: 1, Adjust: -1}, {Size: 1, Adjust: 2},
	{Size: 4, Order: binary.LittleEndian}, {Size: 3, Order: binary.LittleEndian}, {Offset: 1, Size: 4, Adjust: -5},
	{Offset: 1, Size: 4, Adjust: -4, Whole: true}, {Offset: 2, Whole: true}, {Size: 2, Max: 100}, {Offset: 3, Max: 200},
	{Adjust: 7}, {Adjust: -1, Max: 150},
}

// A token that comes byte by byte is looked at once, whoever reads it.
func TestLooksOnce(t *testing.T) {
	const size = 20_000
	for _, delim := range []string{"\n", "\r\n"} {
		stream := strings.Repeat("\r", size) + delim
		for name, way := range ways {
			if name == "Buffered" { // of a new Scanner for each byte
				continue
			}
			looked := &codec.Looked{Codec: &codec.Delimited{Delim: delim, Max: 2 * size}}
			got, err := way(looked, iotest.OneByteReader(strings.NewReader(stream)))
			if len(got) != 1 || err != nil || looked.Bytes > len(stream) {
				t.Errorf("%s, %q: %d tokens, %v; looked at %d bytes of %d", name, delim, len(got), err, looked.Bytes,
					len(stream))
			}
		}
	}
}

// A token of more bytes than Peek shows is kept in memory of the Scanner's own, which has no more than that for it,
// and is there for the next long one, but not for ever.
func TestHolds(t *testing.T) {
	const most, small = 10_000, 4096
	long, short := strings.Repeat("x", most-1)+"\n", strings.Repeat("short\n", small)
	stream := long + long + short + long + strings.Repeat("y", 3*most)
	looked := &codec.Looked{Codec: &codec.Delimited{Delim: "\n", Max: most}}
	s := codec.Scanner{Codec: looked}
	got, at := 0, 0
	for token, err := range s.Tokens(bufio.NewReaderSize(strings.NewReader(stream), small)) {
		if err != nil {
			if !errors.Is(err, bufio.ErrTooLong) || s.Held() > 2*most || at != len(stream)-3*most {
				t.Errorf("%v at %d, with %d bytes of memory", err, at, s.Held())
			}
			continue
		}
		if want, _, _ := strings.Cut(stream[at:], "\n"); string(token) != want {
			t.Fatalf("token %d is %.20q, want %.20q", got, token, want)
		}
		at += len(token) + 1
		got++
		if len(token) > small && cap(token) > 2*most {
			t.Errorf("token %d is in %d bytes of memory", got, cap(token))
		}
		if at == len(long+long+short)-len("short\n") && s.Held() != 0 {
			t.Errorf("behind many short tokens there are %d bytes of memory", s.Held())
		}
	}
	if got != 3+small || looked.Most > most {
		t.Errorf("%d tokens, in memory of %d bytes", got, looked.Most)
	}
}

// A length alone, of a frame that may be as long, has no memory allocated for the frame.
func TestMemoryForWhatIsThere(t *testing.T) {
	frames := &codec.Prefixed{Size: 4, Max: 1 << 30}
	s := codec.Scanner{Codec: frames}
	src := bufio.NewReaderSize(strings.NewReader(be(4, 1<<30-4, strings.Repeat("x", 1000))), 16)
	dst, err := s.Next(nil, src)
	if err != io.ErrUnexpectedEOF || dst != nil || s.Held() > 4000 {
		t.Errorf("%d bytes, %v; %d bytes of memory for 1000", len(dst), err, s.Held())
	}
}

// late is a Reader that fails now and then, as at a deadline, and loses nothing.
type late struct {
	io.Reader
	n int
}

var errLate = errors.New("it is late")

func (r *late) Read(p []byte) (int, error) {
	if r.n++; r.n%3 == 0 {
		return 0, errLate
	}
	return r.Reader.Read(p)
}

// An error of the Source loses nothing, wherever it comes: the next loop, or Next, goes on there. And what is to be
// read from the Source behind a loop that was left, or behind Next, begins right behind the last token.
func TestGoesOn(t *testing.T) {
	var stream string
	var want []string
	for i := range 30 {
		want = append(want, strings.Repeat("x", i*i%50))
		stream += want[i] + "\r\n!"
	}
	one := map[string]func(s *codec.Scanner, src codec.Source) (string, error){
		"Next": func(s *codec.Scanner, src codec.Source) (string, error) {
			token, err := s.Next(nil, src)
			return string(token), err
		},
		"Tokens": func(s *codec.Scanner, src codec.Source) (string, error) {
			for token, err := range s.Tokens(src) {
				return string(token), err
			}
			return "", io.EOF
		},
	}
	for name, next := range one {
		for _, small := range []int{16, 4096} {
			s := codec.Scanner{Codec: &codec.Delimited{Delim: "\r\n"}}
			src := bufio.NewReaderSize(&late{Reader: iotest.HalfReader(strings.NewReader(stream))}, small)
			var got []string
			failed := 0
			for {
				token, err := next(&s, src)
				if err == errLate {
					failed++
					continue
				}
				if err == io.EOF {
					break
				} else if err != nil {
					t.Fatalf("%s, Peek of %d: %v", name, small, err)
				}
				got = append(got, token)
				b, err := src.ReadByte()
				for err == errLate {
					b, err = src.ReadByte()
				}
				if b != '!' || err != nil {
					t.Fatalf("%s, Peek of %d: behind token %d there is %q, %v", name, small, len(got)-1, b, err)
				}
			}
			if !slices.Equal(got, want) || small == 16 && failed < 10 {
				t.Errorf("%s, Peek of %d: %q, want %q; %d errors on the way", name, small, got, want, failed)
			}
		}
	}
}

// A protocol may have lines and frames by turns: the loop's body sets what comes next.
func TestCodecsByTurns(t *testing.T) {
	stream := "one\n" + be(4, 3, "\n\n\n") + "two\n" + be(4, 0, "") + "three\n"
	for kind, cut := range cuts {
		formats := []codec.Codec{&codec.Delimited{Delim: "\n"}, &codec.Prefixed{Size: 4}}
		s, got := codec.Scanner{Codec: formats[0]}, []string(nil)
		for token, err := range s.Tokens(bufio.NewReader(cut(strings.NewReader(stream)))) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(token))
			s.Codec = formats[len(got)%2]
		}
		if want := []string{"one", "\n\n\n", "two", "", "three"}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
	}
}

// Mistakes of the program's panic, and say what is wrong.
func TestMistakes(t *testing.T) {
	for want, f := range map[string]func(){
		"codec: a Scanner without a Codec": func() { new(codec.Scanner).Split(nil, false) },
		`codec: Delimited with the delimiter "" and a Max of 3`: func() {
			(&codec.Scanner{Codec: &codec.Delimited{Max: 3}}).Split([]byte("a"), false)
		},
		`codec: Delimited with the delimiter "x" and a Max of -1`: func() {
			(&codec.Delimited{Delim: "x", Max: -1}).Append(nil, nil)
		},
		"codec: Prefixed with a Size of 9, an Offset of 0 and a Max of 0": func() {
			(&codec.Prefixed{Size: 9}).AppendLength(nil, 1)
		},
		"codec: Prefixed with a Size of -1, an Offset of 0 and a Max of 0": func() {
			(&codec.Scanner{Codec: &codec.Prefixed{Size: -1}}).Split(nil, false)
		},
		"codec: Prefixed with a Size of 0, an Offset of -1 and a Max of 0": func() {
			(&codec.Scanner{Codec: &codec.Prefixed{Offset: -1}}).Split(nil, false)
		},
		"codec: Prefixed with a Size of 0, an Offset of 0 and a Max of -1": func() {
			(&codec.Scanner{Codec: &codec.Prefixed{Max: -1}}).Split(nil, false)
		},
		"codec: AppendLength of -1 bytes, and 0 at least come behind the length": func() {
			(&codec.Prefixed{Adjust: -2}).AppendLength(nil, -1)
		},
		"codec: AppendLength of 1 bytes, and 2 at least come behind the length": func() {
			(&codec.Prefixed{Adjust: 2}).AppendLength(nil, 1)
		},
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("a panic with %v, want %q", got, want)
				}
			}()
			f()
		}()
	}
}

// Nothing is allocated for a token, nor for a loop.
func TestAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	for _, c := range []struct {
		codec codec.Codec
		piece string
	}{
		{&codec.Delimited{Delim: "\r\n", Max: 1 << 20}, "a line\r\nanother\r\n"},
		{&codec.Delimited{Delim: strings.Repeat("boundary", 8)}, "a part" + strings.Repeat("boundary", 8)},
		{&codec.Delimited{Delim: "\n", Max: 1 << 20}, strings.Repeat("x", 9000) + "\n"},
		{&codec.Prefixed{Size: 4}, be(4, 6, "abcdef")},
		{&codec.Prefixed{Size: 3, Order: binary.LittleEndian}, le(3, 6, "abcdef")},
		{&codec.Prefixed{}, varint(6, "abcdef")},
	} {
		src, dst := bufio.NewReader(&endless{piece: c.piece}), make([]byte, 0, 10_000)
		s := codec.Scanner{Codec: c.codec}
		all := func() {
			n := 0
			for _, err := range s.Tokens(src) {
				if n++; err != nil || n == 5 {
					break
				}
			}
			other := codec.Scanner{Codec: c.codec}
			for range other.Buffered(src) {
			}
			dst, _ = s.Next(dst[:0], src)
			dst, _ = s.Next(dst[:0], src)
		}
		if n := alloctest.Least(100, 0.1, all); n > 0.1 {
			t.Errorf("%T: %v allocations for some loops", c.codec, n)
		}
		p, frames := []byte(c.piece), &codec.Prefixed{Size: 4}
		all = func() {
			s.Split(p, false)
			dst, _ = frames.AppendLength(dst[:0], 7)
		}
		if n := alloctest.Least(100, 0.1, all); n > 0.1 {
			t.Errorf("%T: %v allocations for a Split and an AppendLength", c.codec, n)
		}
	}
	lines, token, dst := &codec.Delimited{Delim: "\r\n"}, []byte("token"), make([]byte, 0, 100)
	if n := alloctest.Least(100, 0.1, func() { dst, _ = lines.Append(dst[:0], token) }); n > 0.1 {
		t.Errorf("%v allocations for an Append", n)
	}
}

// endless is a piece of text again and again.
type endless struct {
	piece string
	at    int
}

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		k := copy(p[n:], e.piece[e.at:])
		e.at = (e.at + k) % len(e.piece)
		n += k
	}
	return n, nil
}
